/** The engine that sends the photo to the server; see engines.js for what an engine is. */

import { bytesOf, cancelled, forget, post } from "./api.js";
import { t } from "./texts.js";

let photo = null; // The File that was found last.
let kept = ""; // Stands for it while the server keeps it, so that it is sent once.
let told = ""; // Its faces as JSON, as they came.

async function find(file, { signal }) {
  const answer = await post("v1/find?hole=true&keep=true", { photo: file }, signal, () => t("finding"));
  if (signal.aborted) {
    forget(answer.kept);
    throw cancelled();
  }
  forgetPhoto();
  photo = file;
  kept = answer.kept ?? "";
  told = JSON.stringify({ faces: answer.faces });
  const hole = answer.hole ? await createImageBitmap(new Blob([bytesOf(answer.hole)], { type: "image/png" })) : null;
  return { width: answer.width, height: answer.height, faces: answer.faces, hole };
}

async function remove({ faces, hole }, { signal, words }) {
  const fields = { faces: faces.join(",") || "none" };
  if (hole) fields.hole = new File([await hole()], "hole.png", { type: "image/png" });
  const answer = await send(fields, signal, words);
  if (signal.aborted) throw cancelled();
  const { media_type: type, base64 } = answer.photo;
  return { photo: new Blob([bytesOf(base64)], { type }), faces: answer.faces };
}

/** POST to /v1/remove what stands for the photo; only where the server does not keep it, the photo itself. */
async function send(fields, signal, words) {
  const path = "v1/remove?format=json";
  for (let again = false; kept; again = true) {
    try {
      return await post(path, { kept, ...fields }, signal, words);
    } catch (error) {
      if (error.code !== "not_kept" || again) throw error;
      const found = await post("v1/find?keep=true", { photo }, signal, () => t("finding"));
      kept = found.kept ?? "";
    }
  }
  const found = fields.hole ? { found: told } : {};
  return post(path, { photo, ...fields, ...found }, signal, words);
}

/** The server need not keep the photo any more. */
function forgetPhoto() {
  forget(kept);
  kept = "";
}

export const serverEngine = { name: "server", samples: 1, find, remove, forget: forgetPhoto };
