/** The hole as a PNG. */

import { drawHole } from "./hole.js";
import { state } from "./state.js";

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function pngChunk(kind, body) {
  const chunk = new Uint8Array(body.length + 12), view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(new TextEncoder().encode(kind), 4);
  chunk.set(body, 8);
  let crc = ~0;
  for (const byte of chunk.subarray(4, -4)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(chunk.length - 4, ~crc);
  return chunk;
}

/**
 * The hole at the photo's own size as a PNG of one bit per pixel, white = fill.
 *
 * Drawn in strips and packed by hand: a canvas as large as a large photo is more than phones allow.
 */
export async function holePng() {
  const { width, height } = state;
  const zip = new CompressionStream("deflate"), writer = zip.writable.getWriter();
  const packed = new Response(zip.readable).arrayBuffer();
  for (let y = 0; y < height; y += 256) {
    const rows = Math.min(256, height - y);
    const { data } = drawHole(0, y, width, rows, 1).getContext("2d").getImageData(0, 0, width, rows);
    const stride = 1 + Math.ceil(width / 8), bits = new Uint8Array(rows * stride);
    for (let row = 0, i = 3; row < rows; row++) {
      for (let x = 0; x < width; x++, i += 4) if (data[i] > 127) bits[row * stride + 1 + (x >> 3)] |= 128 >> (x & 7);
    }
    await writer.write(bits);
  }
  await writer.close();
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 1;
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const chunks = [pngChunk("IHDR", header), pngChunk("IDAT", new Uint8Array(await packed)), pngChunk("IEND", new Uint8Array(0))];
  return new Blob([signature, ...chunks], { type: "image/png" });
}
