/** The figures that Python tells (server/browser_files.py), with the regions of the frame as pictures. */

export function unpacked(figures) {
  const regions = Object.entries(figures.regions).map(([name, { width, height, bits }]) => {
    const packed = Uint8Array.from(atob(bits), (letter) => letter.charCodeAt(0));
    const data = Uint8Array.from({ length: width * height }, (_, i) => (packed[i >> 3] >> (7 - (i & 7))) & 1);
    return [name, { width, height, channels: 1, data }];
  });
  return { ...figures, regions: Object.fromEntries(regions) };
}
