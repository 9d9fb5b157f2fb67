/* A BERT classifier's forward pass for a page without a kernel: attention maps, gates for heads, outputs of heads taken
   from another text, and only what changed is computed again.

   model.config: layers, heads, hidden, inner, epsilon. model.tensors: for each name of the checkpoint's weights
   { data, shape, scales }; data is a Float32Array, or an Int8Array with one scale per row. All matrices are stored as
   PyTorch stores them, (out, in). */

/* A matrix or vector as float32. */
function asFloats({ data, shape, scales }) {
  if (!scales) return data;
  const floats = new Float32Array(data.length), width = data.length / shape[0];
  for (let row = 0; row < shape[0]; row++) {
    for (let i = row * width; i < (row + 1) * width; i++) floats[i] = data[i] * scales[row];
  }
  return floats;
}

/* y = x Wᵀ + b for `rows` vectors; four vectors and two outputs at a time, so that each number that is read is used
   several times. */
function linear(x, rows, weight, bias, inner, outer) {
  const y = new Float32Array(rows * outer);
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const x0 = r * inner, x1 = x0 + inner, x2 = x1 + inner, x3 = x2 + inner;
    for (let o = 0; o + 2 <= outer; o += 2) {
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
  for (let row = outer % 2 ? 0 : r; row < rows; row++) {
    for (let o = outer % 2 && row < r ? outer - 1 : 0; o < outer; o++) {
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += x[row * inner + i] * weight[o * inner + i];
      y[row * outer + o] = sum + bias[o];
    }
  }
  return y;
}

/* x + y, normalised row by row; changes x. */
function addAndNormalise(x, y, rows, width, scale, shift, epsilon) {
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    let mean = 0, square = 0;
    for (let i = start; i < start + width; i++) mean += x[i] += y ? y[i] : 0;
    mean /= width;
    for (let i = start; i < start + width; i++) square += (x[i] - mean) ** 2;
    const factor = 1 / Math.sqrt(square / width + epsilon);
    for (let i = 0; i < width; i++) x[start + i] = (x[start + i] - mean) * factor * scale[i] + shift[i];
  }
  return x;
}

