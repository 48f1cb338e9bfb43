/** A photo to its faces, crops and holes, and from these to the photo without its coverings: demask's looker.py and remover.py. */

import { boxAround, cornersUnder, fromWindow, shifted, similarity } from "./affine.js";
import { findFaces } from "./finder.js";
import { judge, regionsIn, runsOn } from "./judge.js";
import { holeInto, pasteBack, rectOf } from "./paste.js";
import { faceNear, partsApart } from "./painted.js";
import { bytes, count, cut, mapped } from "./picture.js";
import { cropToFrame } from "./resample.js";
import { Trouble } from "./trouble.js";
import { findInAnyTurn, quarterTurns } from "./turned.js";

/**
 * Find the faces of a photo, the largest first, and what each wears.
 *
 * `networks` is {find(picture), cover(crop), restore(crop, hole), takesWide(name)}. Each face is {box, points, score} and, where it
 * could be aligned, {framed: {matrix, crop, valid}, found: {hole, coverage, covered, confidence}}.
 */
export async function look(photo, figures, networks, { onStep = async () => {} } = {}) {
  await onStep("find");
  const faces = await findInAnyTurn((picture) => findFaces(picture, figures, networks.find), photo, figures.turned);
  const wide = await networks.takesWide("hole");
  for (const [number, face] of faces.entries()) {
    await onStep("hole", number, faces.length);
    Object.assign(face, windowsOf(photo, face, figures));
    if (!face.framed) continue;
    face.found = await judged(face.framed, figures, networks);
    if (!wide || !face.found.covered || !runsOn(face.found, face.wide.valid, figures)) continue;
    const found = await judged(face.wide, figures, networks);
    if (found.covered) Object.assign(face, { framed: face.wide, found }); // Else what the wide window adds misleads.
  }
  return faces;
}

/** {framed, wide}: a face's crops in the tight window and in the wide one, of which it is a part; null ones where it cannot be aligned. */
function windowsOf(photo, face, figures) {
  const { points, wide } = figures.frame, matrix = similarity(face.points, points);
  if (!matrix) return { framed: null, wide: null };
  const whole = shifted(matrix, -wide.x0, -wide.y0), cutOut = { matrix: whole, ...cropToFrame(photo, whole, wide.side_px) };
  return { framed: tightPart(cutOut, figures), wide: cutOut };
}

/** What the tight window shows of the wide one: of its crop, or of other pictures of its size. */
function tightPart({ matrix, ...pictures }, { frame: { px, wide } }) {
  const here = [-wide.x0, -wide.y0, px - wide.x0, px - wide.y0];
  const parts = Object.entries(pictures).map(([name, picture]) => [name, cut(picture, here)]);
  return { ...(matrix && { matrix: shifted(matrix, wide.x0, wide.y0) }), ...Object.fromEntries(parts) };
}

/** A face as far as the tight window shows it, for a restorer that knows no other. */
function inTight(face, figures) {
  if (!face.framed || face.framed.crop.width === figures.frame.px) return face;
  const { hole, coverage } = face.found;
  return { ...face, framed: tightPart(face.framed, figures), found: { ...face.found, ...tightPart({ hole, coverage }, figures) } };
}

const judged = async ({ crop, valid }, figures, networks) => judge(await coverage(crop, figures, networks), crop, valid, figures);

/** The mean of a look at a crop and one at its mirror image, each weighted by its coverage of the lower face. */
async function coverage(crop, figures, networks) {
  const mirror = (picture) => mapped(picture, picture.data.constructor, (_, i) => {
    const { width, channels, data } = picture, x = Math.floor(i / channels) % width;
    return data[i + (width - 1 - 2 * x) * channels];
  });
  const looks = [await networks.cover(crop), mirror(await networks.cover(mirror(crop)))];
  const lower = regionsIn(crop.width, figures).lower_face.data, sums = looks.map(({ data }) => {
    let sum = 0, number = 0;
    for (let i = 0; i < data.length; i++) if (lower[i]) [sum, number] = [sum + data[i], number + 1];
    return sum / number + 1e-6;
  });
  const share = sums[0] / (sums[0] + sums[1]);
  return mapped(looks[0], Float32Array, (value, i) => share * value + (1 - share) * looks[1].data[i]);
}

/** The holes of all covered faces together, a hole of the photo's size; null where none is covered. */
export function holeOf(photo, faces) {
  const covered = faces.filter(({ found }) => found?.covered), there = bytes(photo.width, photo.height);
  for (const { found, framed } of covered) holeInto(there, found.hole, framed.matrix);
  return covered.length ? there : null;
}

