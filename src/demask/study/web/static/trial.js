// One trial: its pictures, its question, the answer and the times.

import { Buttons, Slider } from "./answers.js";
import { announce, el, fill, sleep } from "./dom.js";
import { SeenBefore, expose, show } from "./exposure.js";

const CROSS_MS = 500; // The cross before pictures that do not stay.
const BETWEEN_MS = 250; // An empty stage between two pictures shown in turn.

/**
 * Show a trial and wait for its answer.
 *
 * @returns {Promise<{value: string, reaction_ms: number, first_ms: number?, second_ms: number?}>}
 */
export async function runTrial({ trial, block, words, pictures, screen, who }) {
  const question = trial.prompt ?? block.prompt;
  const answers = block.slider ? new Slider(block, words) : new Buttons(block, words);
  const stage = el("div", { class: `stage${trial.pictures.length ? "" : " empty"}` });
  const hint = el("p", { class: "hint" }, answers.hint);
  const section = el("section", { class: "trial", "data-position": trial.position, "data-block": trial.block, "data-role": trial.role },
    trial.role === "practice" ? el("p", { class: "tag" }, words.practice_trial) : "",
    el("h1", { class: trial.role === "check" ? "check" : "" }, question),
    stage, answers.whole, hint);

  // Everything is fetched and decoded, and in the page though invisible, before the first picture is shown.
  const images = await Promise.all(trial.pictures.map((name) => pictures.ready(name)));
  const masked = trial.masked ? await pictures.ready(trial.masked) : null;
  const timed = block.exposure_ms > 0 && images.length > 0;
  const several = images.length > 1;
  const figures = images.map((image, place) => figure(image, several || masked ? fill(words.picture, { number: place + 1 }) : "", several ? place + 1 : ""));
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
    const value = await answers.open();
    const reaction_ms = Math.max(0, performance.now() - start);
    answers.close();
    return { value, reaction_ms, first_ms: seen[0] ?? null, second_ms: seen[1] ?? null };
  } finally {
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
