/** The coefficients of a JPEG: Huffman-coded, sequential or progressive, 8 bit (ITU-T T.81). */

import { Trouble } from "./trouble.js";

/** Place in a block, rows one after the other, of each coefficient in the order of the file (fig. A.6). */
export const ZIGZAG = (() => {
  const order = [];
  for (let sum = 0; sum < 15; sum++) {
    const places = [];
    for (let x = Math.max(0, sum - 7); x <= Math.min(7, sum); x++) places.push(8 * (sum - x) + x);
    order.push(...(sum % 2 ? places.reverse() : places));
  }
  // Even diagonals run up to the right, odd ones down to the left.
  return Uint8Array.from(order);
})();

/**
 * Read a file's coefficients.
 *
 * Returns {width, height, components, tables}, each component {id, h, v, table, wide, high, data}: `wide` and `high`
 * count blocks, `data` holds 64 numbers for each, rows of a block one after the other. Null for a kind of JPEG that
 * is not read: arithmetic or lossless coding, 12 bit, four components, or components that are red, green and blue.
 */
export function readCoefficients(file) {
  const tables = [], codes = { dc: [], ac: [] };
  let frame = null, restart = 0, adobe = null;
  for (let at = 2; at + 4 <= file.length; ) {
    if (file[at] !== 0xff) {
      at++;
      continue;
    }
    const marker = file[at + 1];
    if (marker === 0xd9) break;
    if (marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    const length = (file[at + 2] << 8) | file[at + 3], body = file.subarray(at + 4, at + 2 + length);
    at += 2 + length;
    if (marker === 0xdb) readTables(body, tables);
    else if (marker === 0xc4) readCodes(body, codes);
    else if (marker === 0xdd) restart = (body[0] << 8) | body[1];
    else if (marker === 0xee && String.fromCharCode(...body.subarray(0, 5)) === "Adobe") adobe = body[11];
    else if (marker === 0xc0 || marker === 0xc1 || marker === 0xc2) {
      if (frame) return null;
      frame = readFrame(body, marker === 0xc2);
      const rgb = frame?.components.length === 3 && (adobe === 0 || (adobe === null && frame.components.map(({ id }) => String.fromCharCode(id)).join("") === "RGB"));
      if (!frame || rgb) return null;
    } else if (marker >= 0xc3 && marker <= 0xcf) return null;
    else if (marker === 0xda) {
      if (!frame) return null;
      at = readScan(file, at, body, frame, codes, restart);
    }
  }
  if (!frame || frame.components.some(({ table }) => !tables[table])) return null;
  return { ...frame, tables };
}

function readTables(body, tables) {
  for (let at = 0; at < body.length; ) {
    const wide = body[at] >> 4, number = body[at++] & 15, table = new Uint16Array(64);
    for (let k = 0; k < 64; k++, at += wide ? 2 : 1) table[ZIGZAG[k]] = wide ? (body[at] << 8) | body[at + 1] : body[at];
    tables[number] = table;
  }
}

/** For every 16 bits that a code may begin: its length in the upper byte, what it means in the lower; 0 = no code. */
function readCodes(body, codes) {
  for (let at = 0; at < body.length; ) {
    const kind = body[at] >> 4 ? "ac" : "dc", number = body[at] & 15, counts = body.subarray(at + 1, at + 17);
    const lookup = new Uint16Array(65536);
    at += 17;
    for (let length = 1, code = 0; length <= 16; length++, code <<= 1) {
      for (let i = 0; i < counts[length - 1]; i++, code++) lookup.fill((length << 8) | body[at++], code << (16 - length), (code + 1) << (16 - length));
    }
    codes[kind][number] = lookup;
  }
}

function readFrame(body, progressive) {
  const [depth] = body, height = (body[1] << 8) | body[2], width = (body[3] << 8) | body[4], number = body[5];
  if (depth !== 8 || !width || !height || (number !== 1 && number !== 3)) return null;
  const components = Array.from({ length: number }, (_, i) => {
    const [id, sampling, table] = body.subarray(6 + 3 * i);
    return { id, h: sampling >> 4, v: sampling & 15, table };
  });
  if (components.some(({ h, v }) => !h || !v || h > 4 || v > 4)) return null;
  const mostH = Math.max(...components.map(({ h }) => h)), mostV = Math.max(...components.map(({ v }) => v));
  const across = Math.ceil(width / (8 * mostH)), down = Math.ceil(height / (8 * mostV));
  for (const component of components) {
    component.ownWide = Math.ceil(Math.ceil((width * component.h) / mostH) / 8);
    component.ownHigh = Math.ceil(Math.ceil((height * component.v) / mostV) / 8);
    component.wide = across * component.h;
    component.high = down * component.v;
    component.data = new Int16Array(64 * component.wide * component.high);
  }
  return { width, height, components, mostH, mostV, across, down, progressive };
}

/** Bits of a scan; where it ends before it should, the file is cut short. */
class Bits {
  #buffer = 0;
  #count = 0;
  #missing = 0;

  constructor(file, at) {
    Object.assign(this, { file, at });
  }

  #fill() {
    const { file } = this;
    while (this.#count <= 16) {
      let byte = file[this.at];
      if (byte === undefined || (byte === 0xff && file[this.at + 1] !== 0)) {
        byte = 0;
        if (++this.#missing > 64) throw new Trouble("errorBroken", "the JPEG is cut short");
      } else this.at += byte === 0xff ? 2 : 1;
      this.#buffer = (this.#buffer << 8) | byte;
      this.#count += 8;
    }
  }

  take(number) {
    if (!number) return 0;
    if (this.#count < number) this.#fill();
    this.#count -= number;
    return (this.#buffer >> this.#count) & ((1 << number) - 1);
  }

  code(lookup) {
    if (this.#count < 16) this.#fill();
    const found = lookup?.[(this.#buffer >> (this.#count - 16)) & 0xffff];
    if (!found) throw new Trouble("errorBroken", "the JPEG is damaged");
    this.#count -= found >> 8;
    return found & 255;
  }

  /** A number of so many bits, with its sign (sec. F.2.2.1). */
  signed(number) {
    const value = this.take(number);
    return number && value < 1 << (number - 1) ? value - (1 << number) + 1 : value;
  }

  /** Go on behind the next marker. */
  restart() {
    this.#buffer = this.#count = this.#missing = 0;
    while (this.at < this.file.length && !(this.file[this.at] === 0xff && this.file[this.at + 1] >= 0xd0 && this.file[this.at + 1] <= 0xd7)) {
      if (this.file[this.at] === 0xff && this.file[this.at + 1] > 0) return;
      this.at++;
    }
    this.at += 2;
  }
}

/** Read one scan into the frame; returns where it ends. */
function readScan(file, at, body, frame, codes, restart) {
  const parts = Array.from({ length: body[0] }, (_, i) => {
    const component = frame.components.find(({ id }) => id === body[1 + 2 * i]);
    if (!component) throw new Trouble("errorBroken", "the JPEG is damaged");
    return { component, dc: codes.dc[body[2 + 2 * i] >> 4], ac: codes.ac[body[2 + 2 * i] & 15], last: 0 };
  });
  const [first, end, precision] = body.subarray(1 + 2 * body[0]), high = precision >> 4, low = precision & 15;
  const bits = new Bits(file, at), run = { left: 0 };
  const readBlock = frame.progressive ? progressiveBlock({ first, end, high, low, run }) : sequentialBlock;
  const alone = parts.length === 1 && parts[0].component;
  const columns = alone ? alone.ownWide : frame.across, rows = alone ? alone.ownHigh : frame.down;
  for (let unit = 0; unit < columns * rows; unit++) {
    if (restart && unit && unit % restart === 0) {
      bits.restart();
      run.left = 0;
      for (const part of parts) part.last = 0;
    }
    const x = unit % columns, y = Math.floor(unit / columns);
    for (const part of parts) {
      const { component } = part, [h, v] = alone ? [1, 1] : [component.h, component.v];
      for (let j = 0; j < v; j++) {
        for (let i = 0; i < h; i++) readBlock(bits, part, component.data, 64 * ((y * v + j) * component.wide + x * h + i));
      }
    }
  }
  return bits.at;
}

function sequentialBlock(bits, part, data, at) {
  part.last += bits.signed(bits.code(part.dc));
  data[at] = part.last;
  for (let k = 1; k < 64; k++) {
    const code = bits.code(part.ac), size = code & 15;
    if (!size && code !== 0xf0) return;
    k += code >> 4;
    if (size) data[at + ZIGZAG[k & 63]] = bits.signed(size);
  }
}

/** How a scan of a progressive file reads a block (sec. G.1.2 and G.2). */
function progressiveBlock({ first, end, high, low, run }) {
  if (first === 0) {
    if (high) return (bits, _, data, at) => (data[at] |= bits.take(1) << low);
    return (bits, part, data, at) => {
      part.last += bits.signed(bits.code(part.dc));
      data[at] = part.last << low;
    };
  }
  return high ? (bits, part, data, at) => refine(bits, part, data, at, { first, end, low, run }) : (bits, part, data, at) => {
    if (run.left) return run.left--;
    for (let k = first; k <= end; k++) {
      const code = bits.code(part.ac), size = code & 15, zeros = code >> 4;
      if (!size && zeros < 15) return (run.left = (1 << zeros) - 1 + bits.take(zeros));
      k += zeros;
      if (size) data[at + ZIGZAG[k & 63]] = bits.signed(size) * (1 << low);
    }
  };
}

function refine(bits, part, data, at, { first, end, low, run }) {
  const one = 1 << low;
  const correct = (place) => {
    if (bits.take(1) && !(data[place] & one)) data[place] += data[place] > 0 ? one : -one;
  };
  let k = first;
  for (; !run.left && k <= end; k++) {
    const code = bits.code(part.ac), size = code & 15;
    let zeros = code >> 4, value = 0;
    if (size) value = bits.take(1) ? one : -one;
    else if (zeros < 15) {
      run.left = (1 << zeros) + bits.take(zeros);
      break;
    }
    for (; k <= end; k++) {
      const place = at + ZIGZAG[k];
      if (data[place]) correct(place);
      else if (!zeros--) {
        if (value) data[place] = value;
        break;
      }
    }
  }
  if (!run.left) return;
  for (; k <= end; k++) if (data[at + ZIGZAG[k]]) correct(at + ZIGZAG[k]);
  run.left--;
}
