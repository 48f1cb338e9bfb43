/** The stage: where the photo lies, how large, and where the line between before and after is. */

import { $, refresh, state } from "./state.js";
import { percent, t } from "./texts.js";

export const stage = $("stage");
export const zoomPercent = () => Math.round(state.zoom * 100);
const MOST_ZOOM = 16;

/** Where the photo lies in the stage, in CSS pixels, and how many of them one photo pixel is. */
export function layout() {
  const { clientWidth: stageWidth, clientHeight: stageHeight } = stage;
  const scale = Math.min(stageWidth / state.width, stageHeight / state.height) * state.zoom;
  const width = state.width * scale, height = state.height * scale;
  const place = (space, size, centre) => (size <= space ? (space - size) / 2 : Math.min(0, Math.max(space - size, space / 2 - centre * size)));
  const left = place(stageWidth, width, state.centre[0]), top = place(stageHeight, height, state.centre[1]);
  return { scale, width, height, left, top, stageWidth, stageHeight };
}

/** Grey a button without `disabled`, which would throw the focus off it. */
export const allow = (id, allowed) => $(id).setAttribute("aria-disabled", String(!allowed));

/** Put photo, line and brush where zoom, centre and the stage's size say. */
export function place() {
  if (!state.width) return;
  stage.style.setProperty("--part", state.height / state.width);
  const edits = state.mode === "hole", done = state.result !== null;
  const { left, top, width, height, stageWidth } = layout();
  Object.assign($("layers").style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  stage.classList.toggle("zoomed", state.zoom > 1);
  stage.classList.toggle("hole", edits);
  stage.classList.toggle("idle", !edits && !done && state.zoom === 1);
  $("zoom-fit").textContent = percent(state.zoom);
  $("zoom-fit").setAttribute("aria-label", t("zoomFit", zoomPercent()));
  allow("zoom-out", state.zoom > 1);
  allow("zoom-in", state.zoom < MOST_ZOOM);

  // The line is a part of what can be seen of the photo, so it can always be reached.
  const compares = done && !edits;
  for (const id of ["after", "split", "chip-before", "chip-after"]) $(id).hidden = !compares;
  $("hold").hidden = !compares;
  $("hold").setAttribute("aria-pressed", String(state.holding));
  const from = Math.max(0, left), to = Math.min(stageWidth, left + width);
  const line = from + (state.holding ? 1 : state.split) * (to - from);
  $("split").style.left = `${line}px`;
  $("split").setAttribute("aria-label", t("split"));
  $("split").setAttribute("aria-valuenow", Math.round(state.split * 100));
  $("split").setAttribute("aria-valuetext", t("splitValue", Math.round(state.split * 100)));
  $("before").style.clipPath = compares ? `inset(0 ${left + width - line}px 0 0)` : "";
  $("after").style.clipPath = `inset(0 0 0 ${line - left}px)`;
  // A label whose side of the line is too narrow for it would name the other side.
  $("chip-before").style.opacity = line - from > $("chip-before").offsetWidth + 16 ? 1 : 0;
  $("chip-after").style.opacity = to - line > $("chip-after").offsetWidth + 16 ? 1 : 0;

  placeBrush();
}

export function setMode(mode) {
  state.mode = mode;
  state.lowered = false;
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  refresh();
}

/** Zoom by a factor, keeping the point of the stage at (x, y) where it is. */
export function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  if (!state.width) return;
  const old = layout();
  const at = [(x - old.left) / old.width, (y - old.top) / old.height];
  state.zoom = Math.min(MOST_ZOOM, Math.max(1, state.zoom * factor));
  if (state.zoom < 1.02) state.zoom = 1;
  const { width, height } = layout();
  state.centre = [at[0] + (stage.clientWidth / 2 - x) / width, at[1] + (stage.clientHeight / 2 - y) / height];
  settle();
}

export function panBy(dx, dy) {
  const { width, height } = layout();
  state.centre = [state.centre[0] - dx / width, state.centre[1] - dy / height];
  settle();
}

/** Take the centre from where the photo came to lie, so that panning past an edge leaves no debt. */
export function settle() {
  const { left, top, width, height, stageWidth, stageHeight } = layout();
  state.centre = [(stageWidth / 2 - left) / width, (stageHeight / 2 - top) / height];
  place();
}

export const toPhoto = (x, y) => {
  const { left, top, scale } = layout();
  return [(x - left) / scale, (y - top) / scale];
};

export function setSplit(part) {
  state.split = Math.min(1, Math.max(0, part));
  place();
}

export function splitAt(x) {
  const { left, width, stageWidth } = layout();
  const from = Math.max(0, left), to = Math.min(stageWidth, left + width);
  setSplit((x - from) / (to - from));
}

/** The ring that shows the brush, at `state.cursor` (in parts of the photo). */
export function placeBrush(shown = !$("brush").hidden) {
  const ring = $("brush");
  ring.hidden = !(shown && state.mode === "hole" && state.width);
  if (ring.hidden) return;
  const { left, top, width, height, scale } = layout();
  const size = Math.max(8, state.brush * scale);
  Object.assign(ring.style, {
    width: `${size}px`, height: `${size}px`,
    left: `${left + state.cursor[0] * width - size / 2}px`, top: `${top + state.cursor[1] * height - size / 2}px`,
  });
  ring.classList.toggle("down", state.lowered);
}
