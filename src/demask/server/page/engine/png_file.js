/** PNG files, read and written to the bit: every depth and colour type but interlaced ones (PNG, third edition). */

import { crc32 } from "./checksum.js";
import { Trouble } from "./trouble.js";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const GREY = 0, PALETTE = 3, GREY_ALPHA = 4;
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

const view = (data) => new DataView(data.buffer, data.byteOffset, data.byteLength);

/** [kind, body] of every chunk; what is cut short or has a wrong checksum is an error. */
export function pngChunks(file) {
  const chunks = [], numbers = view(file);
  for (let at = 8; at + 12 <= file.length; ) {
    const length = numbers.getUint32(at), end = at + 12 + length;
    if (end > file.length) break;
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (crc32(file.subarray(at + 4, end - 4)) !== numbers.getUint32(end - 4)) throw new Trouble("errorBroken", `the PNG's ${kind} is damaged`);
    chunks.push([kind, file.subarray(at + 8, end - 4)]);
    if (kind === "IEND") return chunks;
    at = end;
  }
  throw new Trouble("errorBroken", "the PNG is cut short");
}

const bodyOf = (chunks, wanted) => chunks.find(([kind]) => kind === wanted)?.[1];

async function through(stream, parts) {
  const blob = new Blob(parts);
  return new Uint8Array(await new Response(blob.stream().pipeThrough(stream)).arrayBuffer());
}

/**
 * Decode a PNG; null where it is interlaced.
 *
 * Returns {photo, alpha, deep, grey}: RGB of 8 bit; alpha, 8 or 16 bit, or null; the file's own samples where it has
 * 16 bit, RGB or grey; and whether it is a grey one.
 */
export async function readPng(file) {
  const chunks = pngChunks(file), header = bodyOf(chunks, "IHDR");
  const width = view(header).getUint32(0), height = view(header).getUint32(4), [depth, type, , , interlaced] = header.subarray(8);
  if (interlaced) return null;
  const bits = depth * SAMPLES[type], row = Math.ceil((width * bits) / 8);
  let packed;
  try {
    packed = await through(new DecompressionStream("deflate"), chunks.filter(([kind]) => kind === "IDAT").map(([, body]) => body));
  } catch {
    throw new Trouble("errorBroken", "the PNG's pixels are damaged");
  }
  if (packed.length < (row + 1) * height) throw new Trouble("errorBroken", "the PNG's pixels are cut short");
  unfiltered(packed, row, height, Math.max(bits >> 3, 1));
  const samples = unpackedSamples(packed, { width, height, depth, row, perPixel: SAMPLES[type] });
  const palette = bodyOf(chunks, "PLTE"), key = bodyOf(chunks, "tRNS");
  return pictured(samples, { width, height, depth, type, palette, key });
}

/** Undo the filters of all rows, in place: the first byte of each row tells which (sec. 9). */
function unfiltered(packed, row, height, step) {
  for (let y = 0; y < height; y++) {
    const at = y * (row + 1) + 1, filter = packed[at - 1], up = at - row - 1;
    for (let i = 0; filter && i < row; i++) {
      const left = i >= step ? packed[at + i - step] : 0, above = y ? packed[up + i] : 0;
      let guess = [0, left, above, (left + above) >> 1][filter];
      if (filter === 4) {
        const corner = y && i >= step ? packed[up + i - step] : 0, sum = left + above - corner;
        const [a, b, c] = [Math.abs(sum - left), Math.abs(sum - above), Math.abs(sum - corner)];
        guess = a <= b && a <= c ? left : b <= c ? above : corner;
      }
      packed[at + i] += guess;
    }
  }
}

function unpackedSamples(packed, { width, height, depth, row, perPixel }) {
  const number = width * perPixel, samples = new (depth === 16 ? Uint16Array : Uint8Array)(number * height);
  for (let y = 0, to = 0; y < height; y++) {
    const at = y * (row + 1) + 1;
    for (let i = 0; i < number; i++, to++) {
      if (depth === 16) samples[to] = (packed[at + 2 * i] << 8) | packed[at + 2 * i + 1];
      else if (depth === 8) samples[to] = packed[at + i];
      else samples[to] = (packed[at + ((i * depth) >> 3)] >> (8 - depth - ((i * depth) & 7))) & ((1 << depth) - 1);
    }
  }
  return samples;
}

