/**
 * Affine maps, as in demask's geometry.py: [[a, b, c], [d, e, f]] moves (x, y) to (a x + b y + c, d x + e y + f).
 *
 * Pixel centres are at whole numbers. A box is [x0, y0, x1, y1], fit for slicing.
 */

/** The similarity transform that brings `source` nearest to `target` (Umeyama 1991); null where points coincide. */
export function similarity(source, target) {
  const mean = (points, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [sx, sy, tx, ty] = [mean(source, 0), mean(source, 1), mean(target, 0), mean(target, 1)];
  let spread = 0, along = 0, across = 0;
  source.forEach(([x, y], i) => {
    const [u, v] = [x - sx, y - sy], [p, q] = [target[i][0] - tx, target[i][1] - ty];
    spread += u * u + v * v;
    along += u * p + v * q;
    across += u * q - v * p;
  });
  if (!Number.isFinite(spread) || spread < 1e-6) return null;
  const a = along / spread, b = across / spread;
  return [[a, -b, tx - (a * sx - b * sy)], [b, a, ty - (b * sx + a * sy)]];
}

const determinant = ([[a, b], [d, e]]) => a * e - b * d;

export function inverted(matrix) {
  const [[a, b, c], [d, e, f]] = matrix, det = determinant(matrix);
  const [p, q, r, s] = [e / det, -b / det, -d / det, a / det];
  return [[p, q, -(p * c + q * f)], [r, s, -(r * c + s * f)]];
}

export const isInvertible = (matrix) => matrix.flat().every(Number.isFinite) && Math.abs(determinant(matrix)) >= 1e-12;

export const moved = ([[a, b, c], [d, e, f]], [x, y]) => [a * x + b * y + c, d * x + e * y + f];

/** How many pixels of the target one pixel of the source becomes. */
export const scaleOf = (matrix) => Math.sqrt(Math.abs(determinant(matrix)));

/** The same map for points that are counted from (x0, y0) of its source. */
export function fromWindow([[a, b, c], [d, e, f]], x0, y0) {
  return [[a, b, c + a * x0 + b * y0], [d, e, f + d * x0 + e * y0]];
}

/** The same map, whose target begins (dx, dy) further on. */
export const shifted = ([[a, b, c], [d, e, f]], dx, dy) => [[a, b, c + dx], [d, e, f + dy]];

/** The same map for a source that was shrunk (rx, ry) times: x_large = (x + 0.5) * rx - 0.5. */
export function fromShrunk([[a, b, c], [d, e, f]], rx, ry) {
  const [x, y] = [0.5 * rx - 0.5, 0.5 * ry - 0.5];
  return [[a * rx, b * ry, c + a * x + b * y], [d * rx, e * ry, f + d * x + e * y]];
}

/** Corners, in the source, of an upright rectangle of the target. */
export function cornersUnder(matrix, x0, y0, x1, y1) {
  const back = inverted(matrix);
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map((corner) => moved(back, corner));
}

/** Box of the pixels around some points and a margin, cut off at the edges; null where there is none. */
export function boxAround(points, { width, height }, marginPx) {
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const x0 = within(Math.floor(Math.min(...xs)) - marginPx, width), y0 = within(Math.floor(Math.min(...ys)) - marginPx, height);
  const x1 = within(Math.ceil(Math.max(...xs)) + marginPx + 1, width), y1 = within(Math.ceil(Math.max(...ys)) + marginPx + 1, height);
  return x1 > x0 && y1 > y0 ? [x0, y0, x1, y1] : null;
}
