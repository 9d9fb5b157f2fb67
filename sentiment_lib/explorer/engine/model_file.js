/* A model as sentiment_lib.explorer.packed_model writes it, with its weights as typed arrays. */
function bytesOf(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/* IEEE 754 half precision to float32. */
function fromHalf(halves) {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i], exponent = (half >> 10) & 31, fraction = half & 1023, sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) floats[i] = fraction ? NaN : sign * Infinity;
    else floats[i] = sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  }
  return floats;
}

function unpackModel(packed) {
  const tensors = {};
  for (const [name, { shape, type, data, scales }] of Object.entries(packed.tensors)) {
    const { buffer } = bytesOf(data);
    const read = { float32: () => new Float32Array(buffer), int8: () => new Int8Array(buffer) };
    tensors[name] = {
      shape,
      data: type === "float16" ? fromHalf(new Uint16Array(buffer)) : read[type](),
      scales: scales ? new Float32Array(bytesOf(scales).buffer) : null,
    };
  }
  return { config: packed.config, tensors };
}