function pictured(samples, { width, height, depth, type, palette, key }) {
  const size = width * height, photo = { width, height, channels: 3, data: new Uint8Array(3 * size) };
  const isGrey = type === GREY || type === GREY_ALPHA, perPixel = SAMPLES[type], hasAlpha = type >= GREY_ALPHA;
  const deepKind = depth === 16, most = (1 << depth) - 1;
  const eight = (value) => (deepKind ? Math.floor((value + 128) / 257) : depth === 8 ? value : (value * 255) / most);
  const keyed = key && type !== PALETTE ? Array.from({ length: key.length >> 1 }, (_, i) => (key[2 * i] << 8) | key[2 * i + 1]) : null;
  let alpha = hasAlpha || key ? new (deepKind ? Uint16Array : Uint8Array)(size) : null;
  for (let i = 0; i < size; i++) {
    const from = i * perPixel, to = 3 * i;
    if (type === PALETTE) {
      const index = samples[from];
      for (let c = 0; c < 3; c++) photo.data[to + c] = palette?.[3 * index + c] ?? 0;
      if (alpha) alpha[i] = key[index] ?? 255;
      continue;
    }
    for (let c = 0; c < 3; c++) photo.data[to + c] = eight(samples[from + (isGrey ? 0 : c)]);
    if (hasAlpha) alpha[i] = samples[from + perPixel - 1];
    else if (keyed) alpha[i] = keyed.every((value, c) => samples[from + c] === value) ? 0 : deepKind ? 65535 : 255;
  }
  let deep = null;
  if (deepKind) {
    const colours = isGrey ? 1 : 3;
    deep = hasAlpha ? Uint16Array.from({ length: size * colours }, (_, i) => samples[Math.floor(i / colours) * perPixel + (i % colours)]) : samples;
  }
  return { photo, alpha, deep, grey: isGrey };
}

/**
 * Write a PNG.
 *
 * `samples` are rows of `channels` 8-bit or 16-bit values; `chunks` [kind, body] go before the pixels.
 */
export async function writePng({ width, height, channels, samples, chunks = [] }) {
  const wide = samples instanceof Uint16Array ? 2 : 1, row = width * channels * wide;
  const filtered = new Uint8Array((row + 1) * height), step = channels * wide;
  for (let y = 0; y < height; y++) {
    const at = y * (row + 1) + 1, from = y * width * channels;
    for (let i = 0; i < width * channels; i++) {
      const value = samples[from + i];
      if (wide === 2) [filtered[at + 2 * i], filtered[at + 2 * i + 1]] = [value >> 8, value & 255];
      else filtered[at + i] = value;
    }
  }
  // Paeth's filter suits photographs; from the last byte to the first, so that neighbours are still as they were.
  for (let y = height - 1; y >= 0; y--) {
    const at = y * (row + 1) + 1, up = at - row - 1;
    filtered[at - 1] = 4;
    for (let i = row - 1; i >= 0; i--) {
      const left = i >= step ? filtered[at + i - step] : 0, above = y ? filtered[up + i] : 0;
      const corner = y && i >= step ? filtered[up + i - step] : 0, sum = left + above - corner;
      const a = Math.abs(sum - left), b = Math.abs(sum - above), c = Math.abs(sum - corner);
      filtered[at + i] -= a <= b && a <= c ? left : b <= c ? above : corner;
    }
  }
  const type = { 1: GREY, 2: GREY_ALPHA, 3: 2, 4: 6 }[channels], header = new Uint8Array(13);
  view(header).setUint32(0, width);
  view(header).setUint32(4, height);
  header.set([8 * wide, type], 8);
  const packed = await through(new CompressionStream("deflate"), [filtered]);
  const parts = [["IHDR", header], ...chunks, ["IDAT", packed], ["IEND", new Uint8Array(0)]];
  return new Blob([SIGNATURE, ...parts.flatMap(([kind, body]) => chunk(kind, body))], { type: "image/png" });
}

function chunk(kind, body) {
  const head = new Uint8Array(8), tail = new Uint8Array(4);
  view(head).setUint32(0, body.length);
  head.set(new TextEncoder().encode(kind), 4);
  view(tail).setUint32(0, crc32(head.subarray(4), body));
  return [head, body, tail];
}
