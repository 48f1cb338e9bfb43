/** Where the work is done: the page asks which engines there are, and lets the person choose. */

import { engine, engineIsChosen, useEngine } from "./engines.js";
import { serverEngine } from "./server_engine.js";
import { $, stored } from "./state.js";
import { t } from "./texts.js";

const engines = { server: serverEngine };

/** Read what there is; resolves when the engine is chosen. `onChange` is called when it becomes another. */
export async function chooseEngine(onChange) {
  let told = { engines: ["server"] };
  try {
    const answer = await fetch("engines.json");
    if (answer.ok) told = await answer.json();
  } catch {
    // The page was opened without a net, or an older server gives none.
  }
  try {
    if (told.engines.includes("browser")) engines.browser = (await import("./engine/browser_engine.js")).browserEngine;
  } catch {
    told.engines = ["server"]; // What is missing is told when it is needed.
  }
  const wish = stored(localStorage, "demask-engine"), first = told.engines.includes(wish) ? wish : told.engines[0];
  const use = (name) => {
    useEngine(engines[name]);
    document.documentElement.dataset.engine = name;
    for (const radio of document.querySelectorAll("input[name=engine]")) radio.checked = radio.value === name;
    onChange();
  };
  $("engines").hidden = told.engines.length < 2;
  $("engines").addEventListener("change", ({ target }) => use(stored(localStorage, "demask-engine", target.value)));
  use(first);
  engineIsChosen();
  document.documentElement.dataset.ready = "";
  if (told.offline) (await import("./offline.js")).keep(engines.browser);
}

/** What the engine in use says of privacy, and with what it worked. */
export function showEngine() {
  const inBrowser = engine().name === "browser", { used } = engine();
  $("privacy-title").textContent = t(inBrowser ? "privateTitle" : "privacyTitle");
  $("privacy-text").textContent = t(inBrowser ? "privateText" : "privacyText");
  $("meter").hidden = !used;
  if (used) $("meter").textContent = t("meter", used.provider === "webgpu", used.threads, used.seconds, used.fellBack);
}
