// The study's progress, behind the admin key.

import { el } from "./dom.js";
import { Refused, Wire } from "./wire.js";

const EVERY_MS = 5000;
const at = (id) => document.getElementById(id);
let timer;

const table = (caption, header, rows) =>
  el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell)))))));

const ms = (value) => (value === null ? "–" : `${value.toFixed(1)} ms`);

const DOES = { open: "Open", paused: "Pause", closed: "Close" };
const MEANS = { open: "open: people may join", paused: "paused: nobody new joins, who began goes on", closed: "closed: nobody joins, no answer is taken" };

/** Ask the browser to save a table; the key stays out of every address. */
async function download(wire, name) {
  const blob = await wire.file(`v1/admin/${name}.csv`);
  const link = el("a", { href: URL.createObjectURL(blob), download: `${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function controls(found, wire, again) {
  const set = (state) => async () => {
    await wire.post("v1/admin/state", { state });
    again();
  };
  const states = Object.keys(DOES).map((state) => el("button", { type: "button", disabled: state === found.state, "data-state": state, click: set(state) }, DOES[state]));
  const tables = ["answers", "people", ...(found.service === "none" ? [] : ["recruits"])];
  const files = tables.map((name) => el("button", { type: "button", class: "quiet", "data-table": name, click: () => download(wire, name) }, `${name}.csv`));
  return [el("p", { id: "state" }, `This study is ${MEANS[found.state]}.`), el("div", { class: "row" }, ...states, ...files)];
}

/** Built once, so that what is being typed stays while the figures change. */
function returnedForm(wire, again) {
  const input = el("input", { id: "returned", autocomplete: "off", maxlength: 100, required: true });
  const said = el("span", { role: "status" });
  const send = async (event) => {
    event.preventDefault();
    try {
      const { deleted_answers } = await wire.post("v1/admin/returned", { session: input.value.trim() });
      said.textContent = `deleted, ${deleted_answers} answers`;
      input.value = "";
      again();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      said.textContent = error.message;
    }
  };
  return el("form", { submit: send }, el("label", { class: "field" }, "Submission given back at the service: delete this person and free the place", input),
    el("div", { class: "row" }, el("button", { class: "danger" }, "Delete"), said));
}

let returned;

function draw(found, wire, again) {
  document.title = `${found.title}: progress`;
  const { people } = found;
  const bar = el("progress", { max: people.planned, value: Math.min(people.finished, people.planned), "aria-label": "finished of planned" });
  const facts = Object.keys(people).filter((name) => people[name] || name.length < 10 && !name.includes(" ") && name !== "returned").map((name) =>
    el("div", { class: "fact" }, el("strong", {}, String(people[name])), el("span", {}, name)));
  if (document.activeElement?.closest("#screen form")) return; // Somebody is typing.
  if (found.service !== "none") returned ??= returnedForm(wire, again);
  at("screen").replaceChildren(
    el("h1", {}, found.title), bar, el("div", { class: "facts" }, ...facts), ...controls(found, wire, again),
    found.quotas.length ? table("Quotas", ["question", "reply", "people", "wanted"], found.quotas.map((one) => [one.question, one.reply, String(one.people), String(one.wanted)])) : "",
    table("Participants", ["who", "answers", "failed checks", "finished", "group", "status"],
      found.participants.map((one) => [one.person, `${one.answers} of ${one.trials}`, String(one.failed_checks), one.finished ? "yes" : "no", one.group || "–", one.status])),
    table("Blocks", ["block", "answers", "most per picture", "exposure", "off by (median)", "off by (most)", "width shown"],
      found.blocks.map((one) => [one.block, String(one.answers), String(one.most_per_picture), one.exposure_ms ? `${one.exposure_ms} ms` : "–", ms(one.exposure_off_median_ms), ms(one.exposure_off_most_ms), one.shown_px ? one.shown_px.map(Math.round).join(" to ") + " px" : "–"])),
    returned ?? "",
    el("p", { class: "small" }, `As of ${new Date().toLocaleTimeString()}; new every ${EVERY_MS / 1000} s.`));
}

async function watch(key) {
  const wire = new Wire(key, (lost) => (at("trouble").hidden = !lost));
  try {
    const again = () => {
      clearTimeout(timer);
      watch(key);
    };
    draw(await wire.get("v1/admin/progress"), wire, again);
    clearTimeout(timer);
    timer = setTimeout(watch, EVERY_MS, key);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    ask(error.message);
  }
}

function ask(why) {
  at("why").textContent = why;
  at("form").hidden = false;
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  watch(at("key").value);
});
if (location.hash.length > 1) watch(location.hash.slice(1));
else ask("");
