/** Put a restored crop back into its photo: warped, matched in tone and grain, feathered. demask's photo/paste.py. */

import { boxAround, cornersUnder, inverted, isInvertible, moved, scaleOf } from "./affine.js";
import { crc32 } from "./checksum.js";
import * as grains from "./grain.js";
import { asFloats, cut, grey, mapped, rounded } from "./picture.js";
import { shrunk, stretched, warpedBack } from "./resample.js";
import { dilated, outline, square } from "./shapes.js";
import { blurred } from "./smooth.js";
import { monochrome, toneField } from "./tone.js";

const within = (value, least, most) => Math.min(Math.max(value, least), most);

/**
 * Paste a restored crop into the hole of a photo, in place.
 *
 * `framed` is {matrix, crop, valid}, `settings` are as PasteConfig, `changed` is a hole of the photo's size that
 * takes the pixels which may have changed. With `only`, a hole of the photo, no pixel outside it is changed.
 */
export function pasteBack(photo, restored, coverage, framed, settings, figures, { changed, only = null }) {
  const { matrix, valid } = framed;
  if (!isInvertible(matrix)) return;
  let contour = contourOf(coverage, valid, settings.feather_px);
  const box = windowOf(contour, matrix, photo);
  if (!box) return;
  let corrected = asFloats(restored);
  if (settings.match_tone) corrected = toneMatched(framed, corrected, contour, figures);
  const scale = scaleOf(matrix);
  if (scale > 1) {
    const sigma = 0.5 * Math.sqrt(scale ** 2 - 1);
    [corrected, contour] = [blurred(corrected, sigma), blurred(contour, sigma)];
  }
  const [x0, y0, x1, y1] = box, width = x1 - x0;
  let noise = null;
  if (settings.match_grain) {
    const lacking = missingGrain(photo, corrected, contour, matrix, figures);
    const strength = { fine: lacking.fine, coarse: settings.coarse_grain * lacking.coarse };
    const normal = grains.normals(crc32(restored.data) ^ settings.seed);
    noise = grains.draw(strength, width, Math.min(y1 - y0, 1024), normal, figures.grain);
  }
  const rows = Math.max(1, Math.floor(figures.paste_work.strip_pixels / width));
  for (let top = y0; top < y1; top += rows) {
    const strip = [x0, top, x1, Math.min(top + rows, y1)];
    const soft = warpedBack(contour, matrix, strip, { cubic: true }).data;
    const face = warpedBack(corrected, matrix, strip, { cubic: true, replicate: true }).data;
    for (let i = 0; i < soft.length; i++) {
      if (!(soft[i] > 0.5)) continue;
      const x = i % width, y = Math.floor(i / width) + top, at = y * photo.width + x + x0;
      if (only && !only.data[at]) continue;
      const alpha = within((soft[i] - 0.5) / 0.45, 0, 1), extra = noise ? grainAt(noise, x, y - y0) : 0;
      for (let c = 0; c < 3; c++) {
        const before = photo.data[3 * at + c];
        photo.data[3 * at + c] = rounded(before + alpha * (within(face[3 * i + c] + extra, 0, 255) - before));
      }
      changed.data[at] = 1;
    }
  }
}

const grainAt = ({ width, height, data }, x, y) => data[(y % height) * width + (x % width)];

/** A ramp that crosses 0.5 at the coverage's edge, `featherPx` wide inside. */
function contourOf(coverage, valid, featherPx) {
  const reachable = dilated(valid, square(5)).data;
  const steep = mapped(coverage, Float32Array, (value, i) => within((value - 0.5) * 4 + 0.5, 0, 1) * reachable[i]);
  return blurred(steep, Math.max(featherPx / 1.64, 0.4));
}

/** Box of the photo under the hole; null where there is none. */
function windowOf(contour, matrix, photo) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  const least = Math.fround(0.4);
  for (let y = 0, i = 0; y < contour.height; y++) {
    for (let x = 0; x < contour.width; x++, i++) {
      if (!(contour.data[i] > least)) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    }
  }
  return x1 < 0 ? null : boxAround(cornersUnder(matrix, x0 - 1, y0 - 1, x1 + 1, y1 + 1), photo, 1);
}

