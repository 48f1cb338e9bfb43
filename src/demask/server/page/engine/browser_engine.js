/** The engine that works in this browser; see engines.js for what an engine is. No photo leaves it. */

import { Problem, progress } from "../messages.js";
import { percent, t } from "../texts.js";

let worker = null, number = 0, holds = null; // `holds`: the File that the worker has found faces in.
const waiting = new Map();

/** Only scripts of this page's own folder become workers. */
const policy = globalThis.trustedTypes?.createPolicy("demask-engine", { createScriptURL: (url) => url });

function theWorker() {
  if (worker) return worker;
  const url = new URL("worker.js", import.meta.url).href;
  worker = new Worker(policy ? policy.createScriptURL(url) : url, { type: "module" });
  worker.onmessage = ({ data }) => {
    const call = waiting.get(data.id);
    if (!call) return;
    if (data.step) return call.step(data.step);
    waiting.delete(data.id);
    if (data.used) browserEngine.used = data.used;
    if (data.aborted) call.reject(new DOMException("cancelled", "AbortError"));
    else if (data.trouble) call.reject(new Problem(data.trouble.key, data.trouble));
    else call.resolve(data.answer);
  };
  // What a worker does not catch is most often the end of its memory.
  worker.onerror = (event) => {
    event.preventDefault();
    end(new Problem("errorMemory", { detail: event.message ?? "" }));
  };
  return worker;
}

/** Give the worker up: the next call gets a new one. */
function end(problem) {
  worker?.terminate();
  worker = holds = null;
  for (const { reject } of waiting.values()) reject(problem);
  waiting.clear();
}

function call(message, { signal, step = () => {} } = {}) {
  const id = ++number;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, step });
    const cancel = () => {
      if (!waiting.delete(id)) return;
      worker?.postMessage({ cancel: id });
      reject(new DOMException("cancelled", "AbortError"));
    };
    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    theWorker().postMessage({ ...message, id });
  });
}

/** Show what the worker is at. */
const showing = (words) => ({ name, part, number: done, total }) => {
  if (name === "load") progress(() => t("loadingEngine", percent(part)), part);
  else progress(words, total > 1 ? done / total : undefined);
};

async function find(file, { signal }) {
  holds = null;
  const answer = await call({ ask: "find", file }, { signal, step: showing(() => t("finding")) });
  holds = file;
  browserEngine.file = file;
  return answer;
}

async function remove({ faces, hole, format }, { signal, words = () => "" }) {
  const { file } = browserEngine;
  if (!holds) await find(file, { signal });
  const answer = await call({ ask: "remove", faces, hole: hole && (await hole()), format }, { signal, step: showing(words) });
  if (!answer.lost) return answer;
  await find(file, { signal });
  return call({ ask: "remove", faces, hole: hole && (await hole()), format }, { signal, step: showing(words) });
}

export const browserEngine = {
  name: "browser",
  samples: 1,
  used: null, // {provider, threads, fellBack, seconds} of the last job.
  find,
  remove,
  forget() {
    holds = null;
    if (worker) call({ ask: "forget" }).catch(() => {});
  },
  /** Get everything ready; resolves to {threads, provider, files}. `wants` may name a provider and a most of threads. */
  prepare: (wants) => call({ ask: "load", wants }),
};
