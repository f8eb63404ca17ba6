/**
 * Pictures out of the `pixels` of a batch line: base64 of a `.npy` file, uint8 (N, 3, height, width).
 * The format: numpy.lib.format, version 1 and 2.
 */

const MOST_SIDE = 128; // what is kept to be shown

/** @returns {Promise<Blob[]>} a small picture for each position */
export async function paint(base64) {
  const { shape, data } = parse(base64);
  const [count, , height, width] = shape;
  const scale = Math.min(1, MOST_SIDE / Math.max(width, height));
  const [smallWidth, smallHeight] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const whole = new OffscreenCanvas(width, height);
  const from = whole.getContext("2d", { willReadFrequently: true });
  const image = from.createImageData(width, height);
  const rgba = image.data.fill(255);
  const plane = width * height;
  const pictures = [];
  for (let picture = 0; picture < count; picture++) {
    const start = picture * 3 * plane;
    for (let at = 0, to = 0; at < plane; at++, to += 4) {
      rgba[to] = data[start + at];
      rgba[to + 1] = data[start + plane + at];
      rgba[to + 2] = data[start + 2 * plane + at];
    }
    from.putImageData(image, 0, 0);
    const small = new OffscreenCanvas(smallWidth, smallHeight);
    const to = small.getContext("2d");
    to.imageSmoothingQuality = "medium";
    to.drawImage(whole, 0, 0, smallWidth, smallHeight);
    // JPEG takes a fifth of the time that WebP does, and side by side they are written sooner.
    pictures.push(small.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
  }
  return Promise.all(pictures);
}

function parse(base64) {
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const two = bytes[6] >= 2;
  const view = new DataView(bytes.buffer);
  const size = two ? view.getUint32(8, true) : view.getUint16(8, true);
  const begin = two ? 12 : 10;
  const head = new TextDecoder("latin1").decode(bytes.subarray(begin, begin + size));
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(head)?.[1].split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  if (!/'descr':\s*'\|u1'/.test(head) || shape?.length !== 4 || shape[1] !== 3) {
    throw new Error("the pixels of a batch are not uint8 of (N, 3, height, width)");
  }
  return { shape, data: bytes.subarray(begin + size) };
}
