// Pictures of the next trials, fetched and decoded before they are needed.

const AHEAD = 6; // Steps. More would fill a phone's memory with decoded pictures,
const ENOUGH = 16; // as would many pictures, where a step has several.

export class Pictures {
  #wire;
  #waiting = new Map(); // Name to the promise of a decoded <img>.
  #last = Promise.resolve();

  constructor(wire) {
    this.#wire = wire;
  }

  /** Fetch for the first of these steps (lists of trials) and some after it, in their order; forget those before. */
  prepare(steps) {
    const wanted = new Set();
    for (const [place, trials] of steps.slice(0, AHEAD).entries()) {
      if (place > 1 && wanted.size >= ENOUGH) break;
      for (const trial of trials) for (const name of [trial.reference, trial.masked, ...trial.pictures]) if (name) wanted.add(name);
    }
    for (const [name, promise] of this.#waiting) {
      if (wanted.has(name)) continue;
      this.#waiting.delete(name);
      promise.then((picture) => URL.revokeObjectURL(picture.src), () => {});
    }
    for (const name of wanted) {
      if (this.#waiting.has(name)) continue;
      const promise = this.#last.then(() => this.#load(name));
      this.#last = promise.catch(() => {}); // One after the other: the next trial's picture comes first.
      promise.catch(() => {}); // `ready` hands the error on to who waits.
      this.#waiting.set(name, promise);
    }
  }

  /** The decoded <img> of a picture that was prepared. */
  async ready(name) {
    const picture = await this.#waiting.get(name);
    await picture.decode(); // At once, unless the browser has dropped the pixels meanwhile.
    return picture;
  }

  /** A picture beside the trials, fetched at once and not kept. */
  async fetch(name) {
    return this.#load(name);
  }

  async #load(name) {
    const picture = new Image();
    picture.draggable = false;
    picture.src = URL.createObjectURL(await this.#wire.picture(name));
    await picture.decode();
    return picture;
  }
}
