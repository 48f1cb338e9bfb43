/** From the coverage of a crop to its hole, and to whether the face is covered at all: demask's faces/judge.py. */

import { byColour } from "./colours.js";
import { asFloats, bytes } from "./picture.js";
import { components, dilated, disc } from "./shapes.js";

/** The mean of `data` where `where` says; `where` is a function of the index. */
function mean(data, where) {
  let sum = 0, number = 0;
  for (let i = 0; i < data.length; i++) {
    if (!where(i)) continue;
    sum += data[i];
    number++;
  }
  return number ? sum / number : null;
}

const widened = (picture, radiusPx) => (radiusPx ? dilated(picture, disc(2 * radiusPx + 1)) : picture);

/**
 * Decide whether a face is covered, and by which part of the coverage.
 *
 * Returns {hole, coverage, covered, confidence}; `figures` are all of the engine's figures, with the regions of
 * the frame as pictures.
 */
export function judge(coverage, crop, valid, figures) {
  const { judge: settings } = figures, { width, height } = coverage, regions = regionsIn(width, figures);
  let binary = thresholded(coverage, valid, settings.threshold), covering = coveringOf(binary, settings, regions);
  const onLowerFace = (i) => regions.lower_face.data[i] && valid.data[i];
  if (!isCovered(covering, valid, settings, regions)) {
    const bare = mean(coverage.data, onLowerFace);
    return { hole: bytes(width, height), coverage: asFloats(bytes(width, height)), covered: false, confidence: bare === null ? 0 : 1 - bare };
  }
  const confidence = mean(coverage.data, (i) => covering.data[i] && onLowerFace(i));
  const corrected = byColour(coverage, crop, valid, settings.colour_weight, figures.colours);
  const correctedBinary = thresholded(corrected, valid, settings.threshold);
  const correctedCovering = coveringOf(correctedBinary, settings, regions);
  if (isCovered(correctedCovering, valid, settings, regions)) {
    [coverage, binary, covering] = [corrected, correctedBinary, correctedCovering];
  }
  const near = widened(asFloats(covering), 3), threshold = settings.threshold;
  let soft = asFloats(covering);
  for (let i = 0; i < soft.data.length; i++) {
    const value = coverage.data[i], belongs = near.data[i] > 0 && !(binary.data[i] && !covering.data[i]);
    const centred = value <= threshold ? (0.5 * value) / threshold : 0.5 + (0.5 * (value - threshold)) / (1 - threshold);
    soft.data[i] = covering.data[i] && !binary.data[i] ? 1 : belongs ? centred : 0;
  }
  soft = widened(soft, settings.widen_px);
  const hole = bytes(width, height);
  for (let i = 0; i < soft.data.length; i++) {
    if (!valid.data[i]) soft.data[i] = 0;
    hole.data[i] = soft.data[i] > 0.5 ? 1 : 0;
  }
  return { hole, coverage: soft, covered: true, confidence };
}

/** The regions of the tight window in the window of this side. */
export function regionsIn(side, { regions, frame: { px, wide } }) {
  if (side === px) return regions;
  return Object.fromEntries(Object.entries(regions).map(([name, region]) => {
    const placed = bytes(side, side);
    for (let y = 0; y < px; y++) placed.data.set(region.data.subarray(y * px, (y + 1) * px), (y - wide.y0) * side - wide.x0);
    return [name, placed];
  }));
}

/** Whether a hole in the tight window reaches its edge where the photo goes on; `valid` is the wide window's. */
export function runsOn({ hole }, valid, { running_on: own, frame: { px, wide } }) {
  const anyOf = (place) => Array.from({ length: own.edge_px }, (_, depth) => place(depth)).some((at) => hole.data[at]);
  const there = (x, y) => valid.data[(y - wide.y0) * valid.width + x - wide.x0];
  let contact = 0;
  for (let i = 0; i < px; i++) {
    if (there(i, -1) && anyOf((depth) => depth * px + i)) contact++;
    if (there(i, px) && anyOf((depth) => (px - 1 - depth) * px + i)) contact++;
    if (there(-1, i) && anyOf((depth) => i * px + depth)) contact++;
    if (there(px, i) && anyOf((depth) => i * px + px - 1 - depth)) contact++;
  }
  return contact >= own.min_contact_px;
}

function thresholded({ width, height, data }, valid, threshold) {
  const made = bytes(width, height), least = Math.fround(threshold);
  for (let i = 0; i < data.length; i++) made.data[i] = data[i] > least && valid.data[i] ? 1 : 0;
  return made;
}

function isCovered(covering, valid, settings, { lower_face: lowerFace, mouth }) {
  const share = (region) => mean(covering.data, (i) => region.data[i] && valid.data[i]) ?? 0;
  return share(lowerFace) >= settings.min_lower_face && share(mouth) >= settings.min_mouth;
}

/** The covered parts that belong to the lower face, small islands filled. */
function coveringOf(binary, settings, { lower_face: lowerFace }) {
  const { width, height } = binary, covering = bytes(width, height);
  const joined = widened(binary, Math.floor((settings.reach_px + 1) / 2));
  const { labels, parts } = components(joined, true), votes = new Int32Array(parts.length + 1);
  for (let i = 0; i < labels.length; i++) if (binary.data[i] && lowerFace.data[i]) votes[labels[i]]++;
  votes[0] = 0;
  const most = votes.reduce((best, number, label) => (number > votes[best] ? label : best), 0);
  if (!votes[most]) return covering;
  for (let i = 0; i < labels.length; i++) covering.data[i] = binary.data[i] && labels[i] === most ? 1 : 0;

  const around = components({ ...covering, data: covering.data.map((value) => 1 - value) }, false);
  const onFace = new Int32Array(around.parts.length + 1);
  for (let i = 0; i < around.labels.length; i++) if (lowerFace.data[i]) onFace[around.labels[i]]++;
  const fills = around.parts.map(({ x0, y0, x1, y1, area }, index) => {
    const inside = x0 > 0 && y0 > 0 && x1 < width && y1 < height;
    return inside && (area <= settings.max_island_px || onFace[index + 1] > area / 2);
  });
  for (let i = 0; i < around.labels.length; i++) if (around.labels[i] && fills[around.labels[i] - 1]) covering.data[i] = 1;
  return covering;
}
