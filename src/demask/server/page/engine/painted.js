/** Faces marked by hand: parts of a person's own hole that lie apart from every face found. demask's faces/painted.py. */

import { boxAround } from "./affine.js";
import { findFaces } from "./finder.js";
import { cut, mapped } from "./picture.js";
import { shrunk } from "./resample.js";
import { components } from "./shapes.js";

const size = ([x0, y0, x1, y1]) => Math.max(x1 - x0, y1 - y0);
const gap = (one, other) => Math.max(one[0] - other[2], one[1] - other[3], other[0] - one[2], other[1] - one[3], 0);

/** The parts {centre, sidePx} of a hole that belong to no face found, from left to right. */
export function partsApart(hole, faces, own) {
  const factor = Math.max(1, Math.ceil(Math.max(hole.width, hole.height) / own.working_px));
  const wide = Math.max(Math.floor(hole.width / factor), 1), high = Math.max(Math.floor(hole.height / factor), 1);
  const soft = shrunk(mapped(hole, Uint8Array, (value) => 255 * value), wide, high);
  const [rx, ry] = [hole.width / wide, hole.height / high], { labels, parts } = components(soft, true);
  const taken = faces.map(({ box }) => box.map((value, i) => value / (i % 2 ? ry : rx)));
  let groups = [];
  parts.forEach(({ x0, y0, x1, y1 }, i) => {
    const box = [x0, y0, x1, y1];
    if (!taken.some((face) => belongs(labels, wide, high, i + 1, box, face, own))) groups = joined(groups, { members: [i + 1], box }, own);
  });
  const found = groups.map(({ members }) => {
    let area = 0, sumX = 0, sumY = 0;
    for (let i = 0; i < labels.length; i++) {
      if (!members.includes(labels[i])) continue;
      const weight = soft.data[i] / 255;
      area += weight;
      sumX += weight * (i % wide);
      sumY += weight * Math.floor(i / wide);
    }
    return { centre: [(sumX / area + 0.5) * rx - 0.5, (sumY / area + 0.5) * ry - 0.5], sidePx: Math.sqrt(area * rx * ry) };
  });
  return found.filter(({ sidePx }) => sidePx >= own.min_side_px).sort((one, other) => one.centre[0] - other.centre[0]);
}

/** Whether one stroke paints a face found: it touches the face's box, or is a strap beside it. */
function belongs(labels, wide, high, label, box, face, own) {
  const bottom = Math.min(Math.max(Math.ceil(face[3]) + 1, 0), high), right = Math.min(Math.max(Math.ceil(face[2]) + 1, 0), wide);
  for (let y = Math.max(Math.floor(face[1]), 0); y < bottom; y++) {
    for (let x = Math.max(Math.floor(face[0]), 0); x < right; x++) if (labels[y * wide + x] === label) return true;
  }
  return size(box) < own.strap * size(face) && gap(box, face) < size(face) / 2;
}

/** Add a stroke to the group that it lies near, which may then lie near to others. */
function joined(groups, added, own) {
  const near = groups.findIndex(({ box }) => gap(box, added.box) < own.join * Math.max(size(box), size(added.box)));
  if (near < 0) return [...groups, added];
  const { members, box } = groups[near];
  const together = box.map((value, i) => (i < 2 ? Math.min(value, added.box[i]) : Math.max(value, added.box[i])));
  return joined(groups.filter((_, i) => i !== near), { members: [...members, ...added.members], box: together }, own);
}

/** The face that a part marks, as covered faces usually lie; `turns` are quarter turns of the heads, clockwise. */
function faceMarkedBy({ centre, sidePx }, turns, { painted, frame }) {
  const [c, s] = [[1, 0], [0, 1], [-1, 0], [0, -1]][turns], scale = sidePx / painted.hole_side_px;
  const toPhoto = ([x, y]) => {
    const [u, v] = [x - painted.hole_centre[0], y - painted.hole_centre[1]];
    return [(u * c - v * s) * scale + centre[0], (u * s + v * c) * scale + centre[1]];
  };
  const corners = painted.face_box.map(toPhoto), along = (axis) => corners.map((corner) => corner[axis]);
  const box = [Math.min(...along(0)), Math.min(...along(1)), Math.max(...along(0)), Math.max(...along(1))];
  return { box, points: frame.points.map(toPhoto), score: 0 };
}

/** The same, found in a close look where it can be. */
export async function faceNear(photo, part, turns, figures, find) {
  const usual = faceMarkedBy(part, turns, figures);
  const box = boxAround([part.centre], photo, Math.round(figures.painted.close_look * size(usual.box)));
  if (!box || turns) return usual;
  const [left, top] = box, [x, y] = [part.centre[0] - left, part.centre[1] - top];
  const near = (await findFaces(cut(photo, box), figures, find)).filter(({ box: [x0, y0, x1, y1] }) => {
    const ratio = Math.max(x1 - x0, y1 - y0) / size(usual.box);
    return x0 < x && y0 < y && x < x1 && y < y1 && ratio > 0.5 && ratio < 2;
  });
  if (!near.length) return usual;
  const best = near.reduce((one, other) => (other.score > one.score ? other : one));
  return { box: best.box.map((value, i) => value + (i % 2 ? top : left)), points: best.points.map(([u, v]) => [u + left, v + top]), score: best.score };
}
