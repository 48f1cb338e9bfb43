/** Talking to the server. */

import { Problem, progress } from "./messages.js";
import { $, stored } from "./state.js";
import { percent, t } from "./texts.js";

/** Which text tells of an error code of the API; what is not here goes by HTTP status. */
const TEXT_OF_CODE = {
  photo_unreadable: "errorBroken", photo_unsupported: "errorType", photo_too_large: "errorLarge",
  cross_origin: "errorAddress", wrong_host: "errorAddress",
};
const TEXT_OF_STATUS = {
  401: "errorKey", 429: "errorKeys", 408: "errorSlow", 413: "errorLarge", 415: "errorType", 503: "errorBusy", 504: "errorSlow",
};

const MOST_TRIES = 6;
export const cancelled = () => new DOMException("cancelled", "AbortError");

/** POST a form to an address beside the page; waits and tries again while the server is busy. Resolves to the parsed answer. */
export async function post(path, fields, signal, whileWorking) {
  for (let tries = 1; ; tries++) {
    const answer = await send(path, fields, signal, whileWorking);
    const { status, body } = answer;
    if (status >= 200 && status < 300) return body;
    if (status === 503 && tries < MOST_TRIES) {
      await wait(Math.min(Math.max(answer.retryAfter, 1), 30), signal);
      continue;
    }
    if (status === 401 && (await askForKey())) continue;
    const { code = "", message = "", details } = body?.error ?? {};
    const key = TEXT_OF_CODE[code] ?? TEXT_OF_STATUS[status] ?? (status >= 500 || status < 400 ? "errorServer" : "errorRefused");
    throw new Problem(key, { code, detail: message, request: body?.request_id ?? "", limits: details ?? {} });
  }
}

/** One request. XMLHttpRequest, because fetch does not tell how much was sent. */
function send(path, fields, signal, whileWorking) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    const key = stored(sessionStorage, "demask-key");
    if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
    request.upload.onprogress = ({ loaded, total }) => {
      if (loaded < total) progress(() => t("sending", percent(loaded / total)), loaded / total);
    };
    request.upload.onload = () => progress(whileWorking);
    request.onload = () =>
      resolve({ status: request.status, body: request.response, retryAfter: Number(request.getResponseHeader("Retry-After")) });
    request.onerror = () => reject(new Problem("errorGone"));
    request.onabort = () => reject(cancelled());
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) return reject(cancelled());
    progress(whileWorking);
    request.send(form);
  });
}

async function wait(seconds, signal) {
  for (let left = Math.ceil(seconds); left > 0; left--) {
    progress(() => t("busy", left), 1 - left / seconds);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (signal.aborted) throw cancelled();
  }
}

/** Ask for the API key; false when the person would rather not. */
function askForKey() {
  const dialog = $("key");
  $("key-value").value = "";
  dialog.returnValue = "";
  $("key-wrong").hidden = !stored(sessionStorage, "demask-key");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given";
      if (given) stored(sessionStorage, "demask-key", $("key-value").value.trim());
      $("key-value").value = "";
      resolve(given);
    }, { once: true });
  });
}

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Let the server forget a photo that it keeps; nobody waits for the answer, and it forgets by itself too. */
export function forget(kept) {
  if (!kept) return;
  const body = new FormData(), key = stored(sessionStorage, "demask-key");
  body.append("kept", kept);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  fetch("v1/forget", { method: "POST", body, headers, keepalive: true }).catch(() => {});
}
