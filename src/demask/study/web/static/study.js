// A participant's way through the study, from consent to the end, from wherever they stopped.

import { el, fill, sleep } from "./dom.js";
import { SeenBefore } from "./exposure.js";
import { runFree } from "./free.js";
import { runScreen } from "./mushra.js";
import { Pictures } from "./pictures.js";
import { lookAtScreen } from "./screen.js";
import { ask, confirmWithdrawal, end, feedback, page, sentAway, written } from "./screens.js";
import { runTrial } from "./trial.js";
import { Refused, Wire } from "./wire.js";

const BETWEEN_TRIALS_MS = 250; // Empty, so that the second half of a double tap meets nothing.
const ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"; // As study/codes.py.
const PENDING = "demask-study-pending"; // A code drawn here that the server may not know yet.

const RECRUITED = "demask-study-recruited-"; // The code of somebody whom a service sent, by the service's code.
// What a recruiting service puts into its links.
const SERVICES = { prolific: ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID"], mturk: ["workerId", "hitId", "assignmentId"] };
const REASONS = { study_full: "full", study_paused: "paused", study_closed: "over", already_joined: "joined", timed_out: "late" };

const { purpose, enrolment, service } = document.body.dataset;
const at = (id) => document.getElementById(id);

/** Show one of the sections that came with the page. */
function reveal(id) {
  at("loading")?.remove();
  for (const section of document.querySelectorAll("#screen > section")) section.hidden = section.id !== id;
}

function onTrouble(lost) {
  const box = at("trouble");
  if (lost) box.textContent = at("offline").content.textContent;
  box.hidden = !lost;
}

function drawCode() {
  const drawn = [];
  while (drawn.length < 16) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < 248) drawn.push(ALPHABET[byte % 31]); // 248 = 8 * 31: every character equally often.
  }
  return drawn.join("");
}

/** Who somebody is to the service that sent them; null for everybody else. */
function recruited() {
  const asked = new URLSearchParams(location.search);
  const [person, study, session] = (SERVICES[service] ?? []).map((name) => asked.get(name) ?? "");
  return person ? { person, study, session } : null;
}

