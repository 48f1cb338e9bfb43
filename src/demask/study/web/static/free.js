// A block whose trials are open all at once: choose, answer, come back, change, close.

import { announce, el, fill } from "./dom.js";
import { runTrial } from "./trial.js";

/** Show the pictures of a block until it is closed; what is answered is kept at once. */
export async function runFree({ trials, block, words, pictures, screen, width, who, drafts, wire, onCount }) {
  const said = new Map(trials.filter((trial) => trial.position in drafts).map((trial) => [trial.position, drafts[trial.position]]));
  for (;;) {
    onCount(said.size);
    const chosen = await overview({ trials, block, words, pictures, screen, said });
    if (!chosen) break;
    const back = el("button", { type: "button", class: "quiet" }, words.back_to_all);
    const answer = await runTrial({ trial: chosen, block, words, pictures, screen, width, who, back, before: said.get(chosen.position) });
    if (!answer) continue;
    await wire.post("v1/drafts", { position: chosen.position, ...answer });
    said.set(chosen.position, answer.value);
  }
  await wire.post("v1/close", { block: trials[0].block });
}

function label(block, value) {
  return block.answers.find((answer) => answer.value === value)?.label ?? value;
}

function overview({ trials, block, words, pictures, screen, said }) {
  return new Promise((resolve, reject) => {
    const tiles = trials.map((trial, place) => {
      const open = fill(words.open_picture, { number: place + 1 });
      const value = said.get(trial.position);
      const state = value === undefined ? words.not_answered : label(block, value);
      const tile = el("button", { type: "button", class: value === undefined ? "tile" : "tile said", "aria-label": `${open}: ${state}`,
        "data-open": trial.position, click: () => resolve(trial) }, el("span", { class: "state" }, state));
      Promise.all(trial.pictures.map((name) => pictures.ready(name))).then((found) => tile.prepend(...found.map((image) => thumb(image))), reject);
      return tile;
    });
    const left = trials.length - said.size;
    const close = el("button", { type: "button", class: "main close-part", disabled: left > 0, click: () => resolve(null) }, words.close_part);
    screen.replaceChildren(el("section", { class: "page overview" }, el("h1", {}, block.prompt), el("p", {}, words.all_pictures_text),
      el("div", { class: "tiles" }, ...tiles), left ? el("p", { class: "small" }, fill(words.close_part_left, { left })) : "", el("p", {}, close)));
    announce(words.all_pictures);
    scrollTo(0, 0);
    (left ? screen.querySelector(".tile:not(.said)") : close).focus();
  });
}

function thumb(image) {
  const canvas = el("canvas", { width: 96, height: Math.round((96 * image.naturalHeight) / image.naturalWidth), "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
