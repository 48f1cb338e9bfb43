/** How grainy a picture is, and grain to add where a smooth patch lies in it: demask's photo/grain.py. */

import { asFloats, floats, mapped } from "./picture.js";
import { shrunk, stretched } from "./resample.js";
import { eroded, square } from "./shapes.js";

/** {fine, coarse}: the grain of a small grey picture from the pixels at `where`; null if they are too few. */
export function measure(brightness, where, own) {
  const sigmas = [];
  let level = brightness, judged = where;
  for (let scale = 0; scale < 2; scale++) {
    const inner = eroded(judged, square(3), 0).data, found = [];
    for (let i = 0; i < inner.length; i++) if (inner[i]) found.push(Math.abs(response(level, i % level.width, Math.floor(i / level.width))));
    if (found.length < own.min_pixels) return null;
    const calm = Float32Array.from(found).sort().subarray(0, Math.max(Math.floor((found.length * 2) / 3), 1));
    sigmas.push(calm.reduce((sum, value) => sum + value, 0) / calm.length / own.trimmed_gain / own.kernel_gain);
    const width = level.width >> 1, height = level.height >> 1;
    level = shrunk(asFloats(level), width, height);
    judged = mapped(shrunk(asFloats(judged), width, height), Uint8Array, (value) => (value > Math.fround(0.99) ? 1 : 0));
  }
  return { fine: sigmas[0], coarse: sigmas[1] };
}

/** Immerkaer's kernel [[1, -2, 1], [-2, 4, -2], [1, -2, 1]] at a pixel (CVIU 64(2), 1996, eq. 1). */
function response({ width, data }, x, y) {
  const at = y * width + x, up = at - width, down = at + width;
  const corners = data[up - 1] + data[up + 1] + data[down - 1] + data[down + 1];
  return corners - 2 * (data[up] + data[at - 1] + data[at + 1] + data[down]) + 4 * data[at];
}

/** Grain to draw so that what is pasted shows as much as what lies around it. */
export function missing(around, pasted, own) {
  const fine = Math.max(around.fine ** 2 - pasted.fine ** 2, 0);
  const coarse = Math.max(around.coarse ** 2 - pasted.coarse ** 2 - own.fine_seen_coarse * fine, 0);
  return { fine: Math.min(Math.sqrt(fine), own.max_sigma), coarse: Math.min(Math.sqrt(coarse / own.coarse_seen_coarse), own.max_sigma) };
}

/** A picture of normal grain, at most a tile in size: larger ones repeat it. */
export function draw({ fine, coarse }, width, height, normal, own) {
  const tile = floats(Math.min(width, own.tile_px), Math.min(height, own.tile_px));
  if (fine > 0.05) tile.data.forEach((_, i) => (tile.data[i] += fine * normal()));
  if (coarse > 0.05) {
    const half = floats((tile.width >> 1) + 1, (tile.height >> 1) + 1);
    half.data.forEach((_, i) => (half.data[i] = normal()));
    const wide = stretched(half, tile.width, tile.height).data;
    wide.forEach((value, i) => (tile.data[i] += coarse * value));
  }
  return tile;
}

/**
 * Normal numbers from a seed, the same for the same seed: sfc32 (PractRand) and Box and Muller.
 *
 * Another generator than NumPy's, so the grain is as strong as Python's and lies otherwise.
 */
export function normals(seed) {
  let [a, b, c, counter] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88, 1], spare = null;
  const uniform = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return ((sum >>> 0) + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) uniform();
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
