// Several pictures of one face at once, each with a slider, beside the open reference.

import { announce, el, fill } from "./dom.js";
import { show } from "./exposure.js";

/**
 * Show a screen and wait until every picture has its rating.
 *
 * @returns {Promise<object[]>} An answer for each trial of the screen.
 */
export async function runScreen({ trials, block, words, pictures, screen, width }) {
  const reference = await pictures.ready(trials[0].reference);
  const images = await Promise.all(trials.map((trial) => pictures.ready(trial.pictures[0])));
  const answers = trials.map(() => null);
  let start = 0;
  const confirm = el("button", { type: "button", class: "main", disabled: true }, words.confirm);
  const figures = trials.map((trial, place) => {
    const number = place + 1;
    const output = el("output", {}, "–");
    const set = () => {
      answers[place] = { value: range.value, reaction_ms: Math.max(0, performance.now() - start) };
      range.classList.remove("unset");
      range.setAttribute("aria-valuetext", range.value);
      output.textContent = range.value;
      confirm.disabled = answers.includes(null);
    };
    const range = el("input", { type: "range", min: 0, max: 100, step: 1, value: 50, class: "unset", "aria-label": fill(words.rating_of, { number }),
      "aria-valuetext": words.not_set, "data-position": trial.position, input: set, pointerdown: set });
    images[place].alt = fill(words.picture, { number });
    return el("figure", {}, images[place], el("figcaption", {}, el("span", {}, String(number)), output), range);
  });
  reference.alt = words.reference;
  const all = [reference, ...images];
  for (const image of all) image.style.width = width ? `${width}px` : "";
  const group = el("div", { class: "group" }, el("figure", { class: "reference" }, reference, el("figcaption", {}, words.reference)), ...figures);
  if (width) group.style.setProperty("--column", `${width}px`); // A planned size stays, whatever it takes.
  const section = el("section", { class: "trial mushra", "data-position": trials[0].position, "data-block": trials[0].block, "data-role": "main" },
    el("h1", {}, block.prompt), el("p", { class: "hint" }, words.mushra_hint),
    el("div", { class: "ends" }, el("span", {}, `0: ${block.ends[0]}`), el("span", {}, `100: ${block.ends[1]}`)), group, el("p", {}, confirm));
  screen.replaceChildren(section);
  screen.focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(block.prompt);
  start = await show(group);
  section.classList.add("open");
  await new Promise((resolve) => confirm.addEventListener("click", resolve));
  for (const control of section.querySelectorAll("input, button")) control.disabled = true;
  return trials.map((trial, place) => ({ position: trial.position, ...answers[place], shown_px: images[place].getBoundingClientRect().width }));
}
