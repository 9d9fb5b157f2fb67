/* y = x Wᵀ + b, in WebAssembly with 128-bit vectors, or in plain JavaScript where these are missing.

   Both have prepare({ weight, bias }), which takes tensors of shape (outer, inner) and (outer), and
   multiply(x, rows, prepared), which takes a Float32Array (rows, inner) and returns a new one (rows, outer). */

/* Four rows and two outputs at a time, so that each number that is read is used several times. */
function plainProduct() {
  const prepare = ({ weight, bias }) =>
    ({ weight: asFloats(weight), bias: asFloats(bias), inner: weight.shape[1], outer: weight.shape[0] });

  function multiply(x, rows, { weight, bias, inner, outer }) {
    const y = new Float32Array(rows * outer), even = outer - outer % 2;
    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      const x0 = r * inner, x1 = x0 + inner, x2 = x1 + inner, x3 = x2 + inner;
      for (let o = 0; o < even; o += 2) {
        const w0 = o * inner, w1 = w0 + inner;
        let a0 = 0, a1 = 0, b0 = 0, b1 = 0, c0 = 0, c1 = 0, d0 = 0, d1 = 0;
        for (let i = 0; i < inner; i++) {
          const u = weight[w0 + i], v = weight[w1 + i], p = x[x0 + i], q = x[x1 + i], s = x[x2 + i], t = x[x3 + i];
          a0 += p * u;
          a1 += p * v;
          b0 += q * u;
          b1 += q * v;
          c0 += s * u;
          c1 += s * v;
          d0 += t * u;
          d1 += t * v;
        }
        let at = r * outer + o;
        for (const [first, second] of [[a0, a1], [b0, b1], [c0, c1], [d0, d1]]) {
          y[at] = first + bias[o];
          y[at + 1] = second + bias[o + 1];
          at += outer;
        }
      }
    }
    for (let row = 0; row < rows; row++) { // rows after the last four, and the last of an odd number of outputs
      for (let o = row < r ? even : 0; o < outer; o++) {
        let sum = 0;
        for (let i = 0; i < inner; i++) sum += x[row * inner + i] * weight[o * inner + i];
        y[row * outer + o] = sum + bias[o];
      }
    }
    return y;
  }

  return { kind: "JavaScript", prepare, multiply };
}

/* The bytes of a WebAssembly module that imports "page" "memory" and exports one function:

   (func (export "multiply")
     (param $x i32)        ;; inputs, four rows side by side: [blocks][inner][4]
     (param $w i32)        ;; weights, eight outputs side by side: [outer / 8][inner][8]
     (param $b i32)        ;; bias: [outer]
     (param $y i32)        ;; results: [4 * blocks][outer]
     (param $blocks i32) (param $inner i32) (param $outer i32)
     (local $xAt i32) (local $wAt i32) (local $yAt i32) (local $block i32) (local $left i32)
     (local $u v128) (local $v v128) (local $p v128)
     (local $a0 v128) … (local $a7 v128)   ;; sums: of row r, outputs 0 to 3 in a(2r), 4 to 7 in a(2r + 1)
     (loop $panel
       xAt = x; yAt = y; block = blocks
       (loop $rows
         a0 = a2 = a4 = a6 = load(b); a1 = a3 = a5 = a7 = load(b + 16)
         wAt = w; left = inner
         (loop $sum          ;; four times, for k = 0 to 3:
           u = load(wAt + 32k); v = load(wAt + 32k + 16)
           ;; for each row r
           p = load32_splat(xAt + 16k + 4r); a(2r) += p * u; a(2r + 1) += p * v
           xAt += 64; wAt += 128; left -= 4; br_if $sum (left))
         ;; for each row r
         store(yAt, a(2r)); store(yAt + 16, a(2r + 1)); yAt += 4 * outer
         block -= 1; br_if $rows (block))
       w = wAt; b += 32; y += 32; …; br_if $panel (panels left)))

   With `fused`, a + p * u is one instruction (relaxed SIMD), which older browsers lack. */
