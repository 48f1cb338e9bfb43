/**
 * The worker of the browser engine: holds the networks and one photo, and does all that takes long.
 *
 * It is sent {id, ask, ...} and answers {id, answer} or {id, trouble}, and meanwhile {id, step}. `ask` is "load",
 * "find", "remove" or "forget"; {cancel: id} ends what is under way before its next step.
 */

import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { unpacked } from "./figures.js";
import { holeOf, look, restore } from "./look.js";
import { Networks } from "./networks.js";
import { count } from "./picture.js";
import { readPng } from "./png_file.js";
import { Trouble } from "./trouble.js";

const ROOT = new URL("../", import.meta.url);
const MOST_THREADS = 8;

let loading = null; // A promise of {figures, networks}.
let kept = null; // {file, decoded, faces} of the photo that was found last.
let fellBack = false;
const cancelled = new Set();

async function load(step, wants) {
  const figures = unpacked(await (await fetched("engine/figures.json")).json());
  const files = Object.entries(figures.networks), total = files.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  let done = 0;
  const graphs = {};
  for (const [name, about] of files) {
    graphs[name] = await fetchedBytes(`networks/${about.file}`, about, (bytes) => step.tell({ name: "load", part: (done += bytes) / total }));
  }
  const card = wants?.provider ? wants.provider === "webgpu" : await hasCard();
  const { module, script, binary } = figures.runtime[card ? "webgpu" : "wasm"], at = (file) => new URL(`runtime/${file}`, ROOT).href;
  const ort = await import(at(module));
  ort.env.wasm.wasmPaths = { mjs: at(script), wasm: at(binary) };
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(wants?.threads ?? navigator.hardwareConcurrency, MOST_THREADS) : 1;
  ort.env.logLevel = "error";
  const networks = new Networks(ort, graphs, card ? "webgpu" : "wasm", () => (fellBack = true));
  return { figures, networks, threads: ort.env.wasm.numThreads };
}

async function hasCard() {
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}

async function fetched(path) {
  const answer = await fetch(new URL(path, ROOT)).catch((error) => {
    throw new Trouble("errorEngine", `${path}: ${error.message}`);
  });
  if (!answer.ok) throw new Trouble("errorEngine", `${path}: HTTP ${answer.status}`);
  return answer;
}

/** A file's bytes, checked against its checksum where the browser can. */
async function fetchedBytes(path, { bytes, sha256 }, progress) {
  const answer = await fetched(path), whole = new Uint8Array(bytes), reader = answer.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > bytes) throw new Trouble("errorEngine", `${path} is longer than ${bytes} bytes`);
    whole.set(value, at);
    at += value.length;
    progress(value.length);
  }
  const digest = at === bytes && crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", whole)) : null;
  const hex = digest && [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (at !== bytes || (hex && hex !== sha256)) throw new Trouble("errorEngine", `${path} is not the file it should be`);
  return whole;
}

/** Faces as the HTTP API tells them. */
const told = (faces, restored) => faces.map(({ box, points, score, found }, index) => ({
  index, box, points, score, covered: found ? found.covered : null, confidence: found?.confidence ?? 0,
  status: restored?.includes(index) ? "restored" : found && !found.covered ? "bare" : "skipped",
}));

const asks = {
  async load(message, step) {
    const { threads, networks, figures } = await loaded(step, message.wants);
    const used = Object.values(figures.networks).map(({ file }) => `networks/${file}`);
    const runtime = Object.values(figures.runtime[networks.provider]).map((file) => `runtime/${file}`);
    return { threads, provider: networks.provider, files: [...used, ...runtime] };
  },

  async find({ file }, step) {
    const { figures, networks } = await loaded(step);
    kept = null;
    await step({ name: "decode" });
    const decoded = await decode(file, figures.limits), { photo } = decoded;
    const faces = await look(photo, figures, networks, { onStep: (name, number, total) => step({ name, number, total }) });
    kept = { file, decoded, faces };
    const hole = holeOf(photo, faces), pixels = hole && new ImageData(photo.width, photo.height);
    const colours = hole && new Uint32Array(pixels.data.buffer); // Alpha is the highest byte: all machines are little-endian.
    if (hole) hole.data.forEach((value, i) => (colours[i] = value ? 0xffffffff : 0xff000000));
    return { width: photo.width, height: photo.height, faces: told(faces), hole: hole && (await createImageBitmap(pixels)) };
  },

  async remove({ faces: chosen, hole, format, grain = true }, step) {
    const { figures, networks } = await loaded(step);
    if (!kept) return { lost: true };
    const { decoded, file, faces } = kept, onStep = (name, number, total) => step({ name, number, total });
    const photo = { ...decoded.photo, data: decoded.photo.data.slice() }, ownHole = hole ? await holeFrom(hole, photo) : null;
    const used = grain ? figures : { ...figures, paste: { ...figures.paste, match_grain: false } };
    const { changed, restored, faces: all } = await restore(photo, faces, { chosen, ownHole }, used, networks, { onStep });
    await step({ name: "encode" });
    const unchanged = !count(changed) && !format;
    return { faces: told(all, restored), photo: unchanged ? file.slice(0, file.size, file.type) : await encode({ ...decoded, photo }, changed, figures, { format }) };
  },

  async forget() {
    kept = null;
  },
};

/** A hole drawn in the page: a PNG of one bit for each pixel, white = fill. */
async function holeFrom(blob, photo) {
  const { photo: drawn } = await readPng(new Uint8Array(await blob.arrayBuffer()));
  if (drawn.width !== photo.width || drawn.height !== photo.height) throw new Trouble("errorPage", "the hole is not of the photo's size");
  return { width: photo.width, height: photo.height, channels: 1, data: Uint8Array.from({ length: drawn.width * drawn.height }, (_, i) => (drawn.data[3 * i] > 127 ? 1 : 0)) };
}

function loaded(step, wants) {
  loading ??= load(step, wants);
  loading.catch(() => (loading = null));
  return loading;
}

const pause = () => new Promise((resolve) => setTimeout(resolve));

function troubleOf(error) {
  if (error instanceof Trouble) return { key: error.key, detail: error.detail, limits: error.limits };
  const detail = String(error?.message ?? error);
  return { key: /memory|allocat|out of bounds|RangeError|Invalid (typed )?array length/i.test(`${error?.name} ${detail}`) ? "errorMemory" : "errorPage", detail };
}

self.onmessage = async ({ data: message }) => {
  if (message.cancel !== undefined) return cancelled.add(message.cancel);
  const { id, ask } = message, start = performance.now();
  const tell = (about) => self.postMessage({ id, step: about });
  const step = Object.assign(async (about) => {
    tell(about);
    await pause(); // Lets a cancel in.
    if (cancelled.delete(id)) throw new DOMException("cancelled", "AbortError");
  }, { tell });
  try {
    const answer = await asks[ask](message, step), { networks, threads } = (await loading) ?? {};
    const used = networks && { provider: networks.provider, threads, fellBack, seconds: (performance.now() - start) / 1000 };
    self.postMessage({ id, answer, used }, answer?.hole ? [answer.hole] : []);
  } catch (error) {
    if (error.name === "AbortError") return self.postMessage({ id, aborted: true });
    self.postMessage({ id, trouble: troubleOf(error) });
  }
};
