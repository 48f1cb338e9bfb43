/** Pictures at another size or in another place, by the arithmetic of OpenCV, which the Python side uses. */

import { boxAround, cornersUnder, fromShrunk, fromWindow, inverted, scaleOf } from "./affine.js";
import { bytes, cut, rounded } from "./picture.js";

const fround = Math.fround;

/** Make the picture smaller, every pixel the mean of what it covers (INTER_AREA). */
export function shrunk(picture, width, height) {
  const { channels, data } = picture, [rx, ry] = [picture.width / width, picture.height / height];
  const made = { width, height, channels, data: new data.constructor(width * height * channels) };
  if (Number.isInteger(rx) && Number.isInteger(ry)) shrinkEvenly(picture, made, rx, ry);
  else shrinkUnevenly(picture, made, rx, ry);
  return made;
}

function shrinkEvenly({ width, channels, data }, made, rx, ry) {
  const isByte = data instanceof Uint8Array, share = fround(1 / (rx * ry)), two = rx === 2 && ry === 2;
  for (let y = 0, at = 0; y < made.height; y++) {
    for (let x = 0; x < made.width; x++) {
      for (let c = 0; c < channels; c++, at++) {
        let sum = 0;
        for (let j = 0; j < ry; j++) {
          let from = ((y * ry + j) * width + x * rx) * channels + c;
          for (let i = 0; i < rx; i++, from += channels) sum = isByte ? sum + data[from] : fround(sum + data[from]);
        }
        if (!isByte) made.data[at] = sum * share;
        else made.data[at] = two ? (sum + 2) >> 2 : rounded(fround(sum * share));
      }
    }
  }
}

/** What each pixel of a side of `to` covers of one of `from` pixels: first pixel and weights. */
function covers(from, to, ratio) {
  const parts = [];
  for (let i = 0; i < to; i++) {
    const begin = i * ratio, end = begin + ratio, cell = Math.min(ratio, from - begin);
    const last = Math.min(Math.floor(end), from - 1), first = Math.min(Math.ceil(begin), last);
    const weights = [];
    let at = first;
    if (first - begin > 1e-3) {
      at = first - 1;
      weights.push(fround((first - begin) / cell));
    }
    for (let j = first; j < last; j++) weights.push(fround(1 / cell));
    if (end - last > 1e-3) weights.push(fround(Math.min(Math.min(end - last, 1), cell) / cell));
    parts.push({ at, weights });
  }
  return parts;
}

function shrinkUnevenly({ width, height, channels, data }, made, rx, ry) {
  const isByte = data instanceof Uint8Array;
  const across = covers(width, made.width, rx), down = covers(height, made.height, ry);
  const row = made.width * channels, line = new Float32Array(row), sum = new Float32Array(row);
  down.forEach(({ at: top, weights }, y) => {
    sum.fill(0);
    weights.forEach((weight, j) => {
      const base = (top + j) * width * channels;
      across.forEach(({ at, weights: shares }, x) => {
        for (let c = 0; c < channels; c++) {
          let value = 0, from = base + at * channels + c;
          for (let i = 0; i < shares.length; i++, from += channels) value = fround(value + fround(data[from] * shares[i]));
          line[x * channels + c] = value;
        }
      });
      for (let i = 0; i < row; i++) sum[i] += fround(weight * line[i]);
    });
    const to = y * row;
    for (let i = 0; i < row; i++) made.data[to + i] = isByte ? rounded(sum[i]) : sum[i];
  });
}

/** Bring a picture of floats to a size, between pixels linearly (INTER_LINEAR). */
export function stretched({ width: fromWidth, height: fromHeight, channels, data }, width, height) {
  const places = (from, to) => Array.from({ length: to }, (_, i) => {
    const place = fround((i + 0.5) * (from / to) - 0.5), low = Math.floor(place);
    if (low < 0) return [0, 0, 0];
    return low >= from - 1 ? [from - 1, from - 1, 0] : [low, low + 1, fround(place - low)];
  });
  const across = places(fromWidth, width), made = new Float32Array(width * height * channels);
  places(fromHeight, height).forEach(([top, bottom, v], y) => {
    across.forEach(([left, right, u], x) => {
      for (let c = 0; c < channels; c++) {
        const [a, b] = [(top * fromWidth + left) * channels + c, (top * fromWidth + right) * channels + c];
        const [d, e] = [(bottom * fromWidth + left) * channels + c, (bottom * fromWidth + right) * channels + c];
        const high = data[a] * (1 - u) + data[b] * u, low = data[d] * (1 - u) + data[e] * u;
        made[(y * width + x) * channels + c] = high * (1 - v) + low * v;
      }
    });
  });
  return { width, height, channels, data: made };
}

