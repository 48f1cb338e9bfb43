/** The hole: what was found, and the strokes that correct it. */

import { $, canvas, corrections, refresh, say, state } from "./state.js";
import { t } from "./texts.js";

/** Part of the found hole as opacity instead of white on black, on a canvas of [w, h] pixels. */
export function foundAlpha(x, y, width, height, w, h) {
  const made = canvas(w, h);
  if (!state.found) return made;
  const context = made.getContext("2d", { willReadFrequently: true });
  context.drawImage(state.found, x, y, width, height, 0, 0, w, h);
  const pixels = context.getImageData(0, 0, w, h);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
  context.putImageData(pixels, 0, 0);
  return made;
}

function drawStroke(context, { kind, size, points }) {
  context.globalCompositeOperation = kind === "add" ? "source-over" : "destination-out";
  context.lineWidth = size;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[0]);
  for (const [x, y] of points) context.lineTo(x + 0.01, y);
  context.stroke();
}

/** A face's box and a margin, as far as its hole may reach. */
function reach({ box: [x0, y0, x1, y1] }) {
  const margin = 0.25 * Math.max(x1 - x0, y1 - y0);
  return [x0 - margin, y0 - margin, x1 - x0 + 2 * margin, y1 - y0 + 2 * margin];
}

/**
 * The hole that would be sent, as opacity: found, corrected, and without the faces switched off.
 *
 * Part of the photo at `scale`; `whole` keeps the found part for the next call.
 */
export function drawHole(x, y, width, height, scale, whole = false) {
  const w = Math.max(1, Math.round(width * scale)), h = Math.max(1, Math.round(height * scale));
  let base = whole ? foundAlpha.whole : null;
  if (!base || base.width !== w || base.height !== h) base = foundAlpha(x, y, width, height, w, h);
  if (whole) foundAlpha.whole = base;
  const toPart = [w / width, 0, 0, h / height, (-x * w) / width, (-y * h) / height];
  const painted = canvas(w, h), context = painted.getContext("2d", { willReadFrequently: true });
  // Of a face that is off goes all that was found; what was painted beside it marks somebody else.
  context.drawImage(withoutOff(base, toPart, reach), 0, 0);
  context.setTransform(...toPart);
  for (const stroke of corrections()) drawStroke(context, stroke);
  return withoutOff(painted, toPart, boxOf);
}

const boxOf = ({ box: [x0, y0, x1, y1] }) => [x0, y0, x1 - x0, y1 - y0];

/** A hole without what lies in an area of the faces that are off; where a face that is on reaches, it stays. */
function withoutOff(hole, toPart, areaOf) {
  if (state.faces.every((face) => face.on)) return hole;
  const chosen = canvas(hole.width, hole.height), part = chosen.getContext("2d", { willReadFrequently: true });
  part.drawImage(hole, 0, 0);
  part.setTransform(...toPart);
  for (const face of state.faces) if (!face.on) part.clearRect(...areaOf(face));
  part.beginPath();
  for (const face of state.faces) if (face.on) part.rect(...reach(face));
  part.clip();
  part.resetTransform();
  part.globalCompositeOperation = "copy";
  part.drawImage(hole, 0, 0);
  return chosen;
}

const MOST_VIEW_PIXELS = 1600;
const viewScale = () => Math.min(1, MOST_VIEW_PIXELS / Math.max(state.width, state.height));

/** The hole at the size it is shown, with its colour. */
export function showHole() {
  const view = $("hole-view"), hole = drawHole(0, 0, state.width, state.height, viewScale(), true);
  Object.assign(view, { width: hole.width, height: hole.height });
  const context = view.getContext("2d", { willReadFrequently: true });
  context.drawImage(hole, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = holeColour();
  context.fillRect(0, 0, view.width, view.height);
}

const holeColour = () => getComputedStyle(document.documentElement).getPropertyValue("--hole");

/** Add the last piece of a stroke to what is shown: to draw the whole hole for each would be slow. */
function showPiece({ kind, size, points }) {
  const view = $("hole-view"), context = view.getContext("2d");
  context.save();
  context.setTransform(view.width / state.width, 0, 0, view.height / state.height, 0, 0);
  context.strokeStyle = holeColour();
  drawStroke(context, { kind, size, points: points.slice(-2) });
  context.restore();
}

/** Whether the hole to be sent has a pixel in the box. */
export function holeIn([x0, y0, x1, y1]) {
  const scale = viewScale(), hole = drawHole(0, 0, state.width, state.height, scale, true);
  const left = Math.max(0, Math.floor(x0 * scale)), top = Math.max(0, Math.floor(y0 * scale));
  const right = Math.min(hole.width, Math.ceil(x1 * scale)), bottom = Math.min(hole.height, Math.ceil(y1 * scale));
  if (right <= left || bottom <= top) return false;
  const { data } = hole.getContext("2d").getImageData(left, top, right - left, bottom - top);
  return data.some((value, i) => i % 4 === 3 && value > 127);
}

export function beginStroke(point) {
  state.undone = [];
  state.strokes.push({ kind: state.tool, size: state.brush, points: [point] });
  strokeTo(point);
}

export function strokeTo([x, y]) {
  const stroke = state.strokes.at(-1);
  let all = false;
  stroke.points.push([Math.round(x * 10) / 10, Math.round(y * 10) / 10]);
  if (stroke.kind === "add") {
    // Who paints over a face wants it filled.
    for (const face of state.faces) {
      const [x0, y0, x1, y1] = face.box;
      if (face.on || x < x0 || x > x1 || y < y0 || y > y1) continue;
      face.on = all = true;
      say(t("switchedOn", face.index + 1));
    }
  }
  if (all) showHole();
  else showPiece(stroke);
}

export function undo() {
  if (!state.strokes.length) return;
  state.undone.push(state.strokes.pop());
  say(t("undone"));
  refresh();
}

export function redo() {
  if (!state.undone.length) return;
  state.strokes.push(state.undone.pop());
  say(t("redone"));
  refresh();
}

export function resetHole() {
  if (!corrections().length) return;
  state.undone = [];
  state.strokes.push({ kind: "reset" });
  say(t("asFound"));
  refresh();
}
