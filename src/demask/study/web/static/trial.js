// One trial: its pictures, its question, the answer and the times.

import { Buttons, Slider } from "./answers.js";
import { announce, el, fill, sleep } from "./dom.js";
import { SeenBefore, expose, show } from "./exposure.js";

const CROSS_MS = 500; // The cross before pictures that do not stay.
const BETWEEN_MS = 250; // An empty stage between two pictures shown in turn.

/**
 * Show a trial and wait for its answer.
 *
 * @param {object} given
 * @param {number?} given.width Planned width of each picture in pixels of the page; null = its own.
 * @param {HTMLElement?} given.back A button that leaves the trial without an answer.
 * @param {string?} given.before What was answered before, where answers may be changed.
 * @returns {Promise<{value: string, reaction_ms: number, first_ms: number?, second_ms: number?} | null>}
 */
export async function runTrial({ trial, block, words, pictures, screen, width, who, back, before }) {
  const question = trial.prompt ?? block.prompt;
  const answers = block.slider ? new Slider(block, words) : new Buttons(block, words);
  const stage = el("div", { class: `stage${trial.pictures.length ? "" : " empty"}` });
  const hint = el("p", { class: "hint" }, block.clickable ? `${answers.hint} ${words.hint_click}` : answers.hint);
  const section = el("section", { class: "trial", "data-position": trial.position, "data-block": trial.block, "data-role": trial.role },
    trial.role === "practice" ? el("p", { class: "tag" }, words.practice_trial) : "",
    el("h1", {}, question),
    stage, answers.whole, hint, back ? el("p", { class: "back" }, back) : "");

  // Everything is fetched and decoded, and in the page though invisible, before the first picture is shown.
  const images = await Promise.all(trial.pictures.map((name) => pictures.ready(name)));
  const masked = trial.masked ? await pictures.ready(trial.masked) : null;
  const timed = block.exposure_ms > 0 && images.length > 0;
  const several = images.length > 1;
  const figures = images.map((image, place) => figure(image, several || masked ? fill(words.picture, { number: place + 1 }) : "", several ? place + 1 : ""));
  for (const image of [...images, ...(masked ? [masked] : [])]) image.style.width = width ? `${width}px` : "";
  for (const [place, image] of images.entries()) {
    image.classList.toggle("pick", block.clickable);
    // The buttons say the same to those who cannot point.
    image.onclick = block.clickable ? () => answers.choose(place) : null;
  }
  const groups = block.in_turn ? figures.map((one) => el("div", { class: "group" }, one)) : [el("div", { class: "group" }, ...figures)];
  if (masked) groups[0].prepend(figure(masked, words.with_mask, words.with_mask));
  for (const group of groups) group.style.setProperty("--number", group.children.length);
  stage.append(...groups);
  screen.replaceChildren(section);
  screen.focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(question);

  const onKey = (event) => answers.key(event);
  addEventListener("keydown", onKey);
  try {
    let start;
    let seen = [];
    if (timed) {
      ({ seen, start } = await showInTurn(new SeenBefore(who, trial.position, images.length), block, stage, groups, images.length));
    } else {
      start = images.length ? await show(groups[0]) : performance.now();
    }
    section.classList.add("open");
    if (before !== undefined) answers.was(before);
    const left = new Promise((resolve) => back?.addEventListener("click", () => resolve(null)));
    const value = await Promise.race([answers.open(), left]);
    const reaction_ms = Math.max(0, performance.now() - start);
    const shown_px = images[0]?.getBoundingClientRect().width ?? null;
    answers.close();
    if (value === null) return null;
    const answer = { value, reaction_ms, first_ms: seen[0] ?? null, second_ms: seen[1] ?? null, shown_px };
    if (block.follow_up?.after.includes(value) && trial.role !== "practice") answer.follow_up = await further(block.follow_up, section, answers.whole, words);
    return answer;
  } finally {
    removeEventListener("keydown", onKey);
  }
}

/** Ask one more question about the picture that is there. */
async function further(asked, section, old, words) {
  const choices = asked.choices.map(([value, label]) => ({ value, label }));
  const answers = new Buttons({ answers: choices, ends: [] }, words);
  await sleep(BETWEEN_MS); // The second half of a double tap meets nothing.
  old.replaceWith(answers.whole);
  section.querySelector(".hint").textContent = answers.hint;
  section.querySelector("h1").textContent = asked.text;
  section.classList.add("further");
  announce(asked.text);
  const onKey = (event) => answers.key(event);
  addEventListener("keydown", onKey);
  try {
    return await answers.open();
  } finally {
    answers.close();
    removeEventListener("keydown", onKey);
  }
}

async function showInTurn(before, block, stage, groups, number) {
  const cross = el("div", { class: "cross", "aria-hidden": "true" }, "+");
  stage.append(cross);
  await sleep(CROSS_MS);
  cross.remove();
  let start;
  for (const [place, group] of groups.entries()) {
    if (place) await sleep(BETWEEN_MS);
    // Two pictures side by side are seen for the same time.
    const places = groups.length > 1 ? [place] : [...Array(number).keys()];
    for (const one of places) before.add(one, block.exposure_ms); // Counted even if the page goes away now.
    const { seen, end } = await expose(group, block.exposure_ms);
    for (const one of places) before.add(one, seen - block.exposure_ms);
    start = end;
  }
  return { seen: before.times, start };
}

function figure(image, alternative, caption) {
  image.alt = alternative;
  return el("figure", {}, image, caption === "" ? "" : el("figcaption", {}, String(caption)));
}