const STEPS = 32; // Places are rounded to this part of a pixel,
const FINE = 1024; // and are computed in this one.

/** Weights of the two pixels beside each place between them. */
const LINEAR = Array.from({ length: STEPS }, (_, i) => [1 - i / STEPS, i / STEPS]);

/** The same of four, by cubic convolution with a = -0.75. */
const CUBIC = Array.from({ length: STEPS }, (_, i) => {
  const a = -0.75, x = i / STEPS;
  const weights = [
    ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a,
    ((a + 2) * x - (a + 3)) * x * x + 1,
    ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1,
  ].map(fround);
  return [...weights, fround(1 - weights[0] - weights[1] - weights[2])];
});

/**
 * What a picture shows where `back` takes the pixels of a new one (warpAffine with WARP_INVERSE_MAP).
 *
 * Past the edges the outermost pixels go on where `replicate`, and there is nothing elsewhere.
 */
function warped({ width, height, channels, data }, back, toWidth, toHeight, { cubic = false, replicate = false } = {}) {
  const isByte = data instanceof Uint8Array, weights = cubic ? CUBIC : LINEAR, taps = cubic ? 4 : 2, lead = cubic ? 1 : 0;
  const made = { width: toWidth, height: toHeight, channels, data: new data.constructor(toWidth * toHeight * channels) };
  const [[a, b, c], [d, e, f]] = back, half = FINE / STEPS / 2;
  const right = Int32Array.from({ length: toWidth }, (_, x) => rounded(a * x * FINE));
  const down = Int32Array.from({ length: toWidth }, (_, x) => rounded(d * x * FINE));
  for (let y = 0, at = 0; y < toHeight; y++) {
    const fromX = rounded((b * y + c) * FINE) + half, fromY = rounded((e * y + f) * FINE) + half;
    for (let x = 0; x < toWidth; x++, at += channels) {
      const placeX = (fromX + right[x]) >> 5, placeY = (fromY + down[x]) >> 5;
      const left = (placeX >> 5) - lead, top = (placeY >> 5) - lead;
      const across = weights[placeX & 31], along = weights[placeY & 31];
      const inside = left >= 0 && top >= 0 && left + taps <= width && top + taps <= height;
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let j = 0; j < taps; j++) {
          let row = top + j;
          if (!inside && (row < 0 || row >= height)) {
            if (!replicate) continue;
            row = row < 0 ? 0 : height - 1;
          }
          let part = 0;
          for (let i = 0; i < taps; i++) {
            let column = left + i;
            if (!inside && (column < 0 || column >= width)) {
              if (!replicate) continue;
              column = column < 0 ? 0 : width - 1;
            }
            part += data[(row * width + column) * channels + k] * across[i];
          }
          sum += part * along[j];
        }
        made.data[at + k] = isByte ? Math.floor(sum + 0.5) : sum;
      }
    }
  }
  return made;
}

/** What a picture of the frame shows in a box of the photo; `matrix` maps photo to frame. */
export function warpedBack(frame, matrix, [x0, y0, x1, y1], options) {
  return warped(frame, fromWindow(matrix, x0, y0), x1 - x0, y1 - y0, options);
}

/**
 * Cut the aligned crop of `sizePx` out of a photo, which is averaged down first where it is much larger.
 *
 * Returns {crop, valid}: the crop, black where the photo ends, and 1 where the photo was.
 */
export function cropToFrame(photo, matrix, sizePx) {
  const valid = bytes(sizePx, sizePx), nothing = { crop: bytes(sizePx, sizePx, photo.channels), valid };
  const box = boxAround(cornersUnder(matrix, 0, 0, sizePx, sizePx), photo, 4);
  if (!box) return nothing;
  let window = cut(photo, box), local = fromWindow(matrix, box[0], box[1]);
  const factor = Math.floor(1 / Math.max(scaleOf(matrix), 1e-6));
  if (factor >= 2 && Math.min(window.width, window.height) >= 2 * factor) {
    const width = Math.max(Math.floor(window.width / factor), 1), height = Math.max(Math.floor(window.height / factor), 1);
    local = fromShrunk(local, window.width / width, window.height / height);
    window = shrunk(window, width, height);
  }
  const back = inverted(local), { channels } = photo;
  const crop = warped(window, back, sizePx, sizePx, { replicate: true });
  const everywhere = bytes(window.width, window.height);
  everywhere.data.fill(255);
  const there = warped(everywhere, back, sizePx, sizePx);
  for (let i = 0; i < valid.data.length; i++) {
    valid.data[i] = there.data[i] >= 254 ? 1 : 0;
    if (!valid.data[i]) crop.data.fill(0, i * channels, (i + 1) * channels);
  }
  return { crop, valid };
}
