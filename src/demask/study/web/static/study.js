// A participant's way through the study, from consent to the end, from wherever they stopped.

import { fill, sleep } from "./dom.js";
import { SeenBefore } from "./exposure.js";
import { Pictures } from "./pictures.js";
import { ask, confirmWithdrawal, end, feedback, page } from "./screens.js";
import { runTrial } from "./trial.js";
import { Refused, Wire } from "./wire.js";

const BETWEEN_TRIALS_MS = 250; // Empty, so that the second half of a double tap meets nothing.
const ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"; // As study/codes.py.
const PENDING = "demask-study-pending"; // A code drawn here that the server may not know yet.

const { purpose, enrolment } = document.body.dataset;
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

/** Ask for consent; resolves with the session. */
function consent(code) {
  reveal("consent");
  for (const link of document.querySelectorAll("a[data-lang]")) link.hash = location.hash;
  return new Promise((resolve, reject) => {
    at("agree").addEventListener("click", async () => {
      at("agree").disabled = true;
      const own = code || sessionStorage.getItem(PENDING) || drawCode();
      if (!code) sessionStorage.setItem(PENDING, own);
      const wire = new Wire(own, onTrouble);
      try {
        const session = await wire.post("v1/consent", { language: document.documentElement.lang });
        sessionStorage.removeItem(PENDING);
        history.replaceState(null, "", `#${own}`);
        resolve([own, wire, session]);
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function start() {
  const code = location.hash.slice(1);
  let wire = new Wire(code, onTrouble);
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
  if (!session.finished) {
    await runTrials(code, wire, session);
    SeenBefore.forget();
    const open = session.questions.filter((question) => !session.replied.includes(question.name));
    if (open.length) {
      for (const [question, value] of await ask(open, words)) await wire.post("v1/replies", { question, value });
    }
    await wire.post("v1/finish");
  }
  count(session.trials.length, session.trials.length, words);
  end(code, words);
}

async function runTrials(code, wire, session) {
  const { words, trials, blocks } = session;
  const answered = new Set(session.answered);
  const names = Object.keys(blocks);
  const left = trials.filter((trial) => !answered.has(trial.position));
  const pictures = new Pictures(wire);
  let before = null;
  for (const [place, trial] of left.entries()) {
    const block = blocks[trial.block];
    pictures.prepare(left.slice(place));
    count(trials.length - left.length + place, trials.length, words);
    const pause = trial.pause && before ? [words.pause_text] : [];
    if (before?.block !== trial.block) {
      const part = { part: names.indexOf(trial.block) + 1, parts: names.length };
      await introduce(trial, block, part, pause, words);
    } else if (pause.length) {
      await page(words.pause, pause, words.continue);
    } else if (before.role === "practice" && trial.role !== "practice") {
      await page(words.practice_over, [words.practice_over_text], words.start);
    }
    const answer = await runTrial({ trial, block, words, pictures, screen: at("screen"), who: code.slice(0, 3) });
    const empty = sleep(BETWEEN_TRIALS_MS);
    await wire.post("v1/answers", { position: trial.position, ...answer });
    if (trial.role === "practice") await feedback(trial, block, answer.value, words);
    document.querySelector(".trial")?.classList.add("over");
    await empty;
    before = trial;
  }
}

function introduce(trial, block, part, pause, words) {
  const paragraphs = [block.prompt];
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
  if (error instanceof Refused && error.status === 404) return reveal("unknown");
  if (error instanceof Refused && error.kind === "study_full") return reveal("full");
  at("broken-why").textContent = String(error.message ?? error);
  return reveal("broken");
}

// A link with another code, pasted into this very tab, is another session.
if (purpose === "study") addEventListener("hashchange", () => location.reload());
addEventListener("unhandledrejection", (event) => onFailure(event.reason));
if (purpose === "withdraw") withdrawByCode();
else start().catch(onFailure);