/** Ask for consent; resolves with the session. */
function consent(code) {
  reveal("consent");
  const recruit = recruited();
  at("recruited").hidden = !recruit;
  for (const link of document.querySelectorAll("a[data-lang]")) {
    link.hash = location.hash;
    const asked = new URLSearchParams(location.search);
    asked.set("lang", link.dataset.lang);
    link.search = asked;
  }
  return new Promise((resolve, reject) => {
    at("agree").addEventListener("click", async () => {
      at("agree").disabled = true;
      const own = code || sessionStorage.getItem(PENDING) || drawCode();
      if (!code) sessionStorage.setItem(PENDING, own);
      const wire = new Wire(own, onTrouble);
      try {
        const session = await wire.post("v1/consent", { language: document.documentElement.lang, ...(recruit ? { recruit } : {}) });
        sessionStorage.removeItem(PENDING);
        if (recruit) localStorage.setItem(RECRUITED + recruit.person, own);
        history.replaceState(null, "", `#${own}`);
        resolve([own, wire, session]);
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function start() {
  // Who comes again by the service's link goes on where they stopped.
  const code = location.hash.slice(1) || localStorage.getItem(RECRUITED + (recruited()?.person ?? "")) || "";
  const wire = new Wire(code, onTrouble);
  if (!code) return enrolment === "open" ? run(...(await consent(""))) : reveal("closed");
  const session = await wire.get("v1/session");
  return session.consented ? run(code, wire, session) : run(...(await consent(code)));
}

async function run(code, wire, session) {
  const { words } = session;
  document.documentElement.lang = session.language;
  at("offline").content.textContent = words.offline;
  at("leave").textContent = words.withdraw;
  at("leave").onclick = async () => (await confirmWithdrawal(words)) && withdraw(wire);
  at("bar").hidden = false;
  if (session.status === "timed_out") return onFailure(new Refused(410, { code: "timed_out", message: "" }));
  if (!session.finished && session.status === "active") session = await takePart(code, wire, session);
  if (session.status === "screened") return leaveAway(session);
  count(stepsOf(session), stepsOf(session), words);
  return end(code, session);
}

function leaveAway(session) {
  at("bar").hidden = true;
  sentAway(session);
}

/** Everything from the questions at the start to the last; resolves with the session as it then is. */
async function takePart(code, wire, session) {
  const { words } = session;
  const open = (when) => session.questions.filter((question) => question.at === when && !session.replied.includes(question.name));
  if (open("start").length) {
    count(0, stepsOf(session), words);
    for (const [question, value] of await ask(open("start"), words, { required: true })) {
      const { status } = await wire.post("v1/replies", { question, value });
      if (status === "screened") return wire.get("v1/session");
    }
    session = await wire.get("v1/session"); // Blocks may hang on what was replied.
    count(1, stepsOf(session), words);
  }
  if (session.answered.length < session.trials.length) {
    if (session.instructions.length && !session.answered.length) await page(words.how_it_works, written(session.instructions), words.continue);
    const { width } = await lookAtScreen(session.display, words, wire);
    await runTrials(code, wire, session, width);
  }
  SeenBefore.forget();
  const last = open("end");
  if (last.length) {
    count(stepsOf(session) - 1, stepsOf(session), words);
    for (const [question, value] of await ask(last, words)) await wire.post("v1/replies", { question, value });
  }
  return wire.post("v1/finish");
}

/** Trials and pages of questions: what the bar counts. */
function stepsOf(session) {
  const pages = new Set(session.questions.map((question) => question.at));
  return session.trials.length + pages.size;
}

/** Trials that are shown together make one step; so do all trials of a block of free order. */
function stepsIn(trials, blocks) {
  const steps = [];
  for (const trial of trials) {
    const last = steps.at(-1)?.[0];
    const together = last?.block === trial.block && (blocks[trial.block].free || (trial.screen >= 0 && last.screen === trial.screen));
    if (together) steps.at(-1).push(trial);
    else steps.push([trial]);
  }
  return steps;
}

async function runTrials(code, wire, session, width) {
  const { words, trials, blocks } = session;
  const answered = new Set(session.answered);
  const names = Object.keys(blocks);
  const steps = stepsIn(trials.filter((trial) => !answered.has(trial.position)), blocks);
  const pictures = new Pictures(wire);
  const asked = session.questions.some((question) => question.at === "start") ? 1 : 0;
  let done = asked + session.answered.length;
  let before = null;
  for (const [place, step] of steps.entries()) {
    const [trial] = step;
    const block = blocks[trial.block];
    const given = { trial, trials: step, block, words, pictures, screen: at("screen"), width, who: code.slice(0, 3) };
    pictures.prepare(steps.slice(place));
    count(done, stepsOf(session), words);
    const pause = trial.pause && before ? [words.pause_text] : [];
    if (before?.block !== trial.block) {
      const part = { part: names.indexOf(trial.block) + 1, parts: names.length };
      await introduce(trial, block, part, pause, words, pictures);
    } else if (pause.length) {
      await page(words.pause, pause, words.continue);
    } else if (before.role === "practice" && trial.role !== "practice") {
      await page(words.practice_over, [words.practice_over_text], words.start);
    }
    if (block.free) {
      const onCount = (number) => count(done + number, stepsOf(session), words);
      await runFree({ ...given, drafts: session.drafts, wire, onCount });
    } else {
      const answers = trial.screen >= 0 ? await runScreen(given) : [{ position: trial.position, ...(await runTrial(given)) }];
      const empty = sleep(BETWEEN_TRIALS_MS);
      if (answers.length > 1) await wire.post("v1/screen", { answers });
      else await wire.post("v1/answers", answers[0]);
      if (trial.role === "practice") await feedback(trial, block, answers[0].value, words);
      document.querySelector(".trial")?.classList.add("over");
      await empty;
    }
    done += step.length;
    before = trial;
  }
}

async function introduce(trial, block, part, pause, words, pictures) {
  const paragraphs = [block.prompt, ...written(block.instructions)];
  if (block.examples.length) {
    const figures = await Promise.all(block.examples.map(async ({ picture, caption }) => {
      const image = await pictures.fetch(picture);
      image.alt = caption;
      return el("figure", {}, image, el("figcaption", { "aria-hidden": "true" }, caption));
    }));
    paragraphs.push(el("h2", {}, words.examples), el("div", { class: "examples" }, ...figures));
  }
  if (block.exposure_ms) paragraphs.push(fill(words.timed, { seconds: block.exposure_ms / 1000 }));
  if (trial.role === "practice") paragraphs.push(words.practice);
  return page(fill(words.part, part), [...paragraphs, ...pause], words.start);
}

function count(done, all, words) {
  Object.assign(at("progress"), { value: done, max: all });
  at("count").textContent = fill(words.done_of, { done, all });
}

async function withdraw(wire) {
  try {
    await wire.post("v1/withdraw");
  } catch (error) {
    // A first reply may have been lost: what is unknown is deleted.
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
  SeenBefore.forget();
  if (recruited()) localStorage.removeItem(RECRUITED + recruited().person);
  // A fresh page, so that nothing of the session goes on in this one.
  location.replace("withdraw#done");
}

function withdrawByCode() {
  if (location.hash === "#done") return reveal("withdrawn");
  reveal("withdraw");
  document.querySelector("#withdraw form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const code = at("code").value.trim().toLowerCase();
    try {
      await new Wire(code, onTrouble).post("v1/withdraw");
      reveal("withdrawn");
    } catch (error) {
      onFailure(error);
    }
  });
  return undefined;
}

const kept = [...document.querySelectorAll("#screen > section")];

function onFailure(error) {
  at("screen").replaceChildren(...kept);
  at("bar").hidden = true;
  if (error instanceof Refused && error.status === 404) {
    if (recruited()) localStorage.removeItem(RECRUITED + recruited().person);
    return reveal("unknown");
  }
  if (error instanceof Refused && REASONS[error.kind]) return reveal(REASONS[error.kind]);
  at("broken-why").textContent = String(error.message ?? error);
  return reveal("broken");
}

// A link with another code, pasted into this very tab, is another session.
if (purpose === "study") addEventListener("hashchange", () => location.reload());
addEventListener("unhandledrejection", (event) => onFailure(event.reason));
if (purpose === "withdraw") withdrawByCode();
else start().catch(onFailure);
