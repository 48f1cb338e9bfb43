/** A photo that lies on its side is looked at in the other turns: demask's faces/turned.py. */

/** The photo turned counter-clockwise by quarter turns. */
function turnedBy({ width, height, channels, data }, turns) {
  const [wide, high] = turns % 2 ? [height, width] : [width, height], made = new data.constructor(data.length);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++, to += channels) {
      const [u, v] = { 1: [width - 1 - y, x], 2: [width - 1 - x, height - 1 - y], 3: [y, height - 1 - x] }[turns];
      for (let c = 0, from = (v * width + u) * channels; c < channels; c++) made[to + c] = data[from + c];
    }
  }
  return { width: wide, height: high, channels, data: made };
}

/** From a photo turned by quarter turns to the photo as it was. */
function turnedBack({ box, points, score }, turns, { width, height }) {
  const back = ([x, y]) => ({ 1: [width - 1 - y, x], 2: [width - 1 - x, height - 1 - y], 3: [y, height - 1 - x] })[turns];
  const [[x0, y0], [x1, y1]] = [back(box.slice(0, 2)), back(box.slice(2))];
  return { box: [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)], points: points.map(back), score };
}

const bestScore = (faces) => Math.max(0, ...faces.map(({ score }) => score));

/** Faces of a photo; where none is sure, those of the photo turned by 90, 270 or 180 degrees, if any. */
export async function findInAnyTurn(find, photo, { sure }) {
  let found = await find(photo), surest = bestScore(found);
  if (surest >= sure) return found;
  for (const turns of [1, 3, 2]) {
    const faces = await find(turnedBy(photo, turns));
    if (bestScore(faces) < Math.max(sure, surest)) continue;
    surest = bestScore(faces);
    found = faces.map((face) => turnedBack(face, turns, photo));
  }
  return found;
}

/** By how many quarter turns, clockwise, a face lies; from its eyes. */
export function quarterTurns([[x0, y0], [x1, y1]]) {
  return (Math.round(Math.atan2(y1 - y0, x1 - x0) / (Math.PI / 2)) + 4) % 4;
}
