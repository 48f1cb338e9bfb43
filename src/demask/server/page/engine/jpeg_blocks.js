/**
 * A changed photo in its own JPEG: only the blocks that the hole touches are encoded, all others keep the very
 * numbers that the file holds (ITU-T T.81, sec. A.3), as demask's photo/jpeg_blocks.py does.
 *
 * The file keeps its orientation and its tables. What was progressive becomes sequential.
 */

import { readCoefficients } from "./jpeg_scan.js";
import { writeCoefficients } from "./jpeg_write.js";

const COSINES = Float64Array.from({ length: 64 }, (_, i) => {
  const u = i >> 3, x = i & 7;
  return (u ? 0.5 : Math.SQRT1_2 / 2) * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});

/** Where a pixel of the stored picture lies in the upright one (EXIF 2.32, sec. 4.6.4). */
function uprightPlace(turn, { width, height }) {
  const swaps = turn >= 5, left = [2, 3, 6, 7].includes(turn), down = [3, 4, 7, 8].includes(turn);
  return (x, y) => {
    const [u, v] = swaps ? [y, x] : [x, y];
    return (down ? height - 1 - v : v) * width + (left ? width - 1 - u : u);
  };
}

/**
 * Write the photo; null where its JPEG is of a kind that cannot be kept.
 *
 * `photo` and `changed` are upright; `turn` is the file's orientation; `segments` go into the new file.
 */
export function keptJpeg(file, photo, changed, turn, segments) {
  const frame = readCoefficients(file);
  if (!frame) return null;
  const place = uprightPlace(turn, photo), swaps = turn >= 5;
  if (frame.width !== (swaps ? photo.height : photo.width) || frame.height !== (swaps ? photo.width : photo.height)) return null;
  const { mostH, mostV } = frame;
  if (frame.components.some(({ h, v }) => mostH % h || mostV % v)) return null;
  frame.components.forEach((component, c) => {
    const stepX = mostH / component.h, stepY = mostV / component.v, weights = weightsOf(c);
    for (const [bx, by] of touched(frame, changed, place, 8 * stepX, 8 * stepY)) {
      const block = new Float64Array(64);
      for (let i = 0; i < 64; i++) {
        let sum = 0;
        for (let v = 0; v < stepY; v++) {
          for (let u = 0; u < stepX; u++) {
            const x = Math.min((8 * bx + (i & 7)) * stepX + u, frame.width - 1), y = Math.min((8 * by + (i >> 3)) * stepY + v, frame.height - 1);
            const at = 3 * place(x, y), { data } = photo;
            sum += Math.round(weights[0] * data[at] + weights[1] * data[at + 1] + weights[2] * data[at + 2] + weights[3]);
          }
        }
        block[i] = Math.floor(sum / (stepX * stepY) + 0.5) - 128;
      }
      transform(block, frame.tables[component.table], component.data, 64 * (by * component.wide + bx));
    }
  });
  return writeCoefficients(frame, segments);
}

/** Red, green, blue and a constant that make brightness, Cb or Cr (JFIF 1.02). */
function weightsOf(component) {
  return [[0.299, 0.587, 0.114, 0], [-0.168735892, -0.331264108, 0.5, 128], [0.5, -0.418687589, -0.081312411, 128]][component];
}

/** The blocks [x, y], of so many pixels, that hold a changed one. */
function touched({ width, height }, changed, place, wide, high) {
  const found = [];
  for (let by = 0; by * high < height; by++) {
    for (let bx = 0; bx * wide < width; bx++) {
      let any = false;
      for (let y = by * high; y < Math.min((by + 1) * high, height) && !any; y++) {
        for (let x = bx * wide; x < Math.min((bx + 1) * wide, width) && !any; x++) any = changed.data[place(x, y)] === 1;
      }
      if (any) found.push([bx, by]);
    }
  }
  return found;
}

/** The cosine transform of a block, divided by a table and rounded. */
function transform(block, table, data, at) {
  const rows = new Float64Array(64);
  for (let y = 0; y < 8; y++) {
    for (let u = 0; u < 8; u++) {
      let sum = 0;
      for (let x = 0; x < 8; x++) sum += COSINES[8 * u + x] * block[8 * y + x];
      rows[8 * y + u] = sum;
    }
  }
  for (let v = 0; v < 8; v++) {
    for (let u = 0; u < 8; u++) {
      let sum = 0;
      for (let y = 0; y < 8; y++) sum += COSINES[8 * v + y] * rows[8 * y + u];
      const value = sum / table[8 * v + u];
      data[at + 8 * v + u] = Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
    }
  }
}
