/**
 * What the page knows; nothing here shows anything.
 *
 * Coordinates are pixels of the upright photo unless a name says otherwise. A `hole` is what is filled.
 */

export const $ = (id) => document.getElementById(id);

/** Storage may be forbidden; the page works without it. */
export function stored(storage, name, value) {
  try {
    if (value !== undefined) storage.setItem(name, value);
    return storage.getItem(name);
  } catch {
    return value ?? null;
  }
}

export const canvas = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

/** Tell a screen reader; the empty moment makes it read the same words twice. */
export function say(text) {
  $("live").textContent = "";
  setTimeout(() => ($("live").textContent = text), 60);
}

export const FRESH = {
  file: null, // what was given, a File
  url: "", // its object URL
  width: 0, height: 0, // of the upright photo
  displayable: false, // whether this browser can show it
  looked: false, // whether its faces were looked for
  faces: [], // as the API tells them, and `on`
  found: null, // ImageBitmap of the hole as found, white = fill; null where none was
  strokes: [], undone: [], // corrections: {kind: "add" | "erase", size, points} or {kind: "reset"}
  result: null, // {url, name, bytes, applied}: the last restored photo, and the choices it shows
  words: null, // () => [headline, subline]
  problem: null,
  again: null, // what was cancelled, to be started again
  mode: "compare", // or "hole"
  split: 0, // where the line is; left of it is the photo before
  holding: false, // whether the whole photo before is shown
  zoom: 1, centre: [0.5, 0.5], // of the view, in parts of the photo
  lit: -1, // index of the face pointed at in the list
};
export const state = { ...FRESH, busy: null, tool: "add", cursor: [0.5, 0.5], lowered: false, waiting: [] };

/** What a run depends on besides the photo; compared to tell whether the picture is stale. */
export const choices = () => JSON.stringify([state.faces.map((face) => face.on), corrections()]);

/** Strokes since the hole was last put back to as found. */
export const corrections = () => state.strokes.slice(state.strokes.findLastIndex((stroke) => stroke.kind === "reset") + 1);

let show = () => {};

/** Name what shows the state. */
export const onChange = (action) => (show = action);

/** Show everything anew. */
export const refresh = () => show();
