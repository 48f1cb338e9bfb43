// Show something for a time, and know for how long it was really seen.
//
// What changes in a frame's callback is on the screen from the end of that frame, so the difference of two
// frames' timestamps is the time between two changes on the screen, to within the display's own jitter.

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Wait until the page can be seen; a picture shown to a hidden page is shown to nobody. */
export function visible() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

/** Show an element that waits, invisible, in the page; it stays. The time of its first frame. */
export async function show(element) {
  await visible();
  const start = await frame();
  element.classList.add("seen");
  return start;
}

/**
 * Show an element for a time, to the nearest frame.
 *
 * @returns {Promise<{seen: number, end: number}>} How long it was seen, and when it went, in milliseconds.
 */
export async function expose(element, wanted_ms) {
  const start = await show(element);
  let before = start;
  let shortest_ms = 1000 / 60; // The display's own frame, from what we see of it; a late one must not count.
  for (;;) {
    const now = await frame();
    shortest_ms = Math.min(shortest_ms, now - before);
    before = now;
    if (now - start < wanted_ms - shortest_ms / 2) continue;
    element.classList.remove("seen");
    return { seen: now - start, end: now };
  }
}

/**
 * Times already seen of the trial at hand, kept over a reload or a closed tab, so that a second look adds to
 * the first and the plan's rule on exposure times leaves the answer out.
 */
export class SeenBefore {
  static #KEY = "demask-study-seen";

  /**
   * @param {string} who Tells two people at one browser apart; not their code.
   * @param {number} position Of the trial.
   * @param {number} number Of its pictures.
   */
  constructor(who, position, number) {
    this.trial = `${who}/${position}`;
    const kept = JSON.parse(localStorage.getItem(SeenBefore.#KEY) ?? "null");
    this.times = kept?.trial === this.trial ? kept.times : Array(number).fill(0);
  }

  /** Add to the time of one picture. */
  add(place, ms) {
    this.times[place] += ms;
    localStorage.setItem(SeenBefore.#KEY, JSON.stringify({ trial: this.trial, times: this.times }));
  }

  static forget() {
    localStorage.removeItem(SeenBefore.#KEY);
  }
}
