/** Faces and five points in a whole photo, masked or bare: demask's faces/finder.py. */

import { bytes, rounded } from "./picture.js";
import { shrunk } from "./resample.js";

/**
 * Find every face, the largest first.
 *
 * `run` takes a picture whose sides are multiples of the grid, and resolves to {boxes, points, scores}, flat arrays
 * of every cell, in its pixels.
 */
export async function findFaces(photo, figures, run) {
  const settings = figures.finder, longest = Math.max(photo.width, photo.height), looks = [];
  const closeupScale = Math.min(settings.closeup_scale, settings.closeup_px / longest);
  let picture = photo, marginPx = 0;
  if (closeupScale * longest > settings.overview_px) {
    picture = scaled(photo, closeupScale);
    looks.push(...(await look(picture, photo, 0, figures, run)));
  } else marginPx = rounded(settings.margin * Math.min(longest, settings.overview_px));
  const overview = scaled(picture, settings.overview_px / Math.max(picture.width, picture.height));
  looks.push(...(await look(overview, photo, marginPx, figures, run)));
  const sizeOf = ({ box: [x0, y0, x1, y1] }) => Math.max(x1 - x0, y1 - y0);
  return withoutFeatures(suppressed(looks, settings.max_overlap), figures.finder_grid.max_feature).sort((one, other) => sizeOf(other) - sizeOf(one));
}

function scaled(photo, scale) {
  if (scale >= 1) return photo;
  const side = (size) => Math.max(1, rounded(size * scale));
  return shrunk(photo, side(photo.width), side(photo.height));
}

async function look(picture, photo, marginPx, { finder, finder_grid: grid }, run) {
  const { width, height } = picture, full = (size) => Math.ceil((size + 2 * marginPx) / grid.grid_px) * grid.grid_px;
  const canvas = bytes(full(width), full(height), 3);
  const top = Math.floor((canvas.height - height) / 2), left = Math.floor((canvas.width - width) / 2);
  canvas.data.fill(grid.pad_grey);
  for (let y = 0; y < height; y++) {
    canvas.data.set(picture.data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * canvas.width + left) * 3);
  }
  const { boxes, points, scores } = await run(canvas);
  const [rx, ry] = [photo.width / width, photo.height / height], faces = [], least = Math.fround(finder.min_score);
  const place = (array, i) => [(array[i] - left + 0.5) * rx - 0.5, (array[i + 1] - top + 0.5) * ry - 0.5];
  for (let cell = 0; cell < scores.length; cell++) {
    if (scores[cell] < least) continue;
    const five = Array.from({ length: 5 }, (_, i) => place(points, 10 * cell + 2 * i));
    faces.push({ box: [...place(boxes, 4 * cell), ...place(boxes, 4 * cell + 2)], points: five, score: scores[cell] });
  }
  return faces;
}

/** Drop what lies in a face and is as small as an eye or a mouth of it: close up these look like faces. */
function withoutFeatures(faces, maxFeature) {
  const side = ([x0, y0, x1, y1]) => Math.max(x1 - x0, y1 - y0);
  const isFeatureOf = (inner, outer) => inner.every((value, i) => (i < 2 ? value >= outer[i] : value <= outer[i])) && side(inner) < maxFeature * side(outer);
  return faces.filter(({ box }) => !faces.some((other) => isFeatureOf(box, other.box)));
}

/** Greedy non-maximum suppression: of faces that overlap too much, the best stays. */
function suppressed(faces, maxOverlap) {
  const kept = [], area = ([x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
  for (const face of [...faces].sort((one, other) => other.score - one.score)) {
    const overlaps = kept.some(({ box }) => {
      const [x0, y0, x1, y1] = box.map((value, i) => (i < 2 ? Math.max(value, face.box[i]) : Math.min(value, face.box[i])));
      const common = Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
      return common > maxOverlap * (area(box) + area(face.box) - common);
    });
    if (!overlaps) kept.push(face);
  }
  return kept;
}
