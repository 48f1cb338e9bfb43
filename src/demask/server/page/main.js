/**
 * The page: a photo goes to the server, comes back without its face masks, and can be corrected.
 *
 * Here is the way in and what listens to what; state.js holds the state, job.js does the work.
 */

import { brushRange, setTool, showBrushSize } from "./brush.js";
import { chooseEngine, showEngine } from "./engine_choice.js";
import { engine } from "./engines.js";
import { lacksHole, light, showBoxes, showFaces } from "./faces.js";
import { listen } from "./gestures.js";
import { redo, resetHole, showHole, undo } from "./hole.js";
import { TYPES, job, open, restore } from "./job.js";
import { Problem, closeProblem, showProblem, showWords } from "./messages.js";
import { allow, place, setMode, setSplit, stage, zoomBy, zoomPercent } from "./stage.js";
import { $, canvas, choices, corrections, onChange, refresh, say, state, stored } from "./state.js";
import { fileSize, firstLanguage, setCurrent, t } from "./texts.js";
import { turned } from "./turn.js";

/** Show everything anew. */
function show() {
  if (!state.width) return;
  place();
  const edits = state.mode === "hole", done = state.result !== null;
  $("work").setAttribute("aria-busy", String(Boolean(state.busy)));
  stage.setAttribute("aria-label", t(edits ? "stageHole" : "stage"));
  stage.setAttribute("role", edits ? "application" : "group");
  $("stage-help").textContent = t(edits ? "brushHelp" : "stageHelp");
  $("before").alt = t("before");
  $("after").alt = t("after");
  $("tools").hidden = !edits;
  $("work").classList.toggle("paints", edits);
  $("stage-help").classList.toggle("hush", !edits);
  $("bar").hidden = !state.looked || !state.displayable;
  $("frame").hidden = !state.displayable && !state.busy;
  $("before").hidden = !state.displayable;
  $("hole-view").hidden = !edits;
  if (edits) showHole();
  showBoxes(edits);
  showFaces();
  allow("undo", state.strokes.length > 0);
  allow("redo", state.undone.length > 0);
  allow("reset", corrections().length > 0);
  const due = corrections().length > 0 || state.faces.some((face) => face.on && face.covered);
  const stale = state.looked && !state.busy && state.result?.applied !== choices() && (done || due);
  $("stale").hidden = !stale;
  $("run-faces").hidden = !stale || edits;
  $("run-faces").classList.toggle("primary", stale);
  for (const button of document.querySelectorAll(".run")) {
    button.textContent = t(done ? "runAgain" : "runFirst");
    button.disabled = Boolean(state.busy);
  }
  $("resume").hidden = !state.again;
  $("turn").disabled = Boolean(state.busy);
  $("waiting").hidden = !state.waiting.length;
  $("waiting-text").textContent = t("more", state.waiting.length);
  for (const input of document.querySelectorAll("#modes input")) input.disabled = Boolean(state.busy);

  // Where nothing is drawn, nothing is invented.
  $("notice").hidden = !done && !state.busy;
  $("save").hidden = !done;
  showEngine();
  if (done) {
    Object.assign($("download"), { href: state.result.url, download: state.result.name });
    $("save-name").textContent = t("saveName", state.result.name, fileSize(state.result.bytes));
  }
}

function setLanguage(name) {
  setCurrent(name);
  document.documentElement.lang = name;
  $("language").value = name;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel, zoomPercent()));
  }
  showWords();
  showEngine();
  if (state.problem) showProblem(state.problem);
  if (state.file) refresh();
}

// ---------------------------------------------------------------- the way in: drop, paste, choose, camera

/** Take the pictures among dropped, chosen or pasted things: the first now, the others one after the other. */
function take(items) {
  const files = [...(items?.files ?? [])], pictures = files.filter((file) => TYPES.test(file.type));
  if (!files.length) return false;
  const [first, ...others] = pictures.length ? pictures : files.slice(0, 1);
  state.waiting = others;
  open(first);
  return true;
}

/** Turn the photo by a quarter, and look for faces anew. */
async function turnPhoto() {
  const { file } = state;
  const other = await turned(file).catch((error) => showProblem(new Problem("errorPage", { detail: String(error) })));
  if (other && state.file === file) open(other);
}

/** Show the photo before for as long as a button or a key is held down. */
function holdBefore(held) {
  state.holding = held;
  place();
}

