// Talk to the server. What must arrive is sent again until it does; the server counts it once.

import { sleep } from "./dom.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;
const PATIENCE_MS = 15000; // After so long a reply counts as lost.

/** The server understood and refused: asking again would not help. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.kind = error.code;
  }
}

export class Wire {
  /**
   * @param {string} code The participant's, or the admin key.
   * @param {(lost: boolean) => void} onTrouble Told when the server is lost and when it is found again.
   */
  constructor(code, onTrouble) {
    this.code = code.replace(/[^!-~]/g, "?"); // A header cannot carry more, and a typed code may hold anything.
    this.onTrouble = onTrouble;
  }

  get(path) {
    return this.#untilHeard(path, {}, (reply) => reply.json());
  }

  post(path, body = {}) {
    const options = { method: "POST", body: JSON.stringify(body) };
    return this.#untilHeard(path, options, (reply) => reply.json());
  }

  file(path) {
    return this.#untilHeard(path, {}, (reply) => reply.blob());
  }

  picture(name) {
    return this.#untilHeard(`v1/pictures/${name}`, {}, (reply) => reply.blob());
  }

  async #untilHeard(path, options, read) {
    const headers = { Authorization: `Bearer ${this.code}` };
    if (options.body) headers["Content-Type"] = "application/json";
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        const reply = await fetch(path, { ...options, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
        if (reply.ok) {
          const found = await read(reply);
          this.onTrouble(false);
          return found;
        }
        if (reply.status < 500 && reply.status !== 408 && reply.status !== 429) {
          const body = await reply.json().catch(() => ({}));
          throw new Refused(reply.status, body.error ?? { code: "http", message: String(reply.status) });
        }
      } catch (error) {
        if (error instanceof Refused) throw error;
      }
      this.onTrouble(true);
      await Promise.race([sleep(wait), new Promise((found) => addEventListener("online", found, { once: true }))]);
    }
  }
}
