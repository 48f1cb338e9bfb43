// What is known of the screen: how large a pixel is (by a bank card), the window, the zoom, how often it draws.

import { announce, el, fill } from "./dom.js";

const CARD_CM = 8.56; // ISO/IEC 7810 ID-1: 85.60 x 53.98 mm.
const CARD_RATIO = 85.6 / 53.98;
const USUAL_PX_PER_CM = 96 / 2.54;
const KEPT = "demask-study-card";
const FRAMES = 24;
const SAME = 0.01; // Zoom may differ by rounding.

const zoom = () => devicePixelRatio * (visualViewport?.scale ?? 1);
const here = () => document.getElementById("screen");

/**
 * Ask for the card where sizes are planned in degrees, look at the window, and tell the server.
 *
 * @returns {Promise<{width: number | null}>} The planned width of a picture in pixels of the page, or null.
 */
export async function lookAtScreen(display, words, wire) {
  if (!display.check) {
    if (display.zoom === "forbidden") watchZoom(words);
    return { width: null };
  }
  const px_per_cm = display.degrees ? (kept() ?? (await askForCard(words))) : null;
  const width = px_per_cm && 2 * display.distance_cm * Math.tan((display.degrees * Math.PI) / 360) * px_per_cm;
  const need = Math.max(display.smallest_px, width ? Math.ceil(width) + 32 : 0);
  await askForRoom(display, need, words);
  await wire.post("v1/device", {
    window_px: [innerWidth, innerHeight],
    screen_px: [screen.width, screen.height],
    pixel_ratio: devicePixelRatio,
    zoom: visualViewport?.scale ?? 1,
    frame_ms: await frameTime(),
    touch: matchMedia("(pointer: coarse)").matches,
    px_per_cm,
    distance_cm: display.degrees ? display.distance_cm : null,
  });
  if (display.zoom === "forbidden") watchZoom(words);
  return { width };
}

/** The card's size as it was found earlier in this browser, if screen and zoom are still the same. */
function kept() {
  const found = JSON.parse(localStorage.getItem(KEPT) ?? "null");
  return found?.screen === `${screen.width}x${screen.height}` && Math.abs(found.zoom / zoom() - 1) < SAME ? found.px_per_cm : null;
}

function askForCard(words) {
  return new Promise((resolve) => {
    const frame = el("div", { class: "card", "aria-hidden": "true" });
    const most = Math.max(200, Math.min(900, innerWidth - 48));
    const set = (value) => {
      range.value = Math.min(most, Math.max(120, value));
      frame.style.width = `${range.value}px`;
      frame.style.height = `${range.value / CARD_RATIO}px`;
    };
    const range = el("input", { type: "range", min: 120, max: most, step: 1, "aria-label": words.card_frame, input: () => set(Number(range.value)) });
    const step = (change, label, sign) => el("button", { type: "button", "aria-label": label, click: () => set(Number(range.value) + change) }, sign);
    const done = () => {
      const px_per_cm = Number(range.value) / CARD_CM;
      localStorage.setItem(KEPT, JSON.stringify({ px_per_cm, zoom: zoom(), screen: `${screen.width}x${screen.height}` }));
      resolve(px_per_cm);
    };
    here().replaceChildren(el("section", { class: "page calibrate" }, el("h1", {}, words.your_screen), el("p", {}, words.card), frame,
      el("div", { class: "slider" }, el("div", { class: "row" }, step(-1, words.less, "−"), range, step(1, words.more, "+"))),
      el("p", {}, el("button", { type: "button", class: "main", click: done }, words.card_fits))));
    set(USUAL_PX_PER_CM * CARD_CM);
    announce(words.card);
    scrollTo(0, 0);
    range.focus();
  });
}

/** Wait until the window is large enough; say how far to sit. */
function askForRoom(display, need, words) {
  return new Promise((resolve) => {
    const said = el("p", { role: "status" });
    const go = el("button", { type: "button", class: "main" }, words.continue);
    const look = () => {
      const fits = Math.min(innerWidth, innerHeight) >= need;
      said.textContent = fits ? words.screen_fine : fill(words.screen_small, { width: innerWidth, height: innerHeight, need });
      said.className = fits ? "" : "wrong";
      go.disabled = !fits;
    };
    go.addEventListener("click", () => {
      removeEventListener("resize", look);
      resolve();
    });
    addEventListener("resize", look);
    const sit = display.degrees ? [el("p", {}, fill(words.sit, { distance: display.distance_cm }))] : [];
    here().replaceChildren(el("section", { class: "page device" }, el("h1", {}, words.your_screen), ...sit, el("p", {}, words.screen_text), said, el("p", {}, go)));
    look();
    announce(words.your_screen);
    scrollTo(0, 0);
    if (!go.disabled) go.focus();
  });
}

/** Median time between two frames. */
async function frameTime() {
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  while (times.length < FRAMES) {
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times.sort((a, b) => a - b)[FRAMES / 2];
}

/** Where zoom is forbidden: nothing can be answered while it is another than now. */
function watchZoom(words) {
  const wanted = zoom();
  const dialog = el("dialog", { class: "zoomed", cancel: (event) => event.preventDefault() }, el("p", {}, words.screen_zoom));
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  document.body.append(dialog);
  const look = () => {
    const same = Math.abs(zoom() / wanted - 1) < SAME;
    if (same) dialog.close();
    else if (!dialog.open) dialog.showModal();
  };
  addEventListener("resize", look);
  visualViewport?.addEventListener("resize", look);
}