/* The error function to 1.5e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const value = 1 - tail * Math.exp(-x * x);
  return x < 0 ? -value : value;
}

function bertClassifier(model) {
  const { layers, heads, hidden, inner, epsilon } = model.config, size = hidden / heads;
  const get = (name) => asFloats(model.tensors[name]);
  const dense = (name) => ({ weight: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const part = (name) => dense(`bert.encoder.layer.${layer}.${name}`);
    return {
      query: part("attention.self.query"), key: part("attention.self.key"), value: part("attention.self.value"),
      mix: part("attention.output.dense"), mixNorm: part("attention.output.LayerNorm"),
      grow: part("intermediate.dense"), shrink: part("output.dense"), norm: part("output.LayerNorm"),
    };
  });
  const pooler = dense("bert.pooler.dense"), classifier = dense("classifier");
  const norm = dense("bert.embeddings.LayerNorm");
  const position = get("bert.embeddings.position_embeddings.weight");
  const type = get("bert.embeddings.token_type_embeddings.weight");
  const table = model.tensors["bert.embeddings.word_embeddings.weight"]; // stays small: only the rows of a text are read

  function embed(ids) {
    const states = new Float32Array(ids.length * hidden);
    ids.forEach((id, i) => {
      const scale = table.scales ? table.scales[id] : 1;
      for (let j = 0; j < hidden; j++) {
        states[i * hidden + j] = table.data[id * hidden + j] * scale + position[i * hidden + j] + type[j];
      }
    });
    return addAndNormalise(states, null, ids.length, hidden, norm.weight, norm.bias, epsilon);
  }

  /* What a layer makes of its states. maps: (heads, n, n), written; outputs: (n, hidden), the heads' outputs side by
     side before they are mixed. With `rows` = 1 only the first token is computed, maps excepted. */
  function attend(block, states, n, rows, gates, replaced) {
    const [q, k, v] = ["query", "key", "value"].map((name) =>
      linear(states, n, block[name].weight, block[name].bias, hidden, hidden));
    const maps = new Float32Array(heads * n * n), outputs = new Float32Array(rows * hidden);
    const scores = new Float32Array(n), unit = 1 / Math.sqrt(size);
    for (let head = 0; head < heads; head++) {
      const gate = gates ? gates[head] : 1, from = head * size, taken = replaced && replaced.get(head);
      for (let i = 0; i < n; i++) {
        let most = -Infinity, total = 0;
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let d = 0; d < size; d++) sum += q[i * hidden + from + d] * k[j * hidden + from + d];
          scores[j] = sum * unit;
          if (scores[j] > most) most = scores[j];
        }
        for (let j = 0; j < n; j++) total += scores[j] = Math.exp(scores[j] - most);
        const row = (head * n + i) * n;
        for (let j = 0; j < n; j++) maps[row + j] = scores[j] / total;
        if (i >= rows) continue;
        for (let d = 0; d < size; d++) {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += maps[row + j] * v[j * hidden + from + d];
          outputs[i * hidden + from + d] = taken ? taken[i * size + d] : gate * sum;
        }
      }
    }
    return { maps, outputs };
  }

  /* The forward pass of one text.

     gates: layer -> array of numbers, one per head, by which its output is multiplied; replaced: layer -> Map of head to
     Float32Array (n, size), the outputs that take the place of the head's own; before: the result of another run of the
     same ids, whose layers below `from` are taken over. Result: logits [negative, positive], probability, maps
     (layers, heads, n, n) by layer, inputs and outputs of the layers. */
  function run(ids, { gates = {}, replaced = {}, before = null, from = 0 } = {}) {
    const n = ids.length, keep = before ? from : 0;
    const result = {
      inputs: before ? before.inputs.slice(0, keep + 1) : [embed(ids)],
      maps: before ? before.maps.slice(0, keep) : [],
      outputs: before ? before.outputs.slice(0, keep) : [],
    };
    let states = result.inputs[keep];
    for (let layer = keep; layer < layers; layer++) {
      const block = blocks[layer], rows = layer === layers - 1 ? 1 : n;
      const { maps, outputs } = attend(block, states, n, rows, gates[layer], replaced[layer]);
      const mixed = linear(outputs, rows, block.mix.weight, block.mix.bias, hidden, hidden);
      const middle = addAndNormalise(
        mixed, states, rows, hidden, block.mixNorm.weight, block.mixNorm.bias, epsilon);
      const wide = linear(middle, rows, block.grow.weight, block.grow.bias, hidden, inner);
      for (let i = 0; i < wide.length; i++) wide[i] *= 0.5 * (1 + erf(wide[i] * Math.SQRT1_2)); // GELU
      const narrow = linear(wide, rows, block.shrink.weight, block.shrink.bias, inner, hidden);
      states = addAndNormalise(narrow, middle, rows, hidden, block.norm.weight, block.norm.bias, epsilon);
      result.maps.push(maps);
      result.outputs.push(outputs);
      result.inputs.push(states);
    }
    const pooled = linear(states, 1, pooler.weight, pooler.bias, hidden, hidden).map(Math.tanh);
    result.logits = Array.from(linear(pooled, 1, classifier.weight, classifier.bias, hidden, 2));
    result.probability = 1 / (1 + Math.exp(result.logits[0] - result.logits[1]));
    return result;
  }

  /* The change of the logit of positive minus negative when each head is switched off alone, (layers, heads). */
  function needs(ids, complete = run(ids)) {
    const whole = complete.logits[1] - complete.logits[0];
    return blocks.map((_, layer) => Array.from({ length: heads }, (__, head) => {
      const gates = { [layer]: Array.from({ length: heads }, (___, other) => (other === head ? 0 : 1)) };
      const { logits } = run(ids, { gates, before: complete, from: layer });
      return logits[1] - logits[0] - whole;
    }));
  }

  /* A head's outputs in another run, for `replaced`. In the last layer, only those of the first token. */
  function outputsOf(result, layer, head) {
    const rows = result.outputs[layer].length / hidden, taken = new Float32Array(rows * size);
    for (let i = 0; i < rows; i++) {
      taken.set(result.outputs[layer].subarray(i * hidden + head * size, i * hidden + (head + 1) * size), i * size);
    }
    return taken;
  }

  return { run, needs, outputsOf, config: model.config };
}
