/** Coefficients to a JPEG: sequential, one scan, with codes made for it (ITU-T T.81, annexes F and K.2). */

import { ZIGZAG } from "./jpeg_scan.js";

const sizeOf = (value) => 32 - Math.clz32(Math.abs(value));

/** Tell `symbol(kind, code)` and `extra(value, size)` of every block of a frame, in the order of the scan. */
function walk(frame, symbol, extra) {
  const { components, across, down } = frame, last = components.map(() => 0);
  for (let unit = 0; unit < across * down; unit++) {
    const x = unit % across, y = Math.floor(unit / across);
    components.forEach(({ h, v, wide, data }, c) => {
      const kind = c ? 1 : 0, [columns, rows] = components.length === 1 ? [1, 1] : [h, v];
      for (let j = 0; j < rows; j++) {
        for (let i = 0; i < columns; i++) {
          const at = 64 * ((y * rows + j) * wide + x * columns + i), difference = data[at] - last[c];
          last[c] = data[at];
          symbol(kind, sizeOf(difference));
          extra(difference, sizeOf(difference));
          let zeros = 0;
          for (let k = 1; k < 64; k++) {
            const value = data[at + ZIGZAG[k]];
            if (!value) {
              zeros++;
              continue;
            }
            for (; zeros > 15; zeros -= 16) symbol(2 + kind, 0xf0);
            symbol(2 + kind, (zeros << 4) | sizeOf(value));
            extra(value, sizeOf(value));
            zeros = 0;
          }
          if (zeros) symbol(2 + kind, 0);
        }
      }
    });
  }
}

/** Code lengths that suit how often each symbol comes, none above 16 bits (sec. K.2). */
function codesFor(often) {
  const counts = new Float64Array(257), sizes = new Int32Array(257), next = new Int32Array(257).fill(-1);
  counts.set(often);
  counts[256] = 1; // So that no code is all ones.
  for (;;) {
    let one = -1, other = -1;
    for (let i = 0; i <= 256; i++) {
      if (!counts[i]) continue;
      if (one < 0 || counts[i] <= counts[one]) [one, other] = [i, one];
      else if (other < 0 || counts[i] <= counts[other]) other = i;
    }
    if (other < 0) break;
    counts[one] += counts[other];
    counts[other] = 0;
    for (sizes[one]++; next[one] >= 0; sizes[one]++) one = next[one];
    next[one] = other;
    for (sizes[other]++; next[other] >= 0; sizes[other]++) other = next[other];
  }
  const lengths = new Int32Array(258);
  for (let i = 0; i <= 256; i++) if (sizes[i]) lengths[sizes[i]]++;
  for (let length = 257; length > 16; length--) {
    while (lengths[length] > 0) {
      let shorter = length - 2;
      while (!lengths[shorter]) shorter--;
      lengths[length] -= 2;
      lengths[length - 1]++;
      lengths[shorter + 1] += 2;
      lengths[shorter]--;
    }
  }
  let longest = 16;
  while (!lengths[longest]) longest--;
  lengths[longest]--; // The one that stands for nothing.
  const symbols = [...Array(256).keys()].filter((i) => sizes[i]).sort((a, b) => sizes[a] - sizes[b] || a - b);
  const codes = new Map();
  let code = 0, at = 0;
  for (let length = 1; length <= 16; length++, code <<= 1) for (let i = 0; i < lengths[length]; i++) codes.set(symbols[at++], [code++, length]);
  return { counts: lengths.subarray(1, 17), symbols, codes };
}

/**
 * Write a frame as `readCoefficients` gives it.
 *
 * `segments` are whole marker segments, as Uint8Arrays, that go before the tables.
 */
export function writeCoefficients(frame, segments) {
  const { width, height, components, tables } = frame, often = [0, 1, 2, 3].map(() => new Float64Array(256));
  // A file of one component has no sampling: its blocks stand one by one.
  const single = components.length === 1 && components[0];
  const layout = single ? { ...frame, across: single.ownWide, down: single.ownHigh } : frame;
  walk(layout, (kind, code) => often[kind][code]++, () => {});
  const kinds = single ? [0, 2] : [0, 1, 2, 3], codes = often.map((counts, kind) => (kinds.includes(kind) ? codesFor(counts) : null));
  const segment = (marker, body) => Uint8Array.of(0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body);
  const used = [...new Set(components.map(({ table }) => table))], deep = used.some((number) => tables[number].some((value) => value > 255));
  const tableBodies = used.map((number) => {
    const wide = tables[number].some((value) => value > 255), values = [...ZIGZAG].map((place) => tables[number][place]);
    return segment(0xdb, [(wide ? 16 : 0) | number, ...values.flatMap((value) => (wide ? [value >> 8, value & 255] : [value]))]);
  });
  const sampling = ({ h, v }) => (single ? 0x11 : (h << 4) | v);
  const frameBody = [8, height >> 8, height & 255, width >> 8, width & 255, components.length, ...components.flatMap((one) => [one.id, sampling(one), one.table])];
  const codeBodies = kinds.map((kind) => segment(0xc4, [((kind & 2) << 3) | (kind & 1), ...codes[kind].counts, ...codes[kind].symbols]));
  const scanBody = [components.length, ...components.flatMap(({ id }, c) => [id, c ? 0x11 : 0]), 0, 63, 0];
  const scan = scanBytes(layout, codes);
  return new Blob([Uint8Array.of(0xff, 0xd8), ...segments, ...tableBodies, segment(deep ? 0xc1 : 0xc0, frameBody), ...codeBodies, segment(0xda, scanBody), scan, Uint8Array.of(0xff, 0xd9)], { type: "image/jpeg" });
}

function scanBytes(frame, codes) {
  let out = new Uint8Array(1 << 20), at = 0, buffer = 0, count = 0;
  const put = (value, size) => {
    buffer = (buffer << size) | value;
    count += size;
    while (count >= 8) {
      count -= 8;
      const byte = (buffer >> count) & 255;
      if (at + 2 > out.length) {
        const larger = new Uint8Array(2 * out.length);
        larger.set(out);
        out = larger;
      }
      out[at++] = byte;
      if (byte === 255) out[at++] = 0;
    }
    buffer &= (1 << count) - 1;
  };
  walk(frame, (kind, code) => put(...codes[kind].codes.get(code)), (value, size) => size && put(value < 0 ? value + (1 << size) - 1 : value, size));
  if (count) put((1 << (8 - count)) - 1, 8 - count);
  return out.subarray(0, at);
}
