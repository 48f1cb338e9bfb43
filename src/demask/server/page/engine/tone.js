/** What to add to a restored crop so that its colours meet the photo's at the edge: demask's photo/tone.py. */

import { asFloats, count, floats, mapped } from "./picture.js";
import { shrunk, stretched } from "./resample.js";
import { distance } from "./shapes.js";
import { blurred } from "./smooth.js";

const sorted = (values) => Float32Array.from(values).sort();

function median(values) {
  const order = sorted(values), middle = order.length >> 1;
  return order.length % 2 ? order[middle] : (order[middle - 1] + order[middle]) / 2;
}

const within = (value, least, most) => Math.min(Math.max(value, least), most);

/**
 * The shift that takes the restored crop's tone to the photo's, to be added to it.
 *
 * `hole` and `known` are holes of the same size that share no pixel; `own` are the figures of this module.
 */
export function toneField(photo, restored, hole, known, own) {
  const outside = distance({ ...hole, data: hole.data.map((value) => 1 - value) }).data, inside = distance(hole).data;
  const ring = mapped(known, Uint8Array, (value, i) => (value && outside[i] <= own.ring ? 1 : 0));
  const everywhere = floats(hole.width, hole.height);
  everywhere.data.fill(1);
  const difference = mapped(photo, Float32Array, (value, i) => value - restored.data[i]);
  const field = spread(difference, ring, everywhere, 2, 0.5, own);
  const shifted = mapped(restored, Float32Array, (value, i) => value + field.data[i]);
  const { step, edge, trust } = stepAcross(photo, shifted, known, outside, inside, own);
  const rest = spread(step, edge, trust, 1, 0, own);
  return mapped(field, Float32Array, (value, i) => within(value + rest.data[i], -own.max_shift, own.max_shift));
}

/** Carry a difference known at `where` to the whole grid; `trust` says how much to believe each pixel. */
function spread(difference, where, trust, tolerance, leastTrust, own) {
  const { width, height, data } = difference, nothing = floats(width, height, 3);
  if (count(where) < own.min_pixels) return nothing;
  const places = [...where.data.keys()].filter((i) => where.data[i]);
  let trusted = places.filter((i) => trust.data[i] > 0.5);
  if (trusted.length < own.min_pixels) trusted = places;
  const middle = [0, 1, 2].map((c) => median(trusted.map((i) => data[3 * i + c])));
  const deviation = (i) => Math.max(...middle.map((value, c) => Math.abs(data[3 * i + c] - value)));
  const usual = median(trusted.map(deviation));
  const common = middle.map((value) => (value * value ** 2) / (value ** 2 + (1.4 * usual) ** 2 + 1e-6));
  const weight = new Float32Array(width * height);
  for (const i of places) weight[i] = trust.data[i] / (1 + (deviation(i) / (tolerance * usual + 3)) ** 2);
  const stacked = () => {
    const level = floats(width, height, 4);
    for (let i = 0; i < weight.length; i++) {
      for (let c = 0; c < 3; c++) level.data[4 * i + c] = within(data[3 * i + c], middle[c] - own.max_shift, middle[c] + own.max_shift) * weight[i];
      level.data[4 * i + 3] = weight[i];
    }
    return level;
  };
  const levels = [stacked()];
  for (let i = 1; i < own.levels; i++) levels.push(shrunk(levels.at(-1), levels.at(-1).width >> 1, levels.at(-1).height >> 1));
  for (const i of places) weight[i] = Math.max(weight[i], leastTrust);
  levels[0] = stacked();
  let field = floats(levels.at(-1).width, levels.at(-1).height, 3);
  field.data.forEach((_, i) => (field.data[i] = common[i % 3]));
  for (const level of levels.reverse()) {
    field = stretched(field, level.width, level.height);
    const soft = blurred(level, own.reach, { mirrored: false }).data, floor = own.weight_floor;
    field = mapped(field, Float32Array, (value, i) => (soft[4 * Math.floor(i / 3) + (i % 3)] + floor * value) / (soft[4 * Math.floor(i / 3) + 3] + floor));
  }
  return field;
}

