/** Fingers, mouse, pen and keys on the stage. */

import { setBrush, setTool } from "./brush.js";
import { beginStroke, strokeTo } from "./hole.js";
import { layout, panBy, placeBrush, settle, splitAt, stage, toPhoto, zoomBy } from "./stage.js";
import { $, refresh, say, state } from "./state.js";
import { t } from "./texts.js";

const pointers = new Map();
let gesture = null; // "split" | "pan" | "paint" | "pinch"

function pointerAt(event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function pointerDown(event) {
  if (event.button !== 0 || event.target.closest("#progress") || state.busy) return;
  const [x, y] = pointerAt(event);
  pointers.set(event.pointerId, [x, y]);
  stage.setPointerCapture(event.pointerId);
  if (pointers.size === 2) {
    // The second finger shows that the first did not mean to paint.
    if (gesture === "paint") state.strokes.pop();
    gesture = "pinch";
  } else if (state.mode === "hole") {
    gesture = "paint";
    moveCursor(x, y);
    beginStroke(toPhoto(x, y));
  } else if (event.target.closest("#split")) gesture = "split";
  else if (state.zoom > 1) gesture = "pan";
  else if (state.result) {
    gesture = "split";
    splitAt(x);
  }
}

function pointerMove(event) {
  const [x, y] = pointerAt(event), last = pointers.get(event.pointerId);
  if (state.mode === "hole" && event.pointerType !== "touch") {
    moveCursor(x, y);
    placeBrush(true);
  }
  if (!last) return;
  if (gesture === "pinch") {
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
      const now = Math.hypot(x - other[0], y - other[1]);
      zoomBy(now / Math.max(before, 1), (x + other[0]) / 2, (y + other[1]) / 2);
      panBy((x - last[0]) / 2, (y - last[1]) / 2);
    }
  } else if (gesture === "paint") {
    for (const each of event.getCoalescedEvents?.() ?? [event]) strokeTo(toPhoto(...pointerAt(each)));
  } else if (gesture === "pan") panBy(x - last[0], y - last[1]);
  else if (gesture === "split") splitAt(x);
  pointers.set(event.pointerId, [x, y]);
}

function pointerUp(event) {
  if (!pointers.delete(event.pointerId)) return;
  if (event.type === "pointercancel" && gesture === "paint") state.strokes.pop();
  if (!pointers.size) gesture = null;
  refresh();
}

function moveCursor(x, y) {
  const [px, py] = toPhoto(x, y);
  state.cursor = [px / state.width, py / state.height];
}

function wheel(event) {
  if (!state.width || (!event.ctrlKey && !event.metaKey && state.zoom === 1)) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) zoomBy(Math.exp(-event.deltaY / 200), ...pointerAt(event));
  else panBy(-event.deltaX, -event.deltaY);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function stageKey(event) {
  if (event.target !== stage || event.altKey || event.ctrlKey || event.metaKey || !state.width) return;
  const arrow = ARROWS[event.key];
  if (event.key === "+" || event.key === "=") zoomBy(1.5);
  else if (event.key === "-") zoomBy(1 / 1.5);
  else if (event.key === "0") zoomBy(0);
  else if (state.mode === "hole" && !state.busy) {
    if (arrow) moveByKey(arrow, event.shiftKey);
    else if (event.key === " ") {
      state.lowered = !state.lowered;
      if (state.lowered) beginStroke(cursorPoint());
      say(t(state.lowered ? "lowered" : "lifted"));
      refresh();
    } else if (event.key === "Escape") state.lowered = false;
    else if (event.key === "e" || event.key === "E") {
      setTool(state.tool === "add" ? "erase" : "add");
      state.lowered = false;
      say(t(state.tool === "add" ? "adding" : "erasing"));
    } else if (event.key === "[" || event.key === "]") {
      setBrush(event.key === "[" ? Math.min(state.brush - 1, state.brush / 1.25) : Math.max(state.brush + 1, state.brush * 1.25));
      say(t("sizeValue", state.brush));
    } else return;
    placeBrush(true);
  } else if (arrow && state.zoom > 1) panBy(-60 * arrow[0], -60 * arrow[1]);
  else return;
  event.preventDefault();
}

const cursorPoint = () => [state.cursor[0] * state.width, state.cursor[1] * state.height];

/** Move the brush by a third of its width (with Shift three times as far), painting where it is down. */
function moveByKey([dx, dy], far) {
  const step = Math.max(1, state.brush / 3) * (far ? 3 : 1);
  const within = (value) => Math.min(1, Math.max(0, value));
  state.cursor = [within(state.cursor[0] + (dx * step) / state.width), within(state.cursor[1] + (dy * step) / state.height)];
  if (state.lowered) strokeTo(cursorPoint());
  const { left, top, width, height, stageWidth, stageHeight } = layout();
  const x = left + state.cursor[0] * width, y = top + state.cursor[1] * height;
  if (x < 0 || y < 0 || x > stageWidth || y > stageHeight) {
    state.centre = [...state.cursor];
    settle();
  }
  clearTimeout(moveByKey.speaks);
  moveByKey.speaks = setTimeout(() => {
    const view = $("hole-view");
    const at = [state.cursor[0] * (view.width - 1), state.cursor[1] * (view.height - 1)].map(Math.round);
    const inside = view.getContext("2d").getImageData(...at, 1, 1).data[3] > 127;
    say(t("cursor", Math.round(state.cursor[0] * 100), Math.round(state.cursor[1] * 100), t(inside ? "inside" : "outside")));
  }, 350);
}

/** Listen to the stage. */
export function listen() {
  const on = (kind, action, options) => stage.addEventListener(kind, action, options);
  on("pointerdown", pointerDown);
  on("pointermove", pointerMove);
  on("pointerup", pointerUp);
  on("pointercancel", pointerUp);
  on("pointerleave", () => gesture || document.activeElement === stage || placeBrush(false));
  on("wheel", wheel, { passive: false });
  on("dblclick", (event) => {
    if (state.mode === "compare") zoomBy(state.zoom > 1 ? 0 : 3, ...pointerAt(event));
  });
  on("keydown", stageKey);
  on("focus", () => placeBrush(stage.matches(":focus-visible")));
  on("blur", () => {
    state.lowered = false;
    placeBrush(false);
  });
}
