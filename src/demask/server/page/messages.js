/** What the page says while it works, when it is done and when something is wrong. */

import { $, state } from "./state.js";
import { t } from "./texts.js";

/** What went wrong, in the words of the page: `key` is one of the error texts. */
export class Problem extends Error {
  constructor(key, { code = "", detail = "", request = "", limits = {} } = {}) {
    super(key);
    Object.assign(this, { key, code, detail, request, limits });
  }
}

/** Show what is going on; without `part` nobody knows how long it takes. */
export function progress(words, part) {
  state.progress = words;
  $("progress").hidden = !words;
  if (!words) return;
  $("progress-text").textContent = words();
  if (part === undefined) $("progress-bar").removeAttribute("value");
  else $("progress-bar").value = part;
}

export function showProblem(problem, again) {
  state.problem = problem;
  if (again !== undefined) problem.again = again;
  const [title, text] = t(problem.key);
  $("problem-title").textContent = title;
  const { max_megapixels: mostPixels, max_body_bytes: mostBytes } = problem.limits;
  const limit = mostPixels ? t("mostPixels", mostPixels) : mostBytes ? t("mostBytes", Math.floor(mostBytes / 1e6)) : "";
  const how = problem.key === "errorAddress" ? "demask serve --allow-host " + location.hostname : limit;
  $("problem-text").textContent = `${text} ${how}`;
  $("problem-request").textContent = problem.request ? t("request", problem.request) : "";
  // What the server says is English, and for whoever knows the server.
  $("problem-more").hidden = !problem.detail;
  $("problem-detail").textContent = problem.detail ?? "";
  $("retry").hidden = !problem.again;
  if ($("problem").hidden) {
    $("problem").hidden = false;
    $("problem").scrollIntoView({ block: "nearest" });
  }
}

export function closeProblem() {
  state.problem = null;
  $("problem").hidden = true;
}

export function showWords() {
  const [headline, subline] = state.words?.() ?? ["", ""];
  $("headline").textContent = headline;
  $("subline").textContent = subline;
  document.title = headline ? `${headline} · demask` : "demask";
  if (state.progress) $("progress-text").textContent = state.progress();
}
