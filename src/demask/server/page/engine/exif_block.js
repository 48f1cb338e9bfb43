/** EXIF: which way up a picture is, and the block as it fits the output (photo/exif.py). */

const ORIENTATION = 0x0112, LONG = 4;
const bytesOf = (letters) => Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
const PREFIX = bytesOf("Exif\0\0");

const startsWith = (data, head) => head.every((value, i) => data[i] === value);

/** The marker segments of a JPEG before its first scan: {marker, body, from, to}, with their places in the file. */
export function jpegSegments(file) {
  const segments = [];
  for (let at = 2; at + 4 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1], length = (file[at + 2] << 8) | file[at + 3];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xda || length < 2) break;
    segments.push({ marker, body: file.subarray(at + 4, at + 2 + length), from: at, to: at + 2 + length });
    at += 2 + length;
  }
  return segments;
}

/** [name, body] of the chunks of a WebP. */
export function webpChunks(file) {
  const chunks = [], numbers = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 12; at + 8 <= file.length; ) {
    const length = numbers.getUint32(at + 4, true);
    chunks.push([String.fromCharCode(...file.subarray(at, at + 4)), file.subarray(at + 8, at + 8 + length)]);
    at += 8 + length + (length & 1);
  }
  return chunks;
}

/** The EXIF block of a file, without JPEG's prefix; null where there is none. */
export function exifOf(file, kind) {
  let found = null;
  if (kind === "jpeg") found = jpegSegments(file).find(({ marker, body }) => marker === 0xe1 && startsWith(body, PREFIX))?.body;
  else if (kind === "webp") found = webpChunks(file).find(([name]) => name === "EXIF")?.[1];
  else if (kind === "png") {
    const numbers = new DataView(file.buffer, file.byteOffset, file.byteLength);
    for (let at = 8; at + 12 <= file.length && !found; at += 12 + numbers.getUint32(at)) {
      if (startsWith(file.subarray(at + 4), bytesOf("eXIf"))) found = file.subarray(at + 8, at + 8 + numbers.getUint32(at));
    }
  }
  if (!found) return null;
  return startsWith(found, PREFIX) ? found.subarray(6) : found;
}

/** Places of the entries of the main directory, and where it ends; null where the block is broken. */
function directoryOf(block) {
  const numbers = new DataView(block.buffer, block.byteOffset, block.byteLength), little = block[0] === 0x49;
  if (block.length < 8 || block[0] !== block[1] || ![0x49, 0x4d].includes(block[0]) || numbers.getUint16(2, little) !== 42) return null;
  const start = numbers.getUint32(4, little);
  if (start + 2 > block.length) return null;
  const end = start + 2 + 12 * numbers.getUint16(start, little);
  if (end > block.length) return null;
  const entries = [];
  for (let at = start + 2; at < end; at += 12) entries.push(at);
  return { numbers, little, entries, end };
}

/** The orientation, 1 to 8; 1 where the block does not say. */
export function orientationOf(block) {
  const found = block && directoryOf(block);
  if (!found) return 1;
  const { numbers, little, entries } = found, entry = entries.find((at) => numbers.getUint16(at, little) === ORIENTATION);
  if (entry === undefined) return 1;
  const value = numbers.getUint16(entry + 2, little) === LONG ? numbers.getUint32(entry + 8, little) : numbers.getUint16(entry + 8, little);
  return value >= 1 && value <= 8 ? value : 1;
}

/** A copy without its thumbnail, which shows the picture as it was; upright, unless the pixels stay as they lay. */
export function cleanedExif(block, { upright }) {
  if (!block) return null;
  const copy = block.slice(), found = directoryOf(copy);
  if (!found) return null;
  const { numbers, little, entries, end } = found;
  for (const entry of upright ? entries : []) {
    if (numbers.getUint16(entry, little) !== ORIENTATION) continue;
    if (numbers.getUint16(entry + 2, little) === LONG) numbers.setUint32(entry + 8, 1, little);
    else numbers.setUint16(entry + 8, 1, little);
  }
  if (end + 4 <= copy.length) numbers.setUint32(end, 0, little);
  return copy;
}
