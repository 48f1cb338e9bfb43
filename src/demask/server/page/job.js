/** Opening a photo, finding its faces, restoring them. */

import { cancelled } from "./api.js";
import { setBrush } from "./brush.js";
import { chosen, engine } from "./engines.js";
import { foundAlpha, holeIn } from "./hole.js";
import { Problem, closeProblem, progress, showProblem, showWords } from "./messages.js";
import { holePng } from "./png.js";
import { setMode } from "./stage.js";
import { $, FRESH, choices, corrections, refresh, say, state } from "./state.js";
import { t } from "./texts.js";

export const TYPES = /^image\/(jpeg|png|webp|avif|heic|heif)$/;

/** Problems of files that are no photo, or only half of one. */
const NO_PHOTO = ["errorBroken", "errorType", "errorLargeHere"];

/** Take a photo from wherever it came, and do the whole job on it. */
export async function open(file) {
  closeProblem();
  // A type that the browser does not know is left to the server to judge.
  if (file.type && !TYPES.test(file.type)) return showProblem(new Problem("errorType"), () => $("file").click());
  for (const url of [state.url, state.result?.url]) if (url) URL.revokeObjectURL(url);
  state.found?.close();
  engine().forget();
  state.busy?.abort();
  state.busy = new AbortController();
  Object.assign(state, FRESH, { file, url: URL.createObjectURL(file), strokes: [], undone: [], words: () => [t("opening"), ""] });
  $("start").hidden = true;
  $("work").hidden = false;
  scrollTo(0, 0);
  $("work").setAttribute("aria-busy", "true");
  $("after").removeAttribute("src");
  setMode("compare");
  showWords();
  $("headline").focus();
  const before = $("before");
  before.src = state.url;
  await before.decode().then(
    () => Object.assign(state, { width: before.naturalWidth, height: before.naturalHeight, displayable: true }),
    () => Object.assign(state, { width: 4, height: 3, displayable: false }),
  );
  if (state.file !== file) return;
  refresh();
  await job(find);
}

/** Run one task with a cancel button and one place for what goes wrong. */
export async function job(task) {
  state.busy?.abort();
  const control = new AbortController();
  state.busy = control;
  state.again = null;
  closeProblem();
  refresh();
  try {
    await task(control.signal);
  } catch (error) {
    if (state.busy !== control) return;
    if (error.name === "AbortError") {
      state.words = () => [t("cancelledTitle"), t("cancelledText")];
      state.again = () => job(task);
      say(t("cancelledTitle"));
    } else {
      showProblem(error instanceof Problem ? error : new Problem("errorPage", { detail: String(error) }), () => job(task));
      if (!state.looked) state.words = () => [state.file.name, ""];
      if (!state.looked && (!state.displayable || NO_PHOTO.includes(error.key))) showStart();
    }
  } finally {
    if (state.busy === control) {
      state.busy = null;
      progress(null);
      showWords();
      refresh();
    }
  }
}

/** A photo that can be neither read nor shown is no work. */
function showStart() {
  $("work").hidden = true;
  $("start").hidden = false;
}

async function find(signal) {
  progress(() => t("finding"));
  await chosen;
  const answer = await engine().find(state.file, { signal });
  if (signal.aborted) throw cancelled();
  Object.assign(state, {
    width: answer.width, height: answer.height, found: answer.hole, looked: true,
    faces: answer.faces.map((face) => ({ ...face, on: face.covered === true })),
  });
  foundAlpha.whole = null;
  const sizes = state.faces.map(({ box: [x0, , x1] }) => x1 - x0);
  setBrush(Math.max(4, (sizes.length ? Math.max(...sizes) : state.width / 4) / 8));
  const covered = state.faces.filter((face) => face.covered).length;
  const notShown = () => (state.displayable ? "" : ` ${t("notShown")}`);
  if (!state.faces.length) {
    state.words = () => [t("noFace"), t("noFaceText") + notShown()];
  } else if (!covered) state.words = () => [t("noCovering"), t("noCoveringText", state.faces.length) + notShown()];
  else state.words = () => [t("lookedAt", state.faces.length), state.file.name + notShown()];
  showWords();
  if (covered) await restore(signal);
  else if (!state.faces.length && state.displayable) setMode("hole"); // Nobody but the person knows where.
  if (!covered) say($("headline").textContent + " " + $("subline").textContent);
}

export async function restore(signal) {
  const edited = corrections().length > 0;
  const on = state.faces.filter((face) => face.on);
  // A hole that was corrected counts as it is: a face whose hole is all erased is left alone.
  const chosen = on.filter((face) => (edited ? holeIn(face.box) : face.covered));
  const painted = edited && holeIn([0, 0, state.width, state.height]);
  if (!chosen.length && !painted) {
    if (on.length || edited) throw new Problem("errorHoleAway");
    return showAsItWas();
  }
  const applied = choices();
  const order = { faces: chosen.map((face) => face.index), hole: edited ? holePng : null, sample: 0 };
  const answer = await engine().remove(order, { signal, words: () => t("drawing", Math.max(1, chosen.length)) });
  if (signal.aborted) throw cancelled();
  if (state.result) URL.revokeObjectURL(state.result.url);
  const done = answer.faces.filter((face) => face.status === "restored").length;
  const left = answer.faces.length - done;
  state.result = { url: URL.createObjectURL(answer.photo), name: saveName(answer.photo.type), bytes: answer.photo.size, applied };
  $("after").src = state.result.url;
  await $("after").decode().catch(() => {}); // Undisplayable kinds can still be downloaded.
  const about = () => `${state.file.name}, ${state.width}\u00a0×\u00a0${state.height}`;
  state.words = () => [t("restored", done), left ? t("leftAsTheyAre", left) : about()];
  setMode("compare");
  const lost = document.activeElement;
  if (!lost || lost === document.body || lost.closest("[hidden]")) $("headline").focus();
  say(t("restoredSpoken", done));
}

/** Nothing is to be drawn any more: no result is left that could be taken for one. */
function showAsItWas() {
  if (state.result) URL.revokeObjectURL(state.result.url);
  state.result = null;
  $("after").removeAttribute("src");
  state.words = () => [t("allOff"), t("allOffText")];
  setMode("compare");
  say(t("allOff"));
}

/** stem-demasked.suffix; the suffix follows the picture's kind where the name tells another or none. */
function saveName(mediaType) {
  const kinds = {
    "image/jpeg": ["jpg", "jpeg", "jpe", "jfif"], "image/png": ["png"], "image/webp": ["webp"],
    "image/avif": ["avif"], "image/heic": ["heic", "heif"], "image/heif": ["heif", "heic"], "image/tiff": ["tif", "tiff"],
  };
  const [, stem, suffix] = /^(.*?)(?:\.([^.]*))?$/s.exec(state.file.name);
  const fitting = kinds[mediaType] ?? [mediaType.split("/")[1] ?? "img"];
  return `${stem || "photo"}-demasked.${fitting.includes(suffix?.toLowerCase()) ? suffix : fitting[0]}`;
}
