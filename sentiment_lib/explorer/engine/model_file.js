/* A model as sentiment_lib.explorer.packed_model writes it. A tensor is { shape, data, scales }: data is a
   Float32Array, a Uint16Array of IEEE 754 half precision, or an Int8Array with a Float32Array of one scale per block;
   blocks are parts of a row, or whole rows, and equally long. */
function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

let halves; // the value of each of the 65,536 numbers in half precision

function valuesOfHalves() {
  return Float32Array.from({ length: 65536 }, (_, half) => {
    const exponent = (half >> 10) & 31, fraction = half & 1023, sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  });
}

function unpackModel({ config, tensors }) {
  const types = { float32: Float32Array, float16: Uint16Array, int8: Int8Array };
  const unpacked = Object.entries(tensors).map(([name, { shape, type, data, scales }]) => [name, {
    shape,
    data: new types[type](bytesOfBase64(data).buffer),
    scales: scales ? new Float32Array(bytesOfBase64(scales).buffer) : null,
  }]);
  return { config, tensors: Object.fromEntries(unpacked) };
}

/* Writes one row of a matrix, or a whole vector, to `target` from index `at`. */
function readRow({ shape, data, scales }, row, target, at) {
  const width = shape[shape.length - 1], start = row * width;
  if (scales) {
    const block = data.length / scales.length;
    for (let from = 0; from < width; from += block) {
      const scale = scales[(start + from) / block];
      for (let i = from; i < from + block; i++) target[at + i] = data[start + i] * scale;
    }
  } else if (data instanceof Uint16Array) {
    halves ??= valuesOfHalves();
    for (let i = 0; i < width; i++) target[at + i] = halves[data[start + i]];
  } else target.set(data.subarray(start, start + width), at);
}

/* A matrix (row by row) or a vector in float32. */
function asFloats(tensor) {
  const { shape, data } = tensor, floats = new Float32Array(data.length), rows = shape.length > 1 ? shape[0] : 1;
  for (let row = 0; row < rows; row++) readRow(tensor, row, floats, row * (data.length / rows));
  return floats;
}
