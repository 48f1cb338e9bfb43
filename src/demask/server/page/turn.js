/** Turning a photo by a quarter, clockwise. */

import { canvas } from "./state.js";

/** EXIF's orientation, and what it becomes when the picture is turned once more. */
const NEXT = { 1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2 };
const ORIENTATION = 0x0112;

/** The file, turned: a JPEG keeps every byte of its picture and says in EXIF how it stands; others become a PNG. */
export async function turned(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return new File(turnedJpeg(bytes), file.name, { type: "image/jpeg" });
  const bitmap = await createImageBitmap(file), made = canvas(bitmap.height, bitmap.width);
  const context = made.getContext("2d");
  context.translate(bitmap.height, 0);
  context.rotate(Math.PI / 2);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await new Promise((resolve) => made.toBlob(resolve, "image/png"));
  return new File([blob], file.name.replace(/(\.[^.]*)?$/, ".png"), { type: "image/png" });
}

/** Parts of a JPEG file whose EXIF says the next orientation. */
function turnedJpeg(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] >= 0xe0; at += 2 + view.getUint16(at + 2)) {
    const end = at + 2 + view.getUint16(at + 2);
    const isExif = bytes[at + 1] === 0xe1 && String.fromCharCode(...bytes.slice(at + 4, at + 10)) === "Exif\0\0";
    if (isExif) return [bytes.slice(0, at), segment(turnedTiff(bytes.slice(at + 10, end))), bytes.slice(end)];
  }
  // No EXIF yet: a little-endian one without an entry.
  const none = Uint8Array.of(0x49, 0x49, 42, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return [bytes.slice(0, 2), segment(turnedTiff(none)), bytes.slice(2)];
}

function segment(tiff) {
  const made = new Uint8Array(tiff.length + 10);
  made.set([0xff, 0xe1, (tiff.length + 8) >> 8, (tiff.length + 8) & 255, 69, 120, 105, 102, 0, 0]);
  made.set(tiff, 10);
  return made;
}

/** EXIF with the next orientation; where it has none, its first directory is written anew at the end with one. */
function turnedTiff(tiff) {
  const view = new DataView(tiff.buffer), little = tiff[0] === 0x49;
  const first = view.getUint32(4, little), count = view.getUint16(first, little);
  for (let i = 0, at = first + 2; i < count; i++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    view.setUint16(at + 8, NEXT[view.getUint16(at + 8, little)] ?? NEXT[1], little);
    return tiff;
  }
  const start = tiff.length + (tiff.length % 2), made = new Uint8Array(start + 2 + 12 * (count + 1) + 4);
  made.set(tiff);
  const out = new DataView(made.buffer);
  out.setUint32(4, start, little);
  out.setUint16(start, count + 1, little);
  // Entries stand in the order of their tags.
  let written = start + 2, placed = false;
  const addEntry = () => {
    out.setUint16(written, ORIENTATION, little);
    out.setUint16(written + 2, 3, little);
    out.setUint32(written + 4, 1, little);
    out.setUint16(written + 8, NEXT[1], little);
    written += 12;
    placed = true;
  };
  for (let i = 0, at = first + 2; i < count; i++, at += 12, written += 12) {
    if (!placed && view.getUint16(at, little) > ORIENTATION) addEntry();
    made.set(tiff.slice(at, at + 12), written);
  }
  if (!placed) addEntry();
  made.set(tiff.slice(first + 2 + 12 * count, first + 6 + 12 * count), written);
  return made;
}