function toneMatched(framed, restored, contour, figures) {
  const side = Math.floor(restored.width / figures.paste_work.shrink), small = (picture) => shrunk(asFloats(picture), side, side);
  const crop = small(framed.crop), coarse = small(contour), valid = small(framed.valid).data;
  const hole = mapped(coarse, Uint8Array, (value) => (value > 0.5 ? 1 : 0));
  const known = mapped(coarse, Uint8Array, (value, i) => (value < Math.fround(0.02) && valid[i] > Math.fround(0.99) ? 1 : 0));
  const field = toneField(crop, small(restored), hole, known, figures.tone);
  const wide = stretched(field, restored.width, restored.height).data;
  const shifted = mapped(restored, Float32Array, (value, i) => value + wide[i]);
  return monochrome(crop, shifted, known, figures.tone);
}

/** Measure the grain on both sides of the edge, in small tiles along it, at the photo's resolution. */
function missingGrain(photo, face, contour, matrix, figures) {
  const line = outline(mapped(contour, Uint8Array, (value) => (value > 0.5 ? 1 : 0))), nothing = { fine: 0, coarse: 0 };
  if (!line.length) return nothing;
  const half = Math.floor(within(20 / scaleOf(matrix), 12, 48)), back = inverted(matrix), around = [], pasted = [];
  const { num_tiles: numTiles } = figures.paste_work;
  for (let k = 0; k < numTiles; k++) {
    const [x, y] = moved(back, line[Math.floor((k * line.length) / numTiles)]).map(Math.trunc);
    const tile = [Math.max(x - half, 0), Math.max(y - half, 0), Math.min(x + half, photo.width), Math.min(y + half, photo.height)];
    if (Math.min(tile[2] - tile[0], tile[3] - tile[1]) < 12) continue;
    const soft = warpedBack(contour, matrix, tile), shown = grey(cut(photo, tile));
    const drawn = mapped(warpedBack(face, matrix, tile, { cubic: true, replicate: true }), Uint8Array, (value) => Math.trunc(within(value, 0, 255)));
    const outer = grains.measure(shown, mapped(soft, Uint8Array, (value) => (value < Math.fround(0.02) ? 1 : 0)), figures.grain);
    const inner = grains.measure(grey(drawn), mapped(soft, Uint8Array, (value) => (value > Math.fround(0.9) ? 1 : 0)), figures.grain);
    if (outer && inner) {
      around.push(outer);
      pasted.push(inner);
    }
  }
  if (!around.length) return nothing;
  const typical = (measured, share) => ({
    fine: quantile(measured.map(({ fine }) => fine), share), coarse: quantile(measured.map(({ coarse }) => coarse), share),
  });
  // Hair and cloth look grainy: the lower third of the tiles outside are the skin.
  return grains.missing(typical(around, 0.35), typical(pasted, 0.5), figures.grain);
}

function quantile(values, share) {
  const order = Float64Array.from(values).sort(), place = share * (order.length - 1), low = Math.floor(place);
  return order[low] + (place - low) * (order[Math.min(low + 1, order.length - 1)] - order[low]);
}

/** Where a hole of the frame lies in the photo is put into `there`, a hole of the photo's size. */
export function holeInto(there, hole, matrix) {
  const box = boxAround(rectOf(hole, matrix) ?? [[NaN, NaN]], there, 1);
  if (!box) return;
  const covered = warpedBack(asFloats(hole), matrix, box).data, width = box[2] - box[0];
  for (let i = 0; i < covered.length; i++) {
    if (covered[i] > 0.5) there.data[(Math.floor(i / width) + box[1]) * there.width + (i % width) + box[0]] = 1;
  }
}

/** Corners, in the photo, of the upright rectangle around a hole of the frame; null where it is empty. */
export function rectOf(hole, matrix) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < hole.data.length; i++) {
    if (!hole.data[i]) continue;
    const x = i % hole.width, y = Math.floor(i / hole.width);
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
  }
  return x1 < 0 ? null : cornersUnder(matrix, x0 - 1, y0 - 1, x1 + 1, y1 + 1);
}
