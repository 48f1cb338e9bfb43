/** Pixels back to a file of the kind that came: JPEG, PNG or WebP; what browsers cannot write becomes PNG. */

import { keptJpeg } from "./jpeg_blocks.js";
import { jpegHead, pngHead, withJpegHead, withWebpChunks } from "./metadata.js";
import { writePng } from "./png_file.js";
import { Trouble } from "./trouble.js";

const JPEG_QUALITY = 0.95, WEBP_QUALITY = 0.9;
const luma = (data, i) => (data[i] * 9798 + data[i + 1] * 19235 + data[i + 2] * 3735 + 16384) >> 15;

/**
 * Write a changed photo.
 *
 * `decoded` is what `decode` gave, its photo by now changed where `changed` says. `format` is "png" where another
 * kind than the photo's own is wanted. Resolves to a Blob.
 */
export async function encode(decoded, changed, figures, { format = null } = {}) {
  const { file, kind, photo, alpha, turn, lossless, inks } = decoded, wanted = format ?? kind;
  if (wanted === "jpeg") {
    const kept = keptJpeg(file, photo, changed, turn, jpegHead(file, figures.label, { upright: false }));
    if (kept) return kept;
    return withJpegHead(await drawn(photo, null, "image/jpeg", JPEG_QUALITY), jpegHead(file, figures.label, { upright: true, profile: !inks }));
  }
  if (wanted === "webp") {
    // Chromium writes without loss where the quality is 1.
    const encoded = await drawn(photo, alpha, "image/webp", lossless ? 1 : WEBP_QUALITY).catch(() => null);
    if (encoded) return withWebpChunks(encoded, file, kind, figures.label, { ...photo, alpha: Boolean(alpha) });
  }
  return writePng({ width: photo.width, height: photo.height, ...samplesOf(decoded, changed), chunks: pngHead(file, kind, figures.label) });
}

/** What a PNG holds: the file's own 16 bits outside the hole, grey where it was grey, alpha as it was. */
function samplesOf({ photo, alpha, deep, grey }, changed) {
  const colours = grey ? 1 : 3, channels = colours + (alpha ? 1 : 0), size = photo.width * photo.height;
  const samples = new (deep ? Uint16Array : Uint8Array)(size * channels), { data } = photo;
  for (let i = 0, to = 0; i < size; i++, to += channels) {
    for (let c = 0; c < colours; c++) {
      const value = grey && changed.data[i] ? luma(data, 3 * i) : data[3 * i + c];
      samples[to + c] = deep ? (changed.data[i] ? 257 * value : deep[colours * i + c]) : value;
    }
    if (alpha) samples[to + colours] = alpha[i];
  }
  return { channels, samples };
}

/** The photo as a canvas encodes it: the bytes of a file of `type`. */
async function drawn({ width, height, data }, alpha, type, quality) {
  try {
    const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d", { alpha: Boolean(alpha) });
    for (let top = 0; top < height; top += 256) {
      const rows = Math.min(256, height - top), strip = new ImageData(width, rows);
      for (let i = 0, at = top * width; i < strip.data.length; i += 4, at++) {
        strip.data[i] = data[3 * at];
        strip.data[i + 1] = data[3 * at + 1];
        strip.data[i + 2] = data[3 * at + 2];
        strip.data[i + 3] = alpha ? alpha[at] : 255;
      }
      context.putImageData(strip, 0, top);
    }
    const blob = await canvas.convertToBlob({ type, quality });
    if (blob.type !== type) throw new Error(`this browser writes no ${type}`);
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw new Trouble("errorMemory", String(error));
  }
}
