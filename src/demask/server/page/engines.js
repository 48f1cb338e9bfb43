/**
 * What does the work: this server, or this browser. Both answer alike, so the page does not ask which it is.
 *
 * An engine has
 *   name: "server" or "browser";
 *   samples: how many different faces it can draw for one hole;
 *   find(file, {signal}): resolves to {width, height, faces, hole}, with faces as the HTTP API tells them, all in
 *     pixels of the upright photo, and hole an ImageBitmap (white = would be filled) or null. The engine may
 *     keep the photo: what follows speaks of the one that was found last;
 *   remove({faces, hole, sample}, {signal, words}): resolves to {photo, faces}: a Blob and the faces with their
 *     status. `faces` are indices, `hole` makes a Blob of the person's own hole (a PNG) or is null; `words` tells
 *     what to show while it works;
 *   forget(): nothing more will be asked about that photo.
 *
 * What goes wrong is a `Problem`; what was cancelled an AbortError.
 */

import { serverEngine } from "./server_engine.js";

let current = serverEngine;

let settle;

/** Resolves once it is known which engines there are. */
export const chosen = new Promise((resolve) => (settle = resolve));

/** It is known. */
export const engineIsChosen = () => settle();

/** The engine in use. */
export const engine = () => current;

/** Let another engine do the work; the old one forgets its photo. */
export function useEngine(other) {
  if (other === current) return;
  current.forget();
  current = other;
}