/** The jump across the edge that shading does not explain, where it can be told, and how surely. */
function stepAcross(photo, restored, known, outside, inside, own) {
  const band = own.band, bandOf = (test) => mapped(known, Uint8Array, (value, i) => (test(value, i) ? 1 : 0));
  const farOut = localMean(photo, bandOf((there, i) => there && outside[i] > band && outside[i] <= 2 * band));
  const nearOut = localMean(photo, bandOf((there, i) => there && outside[i] <= band));
  const nearIn = localMean(restored, bandOf((_, i) => inside[i] > 0 && inside[i] <= band));
  const farIn = localMean(restored, bandOf((_, i) => inside[i] > band && inside[i] <= 2 * band));
  const bands = [farOut, nearOut, nearIn, farIn];
  const step = floats(photo.width, photo.height, 3), trust = floats(photo.width, photo.height);
  for (let i = 0; i < trust.data.length; i++) {
    let unrest = 0;
    for (let c = 3 * i; c < 3 * i + 3; c++) {
      const slopeOut = farOut.mean[c] - nearOut.mean[c], slopeIn = nearIn.mean[c] - farIn.mean[c];
      const jump = nearOut.mean[c] - nearIn.mean[c] - 0.5 * (slopeOut + slopeIn);
      step.data[c] = Math.sign(jump) * Math.max(Math.abs(jump) - own.step_noise, 0);
      unrest = Math.max(unrest, Math.abs(slopeOut), Math.abs(slopeIn));
    }
    trust.data[i] = 1 / (1 + (unrest / own.calm) ** 2);
  }
  const edge = bandOf((_, i) => inside[i] > 0 && inside[i] <= band && bands.every(({ weight }) => weight[i] > 0.05));
  return { step, edge, trust };
}

/** Mean of the band's pixels nearby, and how much of the band is near. */
function localMean(picture, band) {
  const stacked = floats(band.width, band.height, 4), size = band.data.length;
  for (let i = 0; i < size; i++) {
    if (!band.data[i]) continue;
    for (let c = 0; c < 3; c++) stacked.data[4 * i + c] = picture.data[3 * i + c];
    stacked.data[4 * i + 3] = 1;
  }
  const soft = blurred(stacked, 2.5, { mirrored: false }).data, mean = new Float32Array(3 * size), weight = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    weight[i] = soft[4 * i + 3];
    for (let c = 0; c < 3; c++) mean[3 * i + c] = soft[4 * i + c] / Math.max(weight[i], 1e-3);
  }
  return { mean, weight };
}

const brightnessOf = (data, i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];

/** Give the restored crop the one tint of a grey or toned photo; colour photos leave it as it is. */
export function monochrome(photo, restored, known, own) {
  const around = [];
  for (let y = 0; y < photo.height; y += 2) {
    for (let x = 0; x < photo.width; x += 2) if (known.data[y * photo.width + x]) around.push(3 * (y * photo.width + x));
  }
  if (around.length < own.min_pixels) return restored;
  const { data } = photo, span = (i) => Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
  const made = asFloats(restored);
  if (around.reduce((sum, i) => sum + span(i), 0) / around.length < 1.5) {
    for (let i = 0; i < made.data.length; i += 3) made.data.fill(brightnessOf(restored.data, i), i, i + 3);
    return made;
  }
  const rows = around.map((i) => powers(brightnessOf(data, i)));
  const fits = [0, 2].map((c) => leastSquares(rows, around.map((i) => data[i + c] - data[i + 1])));
  const error = fits.map((fit, k) => {
    const squares = rows.reduce((sum, row, n) => sum + (dot(row, fit) - (data[around[n] + 2 * k] - data[around[n] + 1])) ** 2, 0);
    return Math.sqrt(squares / rows.length);
  });
  if (Math.max(...error) > 2) return restored;
  for (let i = 0; i < made.data.length; i += 3) {
    const brightness = brightnessOf(restored.data, i), row = powers(brightness), [red, blue] = fits.map((fit) => dot(row, fit));
    const green = brightness - 0.299 * red - 0.114 * blue;
    made.data.set([green + red, green, green + blue], i);
  }
  return made;
}

const powers = (brightness) => [(brightness / 255) ** 2, brightness / 255, 1];
const dot = (one, other) => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];

/** The parabola nearest to some values, by Gram and Schmidt's orthogonal columns. */
function leastSquares(rows, values) {
  const columns = [0, 1, 2].map((k) => Float64Array.from(rows, (row) => row[k])), upper = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  const product = (one, other) => one.reduce((sum, value, i) => sum + value * other[i], 0);
  for (let k = 0; k < 3; k++) {
    for (let j = 0; j < k; j++) {
      upper[j][k] = product(columns[j], columns[k]);
      columns[k].forEach((_, i) => (columns[k][i] -= upper[j][k] * columns[j][i]));
    }
    upper[k][k] = Math.sqrt(product(columns[k], columns[k]));
    columns[k].forEach((_, i) => (columns[k][i] /= upper[k][k] || 1));
  }
  const fit = [0, 0, 0];
  for (let k = 2; k >= 0; k--) {
    let rest = product(columns[k], values);
    for (let j = k + 1; j < 3; j++) rest -= upper[k][j] * fit[j];
    fit[k] = upper[k][k] > 1e-9 ? rest / upper[k][k] : 0;
  }
  return fit;
}
