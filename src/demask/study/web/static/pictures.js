// Pictures of the next trials, fetched and decoded before they are needed.

const AHEAD = 6; // Trials. More would fill a phone's memory with decoded pictures.

export class Pictures {
  #wire;
  #waiting = new Map(); // Name to the promise of a decoded <img>.
  #last = Promise.resolve();

  constructor(wire) {
    this.#wire = wire;
  }

  /** Fetch for the first of these trials and some after it, in their order; forget those before. */
  prepare(trials) {
    const wanted = new Set(trials.slice(0, AHEAD).flatMap((trial) => [...trial.pictures, trial.masked].filter(Boolean)));
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

  async #load(name) {
    const picture = new Image();
    picture.draggable = false;
    picture.src = URL.createObjectURL(await this.#wire.picture(name));
    await picture.decode();
    return picture;
  }
}
