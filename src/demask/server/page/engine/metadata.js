/** What a file says about itself, carried into the output, and the label that says a face in it is invented. */

import { cleanedExif, exifOf, jpegSegments, webpChunks } from "./exif_block.js";
import { pngChunks } from "./png_file.js";

const encoder = new TextEncoder();
const XMP_HEAD = encoder.encode("http://ns.adobe.com/xap/1.0/\0"), EXIF_HEAD = encoder.encode("Exif\0\0");
const PNG_XMP = "XML:com.adobe.xmp", MAX_SEGMENT = 65_533, MAX_PACKET = 1 << 20;
const startsWith = (data, head) => head.every((value, i) => data[i] === value);

/** What speaks of parts that the output does not have. */
const STALE = /Thumbnails|hdr-gain-map|photos\/1\.0\/container|MotionPhoto|MicroVideo|dc\/terms|<!DOCTYPE/i;

/** The XMP packet of a file as text; null where there is none, or one that is packed. */
function packetOf(file, kind) {
  let found = null;
  if (kind === "jpeg") found = jpegSegments(file).find(({ marker, body }) => marker === 0xe1 && startsWith(body, XMP_HEAD))?.body.subarray(XMP_HEAD.length);
  else if (kind === "webp") found = webpChunks(file).find(([name]) => name === "XMP ")?.[1];
  else if (kind === "png") {
    const head = encoder.encode(`${PNG_XMP}\0\0\0`);
    const body = pngChunks(file).find(([name, data]) => name === "iTXt" && startsWith(data, head))?.[1];
    // Behind the head stand a language and a translated keyword, each with a zero at its end.
    if (body) found = body.subarray(body.indexOf(0, body.indexOf(0, head.length) + 1) + 1);
  }
  return found && found.length <= MAX_PACKET ? new TextDecoder().decode(found) : null;
}

const LABEL = "(?:DigitalSourceType|AISystemUsed|AISystemVersionUsed)";
const OLD_ATTRIBUTES = new RegExp(`\\s[\\w.-]+:${LABEL}\\s*=\\s*("[^"]*"|'[^']*')`, "g");
const OLD_ELEMENTS = new RegExp(`<([\\w.-]+:${LABEL})\\b[^>]*(/>|>[^<]*</\\1\\s*>)`, "g");

/**
 * A packet with the label: the one that was there, where it can be used, else a fresh one.
 *
 * `label` is {packet, whole}: a fresh packet as Python writes it, and what a photo says of itself of which everything
 * was invented before; that is the truer label, and stays.
 */
