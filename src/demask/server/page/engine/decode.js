/** A picture file to pixels: told by its first bytes, refused before it is decoded where it is too large. */

import { Trouble } from "./trouble.js";
import { exifOf, orientationOf } from "./exif_block.js";
import { readPng } from "./png_file.js";

const text = (file, from, to) => String.fromCharCode(...file.subarray(from, to));

/** "jpeg", "png", "webp", "avif", "heic" by the first bytes; null for what is none of these. */
function kindOf(file) {
  if (file[0] === 0xff && file[1] === 0xd8 && file[2] === 0xff) return "jpeg";
  if (text(file, 1, 4) === "PNG") return "png";
  if (text(file, 0, 4) === "RIFF" && text(file, 8, 12) === "WEBP") return "webp";
  if (text(file, 4, 8) !== "ftyp") return null;
  if (/avi[fs]/.test(text(file, 8, 40))) return "avif";
  return /hei[cxms]|mif1|msf1/.test(text(file, 8, 12)) ? "heic" : null;
}

/** {width, height} as stored, {lossless}, and {inks} for CMYK; null where the head does not tell. */
function headOf(file, kind) {
  const numbers = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (kind === "png" && file.length >= 33) return { width: numbers.getUint32(16), height: numbers.getUint32(20), lossless: true };
  if (kind === "webp") return headOfWebp(file, numbers);
  if (kind !== "jpeg") return null;
  for (let at = 2; at + 9 < file.length && file[at] === 0xff; at += 2 + numbers.getUint16(at + 2)) {
    while (file[at + 1] === 0xff) at++;
    const marker = file[at + 1], isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: numbers.getUint16(at + 7), height: numbers.getUint16(at + 5), lossless: false, inks: file[at + 9] === 4 };
  }
  throw new Trouble("errorBroken", "the JPEG has no frame");
}

function headOfWebp(file, numbers) {
  const kind = text(file, 12, 16), lossless = text(file, 12, Math.min(file.length, 4096)).includes("VP8L");
  if (file.length < 30) throw new Trouble("errorBroken", "the WebP is cut short");
  const three = (at) => file[at] | (file[at + 1] << 8) | (file[at + 2] << 16);
  if (kind === "VP8X") {
    if (file[20] & 2) throw new Trouble("errorType", "the WebP is an animation");
    return { width: three(24) + 1, height: three(27) + 1, lossless };
  }
  if (kind === "VP8L") {
    const packed = numbers.getUint32(21, true);
    return { width: (packed & 0x3fff) + 1, height: ((packed >> 14) & 0x3fff) + 1, lossless };
  }
  return { width: numbers.getUint16(26, true) & 0x3fff, height: numbers.getUint16(28, true) & 0x3fff, lossless };
}

/** Refuse a file that stops before its end: browsers show what there is of it. */
function requireWhole(file, kind) {
  const numbers = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (kind === "webp" && numbers.getUint32(4, true) + 8 > file.length + 1) throw new Trouble("errorBroken", "the WebP is cut short");
  if (kind !== "jpeg") return;
  for (let at = file.length - 2; at > 2; at--) if (file[at] === 0xff && file[at + 1] === 0xd9) return;
  throw new Trouble("errorBroken", "the JPEG is cut short");
}

/**
 * Decode a file.
 *
 * Returns {file, photo, alpha, deep, grey, kind, lossless, inks, turn}: upright RGB of 8 bit, and what else is needed to write
 * the file back alike. `alpha` and `deep` are samples of 8 or 16 bit, or null. Pixels stay in the file's own colours.
 */
export async function decode(blob, limits) {
  if (blob.size > limits.max_file_bytes) throw new Trouble("errorLargeHere", "", { max_body_bytes: limits.max_file_bytes });
  const file = new Uint8Array(await blob.arrayBuffer()), kind = kindOf(file);
  if (!kind) throw new Trouble("errorType");
  const head = headOf(file, kind), tooLarge = (size) => size && size.width * size.height > 1e6 * limits.max_megapixels;
  const refuse = () => { throw new Trouble("errorLargeHere", "", { max_megapixels: limits.max_megapixels }); };
  if (tooLarge(head)) refuse();
  requireWhole(file, kind);
  const about = { file, kind, lossless: head?.lossless ?? false, inks: head?.inks ?? false, turn: orientationOf(exifOf(file, kind)), deep: null, grey: false };
  if (kind === "png") {
    if (/acTL/.test(text(file, 0, Math.min(file.length, 4096)))) throw new Trouble("errorType", "the PNG is an animation");
    const read = about.turn === 1 ? await readPng(file) : null;
    if (read) return { ...about, ...read };
  }
  let bitmap;
  // What is written as another kind loses its profile: then the pixels are sRGB's.
  const colorSpaceConversion = kind === "heic" || kind === "avif" || about.inks ? "default" : "none";
  try {
    bitmap = await createImageBitmap(new Blob([file], { type: blob.type }), { colorSpaceConversion, premultiplyAlpha: "none" });
  } catch (error) {
    throw new Trouble(kind === "heic" || kind === "avif" ? "errorType" : "errorBroken", String(error));
  }
  try {
    if (tooLarge(bitmap)) refuse();
    return { ...about, ...pixelsOf(bitmap, kind !== "jpeg") };
  } finally {
    bitmap.close();
  }
}

/** Read a bitmap in strips: a canvas as large as a large photo is more than phones allow. */
function pixelsOf(bitmap, mayHaveAlpha) {
  const { width, height } = bitmap, photo = { width, height, channels: 3, data: new Uint8Array(3 * width * height) };
  const alpha = mayHaveAlpha ? new Uint8Array(width * height) : null, rows = Math.min(256, height);
  const context = new OffscreenCanvas(width, rows).getContext("2d", { willReadFrequently: true });
  let clear = false;
  for (let top = 0; top < height; top += rows) {
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, Math.min(rows, height - top));
    for (let from = 0, at = top * width; from < data.length; from += 4, at++) {
      photo.data[3 * at] = data[from];
      photo.data[3 * at + 1] = data[from + 1];
      photo.data[3 * at + 2] = data[from + 2];
      if (alpha) {
        alpha[at] = data[from + 3];
        clear ||= data[from + 3] < 255;
      }
    }
  }
  return { photo, alpha: clear ? alpha : null };
}