/** Phones open their camera through the file field; elsewhere a dialog shows the camera's picture. */
async function takePhoto() {
  if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices?.getUserMedia) return $("shot").click();
  closeProblem();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } });
    $("video").srcObject = stream;
    $("camera").showModal();
  } catch {
    showProblem(new Problem("errorCamera"), takePhoto);
  }
}

function closeCamera() {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
}

function snap() {
  const video = $("video");
  if (!video.videoWidth) return;
  const shot = canvas(video.videoWidth, video.videoHeight);
  shot.getContext("2d").drawImage(video, 0, 0);
  $("camera").close();
  shot.toBlob((blob) => open(new File([blob], "camera.jpg", { type: blob.type })), "image/jpeg", 0.95);
}

// ---------------------------------------------------------------- wiring

const on = (target, kind, action, options) => (typeof target === "string" ? $(target) : target).addEventListener(kind, action, options);

on("language", "change", ({ target }) => setLanguage(stored(localStorage, "demask-language", target.value)));
on("choose", "click", () => $("file").click());
on("again", "click", () => $("file").click());
on("take", "click", takePhoto);
for (const id of ["file", "shot"]) {
  on(id, "change", ({ target }) => {
    take(target);
    target.value = "";
  });
}
on("snap", "click", snap);
on("camera-close", "click", () => $("camera").close());
on("camera", "close", closeCamera);
on("key-form", "submit", (event) => {
  event.preventDefault();
  $("key").close("given");
});
on("key-cancel", "click", () => $("key").close(""));
on("retry", "click", () => {
  const again = state.problem?.again;
  closeProblem();
  again?.();
});
on("dismiss", "click", () => {
  closeProblem();
  (state.file ? $("headline") : $("choose")).focus();
});
on("cancel", "click", () => state.busy?.abort());
on("resume", "click", () => state.again?.());
on("next", "click", () => open(state.waiting.shift()));
on("turn", "click", turnPhoto);
for (const kind of ["pointerdown", "pointerup", "pointercancel", "pointerleave"]) on("hold", kind, () => holdBefore(kind === "pointerdown"));
on("hold", "blur", () => holdBefore(false));
for (const kind of ["keydown", "keyup"]) {
  on("hold", kind, (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    holdBefore(kind === "keydown");
  });
}
on(window, "pagehide", () => engine().forget());

on(document, "paste", (event) => {
  if (take(event.clipboardData)) event.preventDefault();
});
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
on(document, "dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  $("veil").hidden = false;
});
on(document, "dragleave", (event) => {
  if (!event.relatedTarget) $("veil").hidden = true;
});
on(document, "drop", (event) => {
  $("veil").hidden = true;
  if (!carriesFiles(event)) return;
  event.preventDefault();
  take(event.dataTransfer);
});

listen();
on("split", "keydown", (event) => {
  const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  setSplit(state.split + step);
});
on("zoom-in", "click", () => zoomBy(1.5));
on("zoom-out", "click", () => zoomBy(1 / 1.5));
on("zoom-fit", "click", () => zoomBy(0));
on("modes", "change", ({ target }) => setMode(target.value));
for (const input of document.querySelectorAll("input[name=tool]")) on(input, "change", () => setTool(input.value));
on("size", "input", ({ target }) => {
  const [least, most] = brushRange();
  state.brush = Math.round(least * (most / least) ** (target.value / 100));
  showBrushSize();
});
on("undo", "click", undo);
on("redo", "click", redo);
on("reset", "click", resetHole);
for (const button of document.querySelectorAll(".run")) on(button, "click", () => job(restore));
on(document, "keydown", (event) => {
  if (state.mode !== "hole" || state.busy || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  (key === "y" || event.shiftKey ? redo : undo)();
});
on("faces", "change", ({ target }) => {
  const face = state.faces[Number(target.dataset.face)];
  face.on = target.checked;
  if (lacksHole(face)) {
    // To switch it on says that it wears a face mask; only the person can tell where.
    const words = () => t("paintIt", face.index + 1), [headline] = state.words();
    state.words = () => [headline, words()];
    showWords();
    say(words());
    setMode("hole");
  }
  refresh();
});
for (const kind of ["pointerover", "focusin"]) {
  on("faces", kind, ({ target }) => light(Number(target.closest("li")?.querySelector("input").dataset.face ?? -1)));
}
for (const kind of ["pointerleave", "focusout"]) on("faces", kind, () => light(-1));
onChange(show);
new ResizeObserver(refresh).observe(stage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);

setLanguage(firstLanguage());
chooseEngine(showEngine);
