/** Shapes of holes: wider, narrower, their parts, how far from them, their outline. As OpenCV has them. */

import { rounded } from "./picture.js";

/** The offsets [dx, dy] of a filled ellipse of a size (getStructuringElement, MORPH_ELLIPSE). */
export function disc(size) {
  const radius = size >> 1, offsets = [];
  for (let dy = -radius; dy <= radius; dy++) {
    const reach = radius ? Math.min(rounded(radius * Math.sqrt((radius * radius - dy * dy) / (radius * radius))), radius) : 0;
    for (let dx = -reach; dx <= reach; dx++) offsets.push([dx, dy]);
  }
  return offsets;
}

/** The offsets of a full square of a size. */
export function square(size) {
  const reach = size >> 1, offsets = [];
  for (let dy = -reach; dy <= reach; dy++) for (let dx = -reach; dx <= reach; dx++) offsets.push([dx, dy]);
  return offsets;
}

function ranked({ width, height, data }, offsets, better, worst) {
  const made = new data.constructor(data.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      let best = worst;
      for (const [dx, dy] of offsets) {
        const u = x + dx, v = y + dy;
        if (u < 0 || v < 0 || u >= width || v >= height) continue;
        const value = data[v * width + u];
        if (better(value, best)) best = value;
      }
      made[at] = best;
    }
  }
  return { width, height, channels: 1, data: made };
}

/** The largest value around each pixel; what lies outside the picture does not count. */
export const dilated = (picture, offsets) => ranked(picture, offsets, (one, other) => one > other, -Infinity);

/** The smallest; outside the picture lies `outside`, which counts, or nothing. */
export function eroded(picture, offsets, outside = null) {
  const { width, height } = picture, made = ranked(picture, offsets, (one, other) => one < other, Infinity);
  if (outside === null) return made;
  const reach = Math.max(...offsets.map(([dx]) => Math.abs(dx)));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) made.data[at] = Math.min(made.data[at], outside);
    }
  }
  return made;
}

const EIGHT = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];
const FOUR = EIGHT.filter(([dx, dy]) => !dx || !dy);

/**
 * The connected parts of a hole.
 *
 * Returns {labels, parts}: the number of the part of each pixel, 0 where there is none, and for each number from
 * 1 on {x0, y0, x1, y1, area}, counted from parts[0], which is the part 1.
 */
export function components({ width, height, data }, eight) {
  const labels = new Int32Array(data.length), parts = [], queue = new Int32Array(data.length);
  for (let start = 0; start < data.length; start++) {
    if (!data[start] || labels[start]) continue;
    const part = { x0: width, y0: height, x1: 0, y1: 0, area: 0 }, label = parts.push(part);
    let head = 0, tail = 0;
    queue[tail++] = start;
    labels[start] = label;
    while (head < tail) {
      const at = queue[head++], x = at % width, y = (at - x) / width;
      part.area++;
      part.x0 = Math.min(part.x0, x);
      part.x1 = Math.max(part.x1, x + 1);
      part.y0 = Math.min(part.y0, y);
      part.y1 = Math.max(part.y1, y + 1);
      for (const [dx, dy] of eight ? EIGHT : FOUR) {
        const u = x + dx, v = y + dy;
        if (u < 0 || v < 0 || u >= width || v >= height) continue;
        const next = v * width + u;
        if (!data[next] || labels[next]) continue;
        labels[next] = label;
        queue[tail++] = next;
      }
    }
  }
  return { labels, parts };
}

const FAR = 2 ** 29;

/** How far each pixel lies from the nearest that is 0, by steps of 0.955 and 1.3693 (Borgefors 1986, 3 x 3). */
export function distance({ width, height, data }) {
  const step = rounded(0.955 * 65536), slant = rounded(1.3693 * 65536), wide = width + 2;
  const far = new Int32Array(wide * (height + 2)).fill(FAR), made = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = (y + 1) * wide + 1; x < width; x++, at++) {
      far[at] = data[y * width + x] ? Math.min(far[at - wide - 1] + slant, far[at - wide] + step, far[at - wide + 1] + slant, far[at - 1] + step, FAR) : 0;
    }
  }
  for (let y = height - 1; y >= 0; y--) {
    for (let x = width - 1, at = (y + 1) * wide + width; x >= 0; x--, at--) {
      far[at] = Math.min(far[at], far[at + wide + 1] + slant, far[at + wide] + step, far[at + wide - 1] + slant, far[at + 1] + step);
      made[y * width + x] = far[at] / 65536;
    }
  }
  return { width, height, channels: 1, data: made };
}

// Clockwise on the screen, from the right.
const AROUND = [[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]];

/** The pixels [x, y] along the longest outer outline of a hole's parts, in OpenCV's order; [] where there is none. */
export function outline(hole) {
  const { width, height } = hole, { labels, parts } = components(hole, true);
  let longest = [];
  // OpenCV lists the parts from the last to the first, and the first of equals is taken.
  for (let label = parts.length; label > 0; label--) {
    const line = traced(labels, width, height, label);
    if (line.length > longest.length) longest = line;
  }
  return longest;
}

/** Suzuki and Abe's border following (CVGIP 30(1), 1985) around one part. */
function traced(labels, width, height, label) {
  const there = (x, y) => x >= 0 && y >= 0 && x < width && y < height && labels[y * width + x] === label;
  const first = labels.indexOf(label), start = [first % width, Math.floor(first / width)];
  // From the left, clockwise, to the first neighbour: that one comes last on the way around.
  let towards = 4;
  do towards = (towards + 1) & 7;
  while (towards !== 4 && !there(start[0] + AROUND[towards][0], start[1] + AROUND[towards][1]));
  if (towards === 4) return [start];
  const last = [start[0] + AROUND[towards][0], start[1] + AROUND[towards][1]], line = [];
  let [x, y] = start, back = towards;
  for (;;) {
    line.push([x, y]);
    let next = back;
    do next = (next + 7) & 7;
    while (!there(x + AROUND[next][0], y + AROUND[next][1]));
    const [u, v] = [x + AROUND[next][0], y + AROUND[next][1]];
    if (u === start[0] && v === start[1] && x === last[0] && y === last[1]) return line;
    [x, y] = [u, v];
    back = (next + 4) & 7;
  }
}
