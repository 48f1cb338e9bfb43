/** Gaussian blurs of pictures of floats, as OpenCV makes them. */

import { rounded } from "./picture.js";

const kernels = new Map();

/** Weights of a Gaussian; as many as OpenCV takes for floats, unless a size is given. */
function gaussian(sigma, size = rounded(8 * sigma + 1) | 1) {
  const name = `${sigma}/${size}`;
  if (!kernels.has(name)) {
    const weights = Array.from({ length: size }, (_, i) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma)));
    const sum = weights.reduce((one, other) => one + other);
    kernels.set(name, Float32Array.from(weights, (weight) => weight / sum));
  }
  return kernels.get(name);
}

/** Index of a pixel past the edge: mirrored without the edge itself, or -1 where nothing is there. */
function past(index, size, mirrored) {
  if (index >= 0 && index < size) return index;
  if (!mirrored) return -1;
  if (size === 1) return 0;
  for (; index < 0 || index >= size; ) index = index < 0 ? -index : 2 * size - 2 - index;
  return index;
}

/**
 * Blur by a Gaussian; past the edges the picture is mirrored, or is nothing.
 *
 * With `alongRows` only the rows are blurred, by a kernel of `size`.
 */
export function blurred({ width, height, channels, data }, sigma, { mirrored = true, size, alongRows = false } = {}) {
  const kernel = gaussian(sigma, size), reach = kernel.length >> 1, row = width * channels;
  const across = new Float32Array(data.length);
  const columns = Array.from({ length: width + 2 * reach }, (_, i) => past(i - reach, width, mirrored));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < kernel.length; i++) {
          const column = columns[x + i];
          if (column >= 0) sum += kernel[i] * data[y * row + column * channels + c];
        }
        across[y * row + x * channels + c] = sum;
      }
    }
  }
  if (alongRows) return { width, height, channels, data: across };
  const made = new Float32Array(data.length), line = new Float64Array(row);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let i = 0; i < kernel.length; i++) {
      const from = past(y + i - reach, height, mirrored) * row, weight = kernel[i];
      if (from >= 0) for (let x = 0; x < row; x++) line[x] += weight * across[from + x];
    }
    made.set(line, y * row);
  }
  return { width, height, channels, data: made };
}
