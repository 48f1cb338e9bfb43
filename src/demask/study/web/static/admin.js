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

function draw(found) {
  document.title = `${found.title}: progress`;
  const { people } = found;
  const bar = el("progress", { max: people.planned, value: Math.min(people.finished, people.planned), "aria-label": "finished of planned" });
  const facts = ["planned", "enrolled", "agreed", "finished", "withdrawn"].map((name) =>
    el("div", { class: "fact" }, el("strong", {}, String(people[name])), el("span", {}, name)));
  at("screen").replaceChildren(
    el("h1", {}, found.title), bar, el("div", { class: "facts" }, ...facts),
    table("Participants", ["who", "answers", "failed checks", "finished"],
      found.participants.map((one) => [one.person, `${one.answers} of ${one.trials}`, String(one.failed_checks), one.finished ? "yes" : "no"])),
    table("Blocks", ["block", "answers", "most per picture", "exposure", "off by (median)", "off by (most)"],
      found.blocks.map((one) => [one.block, String(one.answers), String(one.most_per_picture), one.exposure_ms ? `${one.exposure_ms} ms` : "–", ms(one.exposure_off_median_ms), ms(one.exposure_off_most_ms)])),
    el("p", { class: "small" }, `As of ${new Date().toLocaleTimeString()}; new every ${EVERY_MS / 1000} s.`));
}

async function watch(key) {
  const wire = new Wire(key, (lost) => (at("trouble").hidden = !lost));
  try {
    draw(await wire.get("v1/admin/progress"));
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