function labelledPacket(packet, label, { upright = true } = {}) {
  const end = packet?.lastIndexOf("</rdf:RDF>") ?? -1;
  if (end < 0 || STALE.test(packet)) return label.packet;
  let description = /<rdf:Description\b[^>]*\/>/.exec(label.packet)[0];
  // All descriptions of one packet must speak about the same thing (ISO 16684-1, sec. 7.4).
  const about = /rdf:about="([^"<]*)"/.exec(packet)?.[1] ?? "";
  description = description.replace(/rdf:about="[^"]*"/, () => `rdf:about="${about}"`);
  if (packet.includes(label.whole)) description = description.replace(/(DigitalSourceType=")[^"]*/, (_, name) => name + label.whole);
  let kept = packet.slice(0, end).replace(OLD_ATTRIBUTES, "").replace(OLD_ELEMENTS, "");
  if (upright) {
    kept = kept.replace(/(\stiff:Orientation\s*=\s*["'])[1-8](["'])/g, "$11$2").replace(/(<tiff:Orientation[^>]*>)[1-8](<)/g, "$11$2");
  }
  return kept + description + packet.slice(end);
}

const segment = (marker, ...bodies) => {
  const size = bodies.reduce((sum, body) => sum + body.length, 2), made = new Uint8Array(size + 2);
  made.set([0xff, marker, size >> 8, size & 255]);
  let at = 4;
  for (const body of bodies) {
    made.set(body, at);
    at += body.length;
  }
  return made;
};

/** The segments of a new JPEG: those of the photo but for its old EXIF and XMP, and what is true of the new one. */
export function jpegHead(file, label, { upright, profile = true }) {
  const exif = cleanedExif(exifOf(file, "jpeg"), { upright }), old = jpegSegments(file);
  let packet = encoder.encode(labelledPacket(packetOf(file, "jpeg"), label, { upright }));
  if (packet.length + XMP_HEAD.length > MAX_SEGMENT) packet = encoder.encode(labelledPacket(null, label));
  const kept = old.filter(({ marker, body }) => {
    if (marker === 0xe2) return profile && !startsWith(body, encoder.encode("MPF\0")) && !startsWith(body, encoder.encode("urn:iso:std:iso:ts:21496"));
    return marker === 0xe0 || marker === 0xed || marker === 0xee || marker === 0xfe;
  });
  const fresh = [exif && segment(0xe1, EXIF_HEAD, exif), segment(0xe1, XMP_HEAD, packet)].filter(Boolean);
  const whole = kept.map(({ marker, body }) => [marker, segment(marker, body)]);
  // JFIF asks to be the first.
  return [...whole.filter(([marker]) => marker === 0xe0), ...fresh.map((one) => [0xe1, one]), ...whole.filter(([marker]) => marker !== 0xe0)].map(([, one]) => one);
}

/** Put a head into a JPEG from a canvas, whose own segments say nothing that the head does not. */
export function withJpegHead(encoded, head) {
  const segments = jpegSegments(encoded), first = segments.find(({ marker }) => marker === 0xdb) ?? segments[0];
  const keepsJfif = head.some((one) => one[1] === 0xe0);
  const jfif = segments.filter(({ marker }) => marker === 0xe0 && !keepsJfif).map(({ from, to }) => encoded.subarray(from, to));
  return new Blob([Uint8Array.of(0xff, 0xd8), ...jfif, ...head.filter((one) => one[1] !== 0xee), encoded.subarray(first.from)], { type: "image/jpeg" });
}

const PNG_KEPT = new Set(["iCCP", "cICP", "sRGB", "gAMA", "cHRM", "mDCV", "cLLI", "pHYs", "tEXt", "zTXt", "iTXt"]);

/** The chunks of a new PNG. */
export function pngHead(file, kind, label) {
  const old = kind === "png" ? pngChunks(file) : [], xmp = encoder.encode(PNG_XMP);
  const kept = old.filter(([name, body]) => PNG_KEPT.has(name) && !(name === "iTXt" && startsWith(body, xmp)));
  const exif = cleanedExif(exifOf(file, kind), { upright: true });
  const packet = encoder.encode(`${PNG_XMP}\0\0\0\0\0${labelledPacket(packetOf(file, kind), label)}`);
  return [...kept, ...(exif ? [["eXIf", exif]] : []), ["iTXt", packet]];
}

/** A WebP from a canvas with what the photo's file said about itself, and the label. */
export function withWebpChunks(encoded, file, kind, label, { width, height, alpha }) {
  const image = webpChunks(encoded).filter(([name]) => ["ALPH", "VP8 ", "VP8L"].includes(name));
  const profile = kind === "webp" ? webpChunks(file).find(([name]) => name === "ICCP") : null;
  const exif = cleanedExif(exifOf(file, kind), { upright: true });
  const packet = encoder.encode(labelledPacket(packetOf(file, kind), label)), head = new Uint8Array(10);
  head[0] = (profile ? 0x20 : 0) | (alpha ? 0x10 : 0) | (exif ? 0x08 : 0) | 0x04;
  const three = (value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255];
  head.set([...three(width - 1), ...three(height - 1)], 4);
  const chunks = [["VP8X", head], ...(profile ? [profile] : []), ...image, ...(exif ? [["EXIF", exif]] : []), ["XMP ", packet]];
  const parts = chunks.flatMap(([name, body]) => [encoder.encode(name), little(body.length), body, new Uint8Array(body.length & 1)]);
  const size = parts.reduce((sum, part) => sum + part.length, 4);
  return new Blob([encoder.encode("RIFF"), little(size), encoder.encode("WEBP"), ...parts], { type: "image/webp" });
}

function little(value) {
  const made = new Uint8Array(4);
  new DataView(made.buffer).setUint32(0, value, true);
  return made;
}
