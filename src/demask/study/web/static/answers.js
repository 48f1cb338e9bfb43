// The controls by which a trial is answered, by touch, mouse or keys.

import { el, fill } from "./dom.js";

const isPlain = (event) => !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey;

/** Buttons, one per answer; `wait` resolves with the value chosen. */
export class Buttons {
  constructor(block, words) {
    const worded = block.answers.some((answer) => !/^\d+$/.test(answer.label));
    const scale = block.ends.length > 0;
    this.buttons = block.answers.map((answer, place) =>
      el("button", { type: "button", disabled: true, "data-value": answer.value, click: () => this.choose(place) }, answer.label),
    );
    const kind = worded ? (scale ? "scale words" : "words") : "scale";
    this.element = el("div", { class: `answers ${kind} n${block.answers.length}`, role: "group" }, ...this.buttons);
    const ends = scale && !worded ? el("div", { class: "ends" }, el("span", {}, block.ends[0]), el("span", {}, block.ends[1])) : "";
    this.whole = el("div", {}, this.element, ends);
    this.values = block.answers.map((answer) => answer.value);
    const last = this.values.length;
    this.hint = last === 2 ? words.hint_two : last > 9 ? words.hint_tens : fill(words.hint_digits, { last });
  }

  /** Take answers from now on. */
  open() {
    for (const button of this.buttons) button.disabled = false;
    return new Promise((resolve) => (this.resolve = resolve));
  }

  close() {
    for (const button of this.buttons) button.disabled = true;
    this.resolve = undefined;
  }

  key(event) {
    if (!this.resolve || !isPlain(event)) return;
    const number = this.buttons.length;
    if (/^\d$/.test(event.key)) {
      const place = event.key === "0" ? 9 : Number(event.key) - 1;
      if (place < number) this.choose(place);
      return;
    }
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault(); // Or the page would scroll.
    if (number === 2) {
      this.choose(step < 0 ? 0 : 1);
      return;
    }
    const at = this.buttons.indexOf(document.activeElement);
    const next = at < 0 ? Math.floor((number - (step < 0)) / 2) : Math.min(number - 1, Math.max(0, at + step));
    this.buttons[next].focus();
  }

  /** Mark what was answered before. */
  was(value) {
    this.buttons[this.values.indexOf(value)]?.setAttribute("aria-pressed", "true");
  }

  /** Answer with the button at a place, once it is open. */
  choose(place) {
    if (!this.resolve) return;
    for (const button of this.buttons) button.removeAttribute("aria-pressed");
    this.buttons[place].classList.add("chosen");
    this.resolve(this.values[place]);
  }
}

/** A slider from 0 to 100 that has no value until it is moved. */
export class Slider {
  constructor(block, words) {
    this.range = el("input", {
      type: "range", min: 0, max: 100, step: 1, value: 50, disabled: true, class: "unset", "aria-label": block.prompt,
      "aria-valuetext": words.not_set,
      input: () => this.#set(Number(this.range.value)),
      pointerdown: () => this.#set(Number(this.range.value)),
    });
    const step = (change, label, sign) =>
      el("button", { type: "button", disabled: true, "aria-label": label, click: () => this.#step(change) }, sign);
    this.less = step(-1, words.less, "−");
    this.more = step(1, words.more, "+");
    this.shown = el("output", {}, "–");
    this.confirm = el("button", { type: "button", class: "main", disabled: true, click: () => this.#choose() }, words.confirm);
    this.element = el("div", { class: "answers slider", role: "group" },
      el("div", { class: "row" }, this.less, this.range, this.more),
      el("div", { class: "ends" }, el("span", {}, block.ends[0]), this.shown, el("span", {}, block.ends[1])),
      this.confirm);
    this.whole = this.element;
    this.hint = words.hint_slider;
    this.typed = "";
  }

  open() {
    for (const control of [this.range, this.less, this.more]) control.disabled = false;
    const chosen = new Promise((resolve) => (this.resolve = resolve));
    if (this.before !== undefined) this.#set(this.before);
    return chosen;
  }

  close() {
    for (const control of [this.range, this.less, this.more, this.confirm]) control.disabled = true;
    this.resolve = undefined;
  }

  key(event) {
    if (!this.resolve || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (step) {
      event.preventDefault();
      this.typed = "";
      this.#step(step);
    } else if (/^\d$/.test(event.key) && !event.repeat) {
      const longer = this.typed + event.key;
      this.typed = Number(longer) <= 100 && longer.length <= 3 ? longer : event.key;
      this.#set(Number(this.typed));
    } else if (event.key === "Backspace") {
      this.typed = this.typed.slice(0, -1);
      if (this.typed) this.#set(Number(this.typed));
    } else if ((event.key === " " || event.key === "Enter") && !event.repeat) {
      if (document.activeElement?.tagName === "BUTTON") return; // The button's own key.
      event.preventDefault();
      this.#choose();
    }
  }

  /** Start from what was answered before. */
  was(value) {
    this.before = Number(value);
  }

  #step(change) {
    this.#set(Math.min(100, Math.max(0, (this.value ?? 50) + change)));
  }

  #set(value) {
    if (!this.resolve) return;
    this.value = value;
    this.range.value = value;
    this.range.classList.remove("unset");
    this.range.setAttribute("aria-valuetext", String(value));
    this.shown.textContent = String(value);
    this.confirm.disabled = false;
  }

  #choose() {
    if (this.resolve && this.value !== undefined) this.resolve(String(this.value));
  }
}
