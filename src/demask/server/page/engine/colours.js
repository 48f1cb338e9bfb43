/** Which pixels belong to a covering, by the colours of the photograph itself: demask's faces/colours.py. */

import { count, floats, rounded } from "./picture.js";
import { dilated, disc, distance, eroded } from "./shapes.js";
import { blurred } from "./smooth.js";

const SHIFT = 12, GAMMA_SHIFT = 3, FINE_SHIFT = SHIFT + GAMMA_SHIFT;
const described = (value, bits) => (value + (1 << (bits - 1))) >> bits;

const GAMMA = Int32Array.from({ length: 256 }, (_, i) => {
  const x = i / 255;
  return rounded(255 * (1 << GAMMA_SHIFT) * (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
});

const CUBE_ROOT = Int32Array.from({ length: (256 * 3 / 2) << GAMMA_SHIFT }, (_, i) => {
  const x = i / (255 * (1 << GAMMA_SHIFT));
  return rounded((1 << FINE_SHIFT) * (x < 216 / 24389 ? (x * 841) / 108 + 16 / 116 : Math.cbrt(x)));
});

// sRGB to XYZ under D65, each row divided by its white.
const TO_XYZ = [
  [0.412453, 0.35758, 0.180423, 0.950456], [0.212671, 0.71516, 0.072169, 1], [0.019334, 0.119193, 0.950227, 1.088754],
].map(([r, g, b, white]) => [r, g, b].map((part) => rounded((part / white) * (1 << SHIFT))));

/** Lab of one colour in 8-bit steps, in the whole-number arithmetic of OpenCV. */
function lab(red, green, blue) {
  const [r, g, b] = [GAMMA[red], GAMMA[green], GAMMA[blue]];
  const [x, y, z] = TO_XYZ.map(([p, q, s]) => CUBE_ROOT[described(r * p + g * q + b * s, SHIFT)]);
  const scale = Math.trunc((116 * 255 + 50) / 100), shift = -Math.trunc((16 * 255 * (1 << FINE_SHIFT) + 50) / 100);
  const within = (value) => Math.min(Math.max(value, 0), 255);
  return [
    within(described(scale * y + shift, FINE_SHIFT)),
    within(described(500 * (x - y) + 128 * (1 << FINE_SHIFT), FINE_SHIFT)),
    within(described(200 * (y - z) + 128 * (1 << FINE_SHIFT), FINE_SHIFT)),
  ];
}

/** The number of each pixel's colour: Lab, twice as fine in the chroma. */
function colourNumbers({ width, height, data }, bits) {
  const numbers = new Int32Array(width * height), finer = (value) => Math.min(Math.max(2 * value - 128, 0), 255);
  for (let i = 0, j = 0; i < numbers.length; i++, j += 3) {
    const [l, a, b] = lab(data[j], data[j + 1], data[j + 2]);
    numbers[i] = ((l >> (8 - bits)) << (2 * bits)) + ((finer(a) >> (8 - bits)) << bits) + (finer(b) >> (8 - bits));
  }
  return numbers;
}

/** The share of the pixels at `where` of each colour, smoothed along all three axes. */
function shares(numbers, where, bits) {
  const steps = 1 << bits, total = count(where);
  let made = new Float32Array(steps ** 3);
  for (let i = 0; i < numbers.length; i++) if (where.data[i]) made[numbers[i]]++;
  for (let i = 0; i < made.length; i++) made[i] /= total;
  for (let axis = 0; axis < 3; axis++) {
    const rows = blurred({ width: steps, height: steps * steps, channels: 1, data: made }, 0.8, { size: 5, alongRows: true }).data;
    made = new Float32Array(rows.length);
    for (let i = 0; i < steps; i++) for (let j = 0; j < steps; j++) for (let k = 0; k < steps; k++) made[(k * steps + i) * steps + j] = rows[(i * steps + j) * steps + k];
  }
  return made;
}

/**
 * Correct a coverage by the colours of what is surely covered and of what surely is not.
 *
 * Returns the coverage itself where one side is too small to tell its colours. `own` are the figures of this module.
 */
export function byColour(coverage, crop, valid, weight, own) {
  const { width, height } = coverage;
  const covered = { width, height, channels: 1, data: Uint8Array.from(coverage.data, (value) => (value > 0.5 ? 1 : 0)) };
  if (weight === 0 || !count(covered)) return coverage;
  const far = distance({ ...covered, data: covered.data.map((value) => 1 - value) }).data;
  const chosen = (test) => ({ ...covered, data: covered.data.map((_, i) => (test(coverage.data[i], i) ? 1 : 0)) });
  const sure = chosen((value, i) => value > Math.fround(own.sure) && valid.data[i]);
  const bare = chosen((value, i) => value < Math.fround(own.bare) && valid.data[i] && far[i] <= own.near_px);
  if (Math.min(count(sure), count(bare)) < own.min_pixels) return coverage;

  const numbers = colourNumbers(crop, own.bits), even = own.even / (1 << (2 * own.bits));
  const ofCovering = shares(numbers, sure, own.bits), ofBare = shares(numbers, bare, own.bits);
  const round = disc(own.thin_px), opened = dilated(eroded(covered, round), round);
  const thin = chosen((_, i) => sure.data[i] && !opened.data[i]);
  if (count(thin) >= own.few_thin) {
    const ofThin = shares(numbers, thin, own.bits);
    for (let i = 0; i < ofCovering.length; i++) ofCovering[i] = 0.5 * (ofCovering[i] + ofThin[i]);
  }
  const ratio = floats(width, height);
  for (let i = 0; i < numbers.length; i++) {
    const odds = Math.log((ofCovering[numbers[i]] + even) / (ofBare[numbers[i]] + even));
    ratio.data[i] = Math.min(Math.max(odds, -own.most_against), own.most_for);
  }
  const smooth = blurred(ratio, 0.7).data, after = Float32Array.from(coverage.data);
  for (let i = 0; i < after.length; i++) {
    if (far[i] > own.near_px) continue;
    const before = own.doubt + (1 - 2 * own.doubt) * after[i], odds = (before / (1 - before)) * Math.exp(weight * smooth[i]);
    after[i] = Math.min(Math.max((odds / (1 + odds) - own.doubt) / (1 - 2 * own.doubt), 0), 1);
  }
  return { width, height, channels: 1, data: after };
}