function productModule(fused) {
  const number = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...number(n >>> 7)]); // unsigned LEB128
  const signed = (n) => (n < 64 ? [n] : [(n & 127) | 128, ...signed(n >> 7)]); // signed LEB128 of n >= 0
  const vector = (items) => [...number(items.length), ...items.flat()];
  const section = (id, items) => [id, ...number(vector(items).length), ...vector(items)];
  const text = (name) => vector([...name].map((letter) => [letter.charCodeAt(0)]));
  const names = ["x", "w", "b", "y", "blocks", "inner", "outer", "xAt", "wAt", "yAt", "block", "left", "stride",
    "u", "v", "p", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"];
  const get = (name) => [0x20, names.indexOf(name)], set = (name, value) => [...value, 0x21, names.indexOf(name)];
  const constant = (n) => [0x41, ...signed(n)];
  const plus = (a, b) => [...a, ...b, 0x6a], minus = (a, b) => [...a, ...b, 0x6b];
  const add = (name, value) => set(name, plus(get(name), value));
  const repeatWhile = (name, step, body) =>
    [0x03, 0x40, ...body, ...set(name, minus(get(name), constant(step))), ...get(name), 0x0d, 0, 0x0b];
  const load = (name, offset) => [...get(name), 0xfd, 0x00, 4, ...number(offset)];
  const splat = (name, offset) => [...get(name), 0xfd, 0x09, 2, ...number(offset)];
  const store = (name, offset, value) => [...get(name), ...get(value), 0xfd, 0x0b, 4, ...number(offset)];
  const addProduct = (sum, a, b) => set(sum, fused
    ? [...get(a), ...get(b), ...get(sum), 0xfd, 0x85, 0x02]
    : [...get(a), ...get(b), 0xfd, 0xe6, 0x01, ...get(sum), 0xfd, 0xe4, 0x01]);
  const four = (make) => [0, 1, 2, 3].flatMap(make);
  const body = [
    ...set("stride", [...get("outer"), ...constant(2), 0x74]),
    ...repeatWhile("outer", 8, [
      ...set("xAt", get("x")), ...set("yAt", get("y")), ...set("block", get("blocks")),
      ...repeatWhile("block", 1, [
        ...four((r) => [...set(`a${2 * r}`, load("b", 0)), ...set(`a${2 * r + 1}`, load("b", 16))]),
        ...set("wAt", get("w")), ...set("left", get("inner")),
        ...repeatWhile("left", 4, [
          ...four((k) => [
            ...set("u", load("wAt", 32 * k)), ...set("v", load("wAt", 32 * k + 16)),
            ...four((r) => [
              ...set("p", splat("xAt", 16 * k + 4 * r)),
              ...addProduct(`a${2 * r}`, "p", "u"), ...addProduct(`a${2 * r + 1}`, "p", "v"),
            ]),
          ]),
          ...add("xAt", constant(64)), ...add("wAt", constant(128)),
        ]),
        ...four((r) => [
          ...store("yAt", 0, `a${2 * r}`), ...store("yAt", 16, `a${2 * r + 1}`), ...add("yAt", get("stride"))]),
      ]),
      ...set("w", get("wAt")), ...add("b", constant(32)), ...add("y", constant(32)),
    ]),
  ];
  const i32 = 0x7f, v128 = 0x7b, locals = vector([[6, i32], [11, v128]]);
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [[0x60, ...vector(Array(7).fill([i32])), 0]]), // type 0: seven numbers, no result
    ...section(2, [[...text("page"), ...text("memory"), 2, 0, 1]]),
    ...section(3, [[0]]),
    ...section(7, [[...text("multiply"), 0, 0]]),
    ...section(10, [vector([...locals, ...body, 0x0b].map((byte) => [byte]))]),
  ]);
}

/* The fastest product that this browser can compute. */
function fastProduct() {
  const plain = plainProduct();
  if (typeof WebAssembly === "undefined") return plain;
  const bytes = [true, false].map(productModule).find((module) => WebAssembly.validate(module));
  return bytes ? vectorProduct(bytes, plain) : plain;
}

function vectorProduct(bytes, plain) {
  const PAGE = 65536, memory = new WebAssembly.Memory({ initial: 1 });
  const { multiply: kernel } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { page: { memory } }).exports;
  let floats = new Float32Array(memory.buffer), used = 0, scratch = 0, room = 0;

  /* Index of `count` new floats, at a multiple of 16 bytes. */
  function allocate(count) {
    const at = used;
    used += Math.ceil(count / 4) * 4;
    const missing = used * 4 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    floats = new Float32Array(memory.buffer);
    return at;
  }

  function prepare({ weight, bias }) {
    const [outer, inner] = weight.shape;
    if (outer % 8 || inner % 4) return plain.prepare({ weight, bias });
    const at = allocate(outer * inner), biasAt = allocate(outer), row = new Float32Array(inner);
    for (let o = 0; o < outer; o++) {
      readRow(weight, o, row, 0);
      const start = at + (o >> 3) * 8 * inner + (o & 7);
      for (let i = 0; i < inner; i++) floats[start + i * 8] = row[i];
    }
    floats.set(asFloats(bias), biasAt);
    return { at, biasAt, inner, outer };
  }

  function multiply(x, rows, prepared) {
    const { at, biasAt, inner, outer } = prepared;
    if (at === undefined) return plain.multiply(x, rows, prepared);
    const blocks = Math.ceil(rows / 4), needed = 4 * blocks * (inner + outer);
    if (needed > room) [scratch, room] = [allocate(needed), needed];
    const results = scratch + 4 * blocks * inner;
    for (let row = 0; row < rows; row++) {
      const start = scratch + (row >> 2) * 4 * inner + (row & 3), from = row * inner;
      for (let i = 0; i < inner; i++) floats[start + i * 4] = x[from + i];
    }
    kernel(scratch * 4, at * 4, biasAt * 4, results * 4, blocks, inner, outer);
    return floats.slice(results, results + rows * outer);
  }

  return { kind: "WebAssembly", prepare, multiply };
}
