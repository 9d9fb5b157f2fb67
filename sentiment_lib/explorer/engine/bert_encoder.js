/* The forward pass of a BERT or DistilBERT classifier with attention maps, where heads can be switched off or take
   their outputs from another text, and only what is changed is computed again. */

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

/* model: from unpackModel; product: from fastProduct or plainProduct. */
function bertClassifier(model, product) {
  const { layers, heads, hidden, epsilon, pooling } = model.config, size = hidden / heads;
  const tensor = (name, kind) => model.tensors[`${name}.${kind}`];
  const dense = (name) => product.prepare({ weight: tensor(name, "weight"), bias: tensor(name, "bias") });
  const normOf = (name) => [asFloats(tensor(name, "weight")), asFloats(tensor(name, "bias")), epsilon];
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const part = (make, ...names) => Object.fromEntries(names.map((name) => [name, make(`${layer}.${name}`)]));
    return {
      ...part(dense, "query", "key", "value", "mix", "grow", "shrink"),
      ...part(normOf, "mixNorm", "norm"),
    };
  });
  const pooler = dense("pooler"), classifier = dense("classifier"), embeddingNorm = normOf("norm");
  const words = model.tensors.words, positions = model.tensors.positions; // only the rows of a text are read

  function embed(ids) {
    const states = new Float32Array(ids.length * hidden), places = new Float32Array(ids.length * hidden);
    ids.forEach((id, i) => {
      readRow(words, id, states, i * hidden);
      readRow(positions, i, places, i * hidden);
    });
    return addAndNormalise(states, places, ids.length, hidden, ...embeddingNorm);
  }

  /* The attention of a layer that reads `states`, (n, hidden), before its heads are mixed: maps (heads, n, n), values
     and outputs (n, hidden), with the heads side by side. In the last layer, outputs has only the row of the first
     token, which is all that a classifier reads. With `short`, its maps have only this row too. */
  function attend(layer, states, n, short) {
    const block = blocks[layer], isLast = layer === layers - 1, rows = isLast ? 1 : n, seen = short && isLast ? 1 : n;
    const query = product.multiply(states, seen, block.query), key = product.multiply(states, n, block.key);
    const values = product.multiply(states, n, block.value);
    const maps = new Float32Array(heads * seen * n), outputs = new Float32Array(rows * hidden);
    const scores = new Float64Array(n), unit = 1 / Math.sqrt(size);
    for (let head = 0; head < heads; head++) {
      const from = head * size;
      for (let i = 0; i < seen; i++) {
        let most = -Infinity, total = 0;
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let q = i * hidden + from, k = j * hidden + from, end = q + size; q < end; q++, k++) {
            sum += query[q] * key[k];
          }
          scores[j] = sum * unit;
          if (scores[j] > most) most = scores[j];
        }
        for (let j = 0; j < n; j++) total += scores[j] = Math.exp(scores[j] - most);
        const row = (head * seen + i) * n, out = i * hidden + from;
        for (let j = 0; j < n; j++) {
          const share = maps[row + j] = scores[j] / total;
          if (i >= rows) continue;
          for (let d = 0, v = j * hidden + from; d < size; d++, v++) outputs[out + d] += share * values[v];
        }
      }
    }
    return { states, maps, values, outputs };
  }

  /* What a layer hands on. change: Map of head to null (it is switched off) or to its outputs, (rows, size). */
  function finish(layer, { states, outputs }, change) {
    const block = blocks[layer], rows = outputs.length / hidden, mixed = outputs.slice();
    for (const [head, taken] of change ?? []) {
      for (let i = 0; i < rows; i++) {
        const at = i * hidden + head * size;
        if (taken) mixed.set(taken.subarray(i * size, (i + 1) * size), at);
        else mixed.fill(0, at, at + size);
      }
    }
    const middle = product.multiply(mixed, rows, block.mix);
    addAndNormalise(middle, states, rows, hidden, ...block.mixNorm);
    const wide = product.multiply(middle, rows, block.grow);
    for (let i = 0; i < wide.length; i++) wide[i] *= 0.5 * (1 + erf(wide[i] * Math.SQRT1_2)); // GELU
    return addAndNormalise(product.multiply(wide, rows, block.shrink), middle, rows, hidden, ...block.norm);
  }

  /* The forward pass of one text.

     changes: for each layer what finish() takes, or nothing; before: another run of the same ids, with the same changes
     below layer `from`; its attention is taken over up to that layer, which reads the same as before. short: maps of
     the last layer are not needed. Result: logit (positive minus negative), and parts, what attend() gives by layer. */
  function run(ids, { changes = [], before = null, from = 0, short = false } = {}) {
    const n = ids.length, parts = before ? before.parts.slice(0, from + 1) : [attend(0, embed(ids), n, short)];
    let states = finish(parts.length - 1, parts[parts.length - 1], changes[parts.length - 1]);
    while (parts.length < layers) {
      parts.push(attend(parts.length, states, n, short));
      states = finish(parts.length - 1, parts[parts.length - 1], changes[parts.length - 1]);
    }
    const pooled = product.multiply(states, 1, pooler).map((x) => (pooling === "relu" ? Math.max(x, 0) : Math.tanh(x)));
    const [negative, positive] = product.multiply(pooled, 1, classifier);
    return { logit: positive - negative, parts };
  }

  /* A head's own outputs in a run, (rows, size), for `changes`. */
  function outputsOf({ parts }, layer, head) {
    const { outputs } = parts[layer], rows = outputs.length / hidden, taken = new Float32Array(rows * size);
    for (let i = 0; i < rows; i++) {
      taken.set(outputs.subarray(i * hidden + head * size, i * hidden + (head + 1) * size), i * size);
    }
    return taken;
  }

  /* ‖f(x)‖ for each head and token of a layer, (heads, n): the length of the token's value after the head's share of
     the output projection, without bias (Kobayashi et al., Attention is not only a weight, EMNLP 2020, section 3). */
  function movedLengths({ parts }, layer) {
    const { values } = parts[layer], n = values.length / hidden, lengths = new Float32Array(heads * n);
    const mix = asFloats(tensor(`${layer}.mix`, "weight"));
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < n; i++) {
        let square = 0;
        for (let o = 0; o < hidden; o++) {
          let sum = 0;
          for (let d = head * size; d < (head + 1) * size; d++) sum += mix[o * hidden + d] * values[i * hidden + d];
          square += sum * sum;
        }
        lengths[head * n + i] = Math.sqrt(square);
      }
    }
    return lengths;
  }

  return { run, outputsOf, movedLengths };
}
