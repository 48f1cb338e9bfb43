/** The faces: their list, and their boxes on the photo. */

import { holeIn } from "./hole.js";
import { $, canvas, state } from "./state.js";
import { language, t } from "./texts.js";

/** Above it a face is called masked or bare without a "probably". */
const SURE = 0.9;

export function showBoxes(always) {
  const parts = state.faces.map(({ box: [x0, y0, x1, y1], on, index }) => {
    const box = document.createElement("i");
    Object.assign(box.style, {
      left: `${(100 * x0) / state.width}%`, top: `${(100 * y0) / state.height}%`,
      width: `${(100 * (x1 - x0)) / state.width}%`, height: `${(100 * (y1 - y0)) / state.height}%`,
    });
    box.dataset.number = index + 1;
    box.classList.toggle("off", !on);
    box.classList.toggle("lit", index === state.lit);
    box.hidden = !(always || index === state.lit || !state.result);
    return box;
  });
  $("boxes").replaceChildren(...parts);
}

export function showFaces() {
  $("faces-card").hidden = !state.faces.length;
  // Rows that stay keep the focus and are not read out again.
  if (showFaces.faces !== state.faces || showFaces.language !== language) listFaces();
  Object.assign(showFaces, { faces: state.faces, language });
  for (const box of document.querySelectorAll("#faces input")) {
    const { on } = state.faces[box.dataset.face];
    Object.assign(box, { checked: on, disabled: Boolean(state.busy) });
    box.parentElement.classList.toggle("off", !on);
    $(`sure-${box.dataset.face}`).textContent = wordsFor(state.faces[box.dataset.face]);
  }
}

function listFaces() {
  const rows = state.faces.map((face) => {
    const row = document.createElement("li"), label = document.createElement("label");
    const picture = thumbnail(face);
    const words = document.createElement("span"), name = document.createElement("b"), sure = document.createElement("span");
    name.textContent = t("face", face.index + 1);
    sure.className = "small";
    sure.id = `sure-${face.index}`;
    words.append(name, sure);
    const box = Object.assign(document.createElement("input"), { type: "checkbox", className: "switch" });
    box.setAttribute("role", "switch");
    box.setAttribute("aria-label", t("faceOn", face.index + 1));
    box.setAttribute("aria-describedby", sure.id);
    box.dataset.face = face.index;
    label.append(picture, words, box);
    row.append(label);
    return row;
  });
  $("faces").replaceChildren(...rows);
}

/** What is known of a face; of one that is switched on and has nothing to fill, what to do. */
function wordsFor(face) {
  if (lacksHole(face)) return t("paintHere");
  const kind = face.covered === true ? "covered" : face.covered === false ? "bare" : "unknown";
  return t(kind, face.confidence >= SURE);
}

/** Whether a face is switched on though neither was a face mask seen on it nor is one painted. */
export const lacksHole = (face) => face.on && face.covered !== true && !holeIn(face.box);

/** A square around the face, cut from the photo as it was given; drawn once per face. */
function thumbnail(face) {
  const side = 112;
  if (!face.picture) {
    face.picture = canvas(side, side);
    face.picture.setAttribute("aria-hidden", "true");
    const [x0, y0, x1, y1] = face.box, reach = 0.62 * Math.max(x1 - x0, y1 - y0);
    if (state.displayable) {
      // The browser's picture and the server's have the same size unless a kind is decoded otherwise.
      const fit = $("before").naturalWidth / state.width;
      const left = ((x0 + x1) / 2 - reach) * fit, top = ((y0 + y1) / 2 - reach) * fit;
      face.picture.getContext("2d").drawImage($("before"), left, top, 2 * reach * fit, 2 * reach * fit, 0, 0, side, side);
    }
  }
  return face.picture;
}

export function light(index) {
  if (state.lit === index) return;
  state.lit = index;
  showBoxes(state.mode === "hole");
}