/** Whether a hole of the photo has a pixel inside a box of it. */
function touches(hole, [x0, y0, x1, y1]) {
  const left = Math.max(Math.floor(x0), 0), right = Math.min(Math.max(Math.ceil(x1) + 1, 0), hole.width);
  const bottom = Math.min(Math.max(Math.ceil(y1) + 1, 0), hole.height);
  for (let y = Math.max(Math.floor(y0), 0); y < bottom; y++) {
    for (let x = left; x < right; x++) if (hole.data[y * hole.width + x]) return true;
  }
  return false;
}

/**
 * The chosen faces with a person's own hole wherever it touches their box, and those that it marks, which come last.
 *
 * What lies apart from all faces marks one that was missed.
 */
async function withOwnHole(photo, faces, chosen, hole, figures, networks) {
  const touched = faces.map(({ box }) => touches(hole, box)), parts = partsApart(hole, faces, figures.painted);
  if (!parts.length && !touched.includes(true)) throw new Trouble("errorHoleAway");
  const own = (face) => {
    const soft = coverageFromPhoto(hole, face.wide.matrix, figures.frame.wide.side_px);
    const there = mapped(soft, Uint8Array, (value) => (value > 0 ? 1 : 0));
    const found = { hole: there, coverage: soft, covered: there.data.includes(1), confidence: 1 };
    const whole = { ...face, own: true, framed: face.wide, found }, tight = inTight(whole, figures);
    return count(tight.found.hole) === count(there) ? tight : whole;
  };
  const known = faces.map((face, i) => (touched[i] && face.framed && chosen.includes(i) ? own(face) : face));
  const turns = faces.length ? quarterTurns(faces[0].points) : 0;
  for (const part of parts) {
    const face = await faceNear(photo, part, turns, figures, networks.find);
    known.push(own({ ...face, ...windowsOf(photo, face, figures) }));
  }
  return known;
}

/** A hole of the photo in the frame: the share of each pixel that is hole. */
function coverageFromPhoto(hole, matrix, px) {
  const box = boxAround(cornersUnder(matrix, 0, 0, px, px), hole, 8);
  if (!box) return { width: px, height: px, channels: 1, data: new Float32Array(px * px) };
  const window = mapped(cut(hole, box), Uint8Array, (value) => value * 255);
  const { crop } = cropToFrame(window, fromWindow(matrix, box[0], box[1]), px);
  return mapped(crop, Float32Array, (value) => value / 255);
}

/**
 * Restore the chosen faces that are covered, in place.
 *
 * `ownHole` is the person's hole, used as it is, or null: then only what it touches or marks is restored. Resolves to
 * {faces, changed, restored}: all faces, the pixels that may have changed, and the indices of what was restored.
 */
export async function restore(photo, faces, { chosen, ownHole = null }, figures, networks, { onStep = async () => {} } = {}) {
  const all = ownHole ? await withOwnHole(photo, faces, chosen, ownHole, figures, networks) : faces;
  const looked = (await networks.takesWide("restorer")) ? all : all.map((face) => inTight(face, figures));
  const wanted = (face, index) => (ownHole ? face.own : chosen.includes(index)) && face.framed && face.found.covered;
  const todo = [...looked.keys()].filter((index) => wanted(looked[index], index));
  const changed = bytes(photo.width, photo.height), earlier = [];
  for (const [number, index] of todo.entries()) {
    await onStep("restore", number, todo.length);
    const face = looked[index];
    let { framed } = face;
    // A neighbour that is restored by now may reach into a crop: cut that again.
    if (earlier.some((other) => reaches(other, face))) framed = { ...framed, ...cropToFrame(photo, framed.matrix, framed.crop.width) };
    const blanked = mapped(framed.crop, Uint8Array, (value, i) => (face.found.hole.data[Math.floor(i / 3)] ? 0 : value));
    const drawn = await networks.restore(blanked, face.found.hole);
    const settings = face.own ? figures.own_paste : figures.paste;
    pasteBack(photo, drawn, face.found.coverage, framed, settings, figures, { changed, only: face.own ? ownHole : null });
    earlier.push(face);
  }
  return { faces: looked, changed, restored: todo };
}

/** Whether the hole of one face lies in the crop of another. */
function reaches(holeOfFace, cropOf) {
  const ends = (corners) => [0, 1].map((axis) => [Math.min(...corners.map((corner) => corner[axis])), Math.max(...corners.map((corner) => corner[axis]))]);
  const hole = ends(rectOf(holeOfFace.found.hole, holeOfFace.framed.matrix));
  const side = cropOf.framed.crop.width, crop = ends(cornersUnder(cropOf.framed.matrix, 0, 0, side, side));
  return hole.every(([low, high], axis) => crop[axis][0] < high && low < crop[axis][1]);
}
