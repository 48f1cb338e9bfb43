/**
 * Pictures as the engine holds them: {width, height, channels, data}, rows one after the other.
 *
 * `data` is a Uint8Array for what is seen and a Float32Array for what is computed. A hole is a picture of one
 * channel of 0 and 1.
 */

export const bytes = (width, height, channels = 1) => ({ width, height, channels, data: new Uint8Array(width * height * channels) });

export const floats = (width, height, channels = 1) => ({ width, height, channels, data: new Float32Array(width * height * channels) });

/** The same size with a value made of every value; `kind` is Uint8Array or Float32Array. */
export function mapped({ width, height, channels, data }, kind, make) {
  const made = new kind(data.length);
  for (let i = 0; i < data.length; i++) made[i] = make(data[i], i);
  return { width, height, channels, data: made };
}

export const asFloats = (picture) => ({ ...picture, data: Float32Array.from(picture.data) });

/** A copy of the part in a box. */
export function cut({ width, channels, data }, [x0, y0, x1, y1]) {
  const part = { width: x1 - x0, height: y1 - y0, channels, data: new data.constructor((x1 - x0) * (y1 - y0) * channels) };
  const row = part.width * channels;
  for (let y = y0; y < y1; y++) {
    const from = (y * width + x0) * channels;
    part.data.set(data.subarray(from, from + row), (y - y0) * row);
  }
  return part;
}

/** How many values are not 0. */
export function count({ data }) {
  let number = 0;
  for (let i = 0; i < data.length; i++) if (data[i]) number++;
  return number;
}

/** The nearest whole number, halves to the even one, as C's and NumPy's rounding has it. */
export function rounded(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** Brightness of an RGB picture, 8 bit, in the whole numbers of OpenCV's RGB to grey. */
export function grey({ width, height, data }) {
  const made = bytes(width, height);
  for (let i = 0, j = 0; i < made.data.length; i++, j += 3) {
    made.data[i] = (data[j] * 9798 + data[j + 1] * 19235 + data[j + 2] * 3735 + 16384) >> 15;
  }
  return made;
}
