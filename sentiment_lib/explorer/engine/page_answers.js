/* What a page can ask about a model, as generators: each yields between pieces of work, with { part } where a part of
   the answer is ready, and returns the answer. Interface: page_engine.js. */

const TEXTS_KEPT = 6; // latest texts whose runs are kept

/* round(255 √(w / top)) in one byte, as codes_of in kernel_engine.py stores weights. */
function asCodes(weights, top = 1) {
  const codes = new Uint8Array(weights.length), factor = 255 / Math.sqrt(top);
  for (let i = 0; i < weights.length; i++) codes[i] = Math.round(factor * Math.sqrt(weights[i]));
  return codes;
}

/* For each token the word that it is a piece of, as joined_pieces in sentiment_lib.data. */
function wordTexts(tokens, words) {
  const texts = [...tokens];
  for (let start = 0, end; start < tokens.length; start = end) {
    for (end = start + 1; words[start] >= 0 && words[end] === words[start]; end++) {
      texts[start] += tokens[end].replace(/^##/, "");
    }
    texts.fill(texts[start], start, end);
  }
  return texts;
}

function pageAnswers({ packed, corpus, length }) {
  const model = unpackModel(packed), { layers, heads, positions } = model.config;
  if (!Number.isInteger(length) || length < 3 || length > positions) {
    throw new Error(`length=${length} does not fit; this model reads 3 to ${positions} tokens.`);
  }
  const tokenizer = wordPieceTokenizer(packed.vocabulary, packed.lowercase);
  const bert = bertClassifier(model, fastProduct());
  const texts = new Map(); // the latest texts: { encoded, complete, latest }

  function encode(text) {
    if (typeof text !== "string") throw new Error(`The text is ${JSON.stringify(text)}, not a string.`);
    return tokenizer.encode(text, length);
  }

  function known(text) {
    const found = texts.get(text) ?? { encoded: encode(text) };
    found.complete ??= { names: Array(layers).fill(""), run: bert.run(found.encoded.ids) };
    texts.delete(text);
    texts.set(text, found);
    if (texts.size > TEXTS_KEPT) texts.delete(texts.keys().next().value);
    return found;
  }

  function check(pairs) {
    for (const [layer, head] of pairs) {
      if (!(isBelow(layer, layers) && isBelow(head, heads))) {
        throw new Error(`There is no head (${layer}, ${head}); this model has ${layers} layers of ${heads} heads.`);
      }
    }
  }
  const isBelow = (number, limit) => Number.isInteger(number) && number >= 0 && number < limit;

  /* Another text's run with all heads on, whose heads can take the place of those of `text`. */
  function counterpart(text, other) {
    const [mine, its] = [text, other].map((one) => encode(one).ids.length);
    if (mine !== its) {
      const needed = "A head can take its outputs from another text only if both have the same number of tokens.";
      throw new Error(`The two texts have ${mine} and ${its} tokens. ${needed}`);
    }
    return known(other).complete.run;
  }

  /* Changes by layer, for bert.run. A head that is off and taken is off. */
  function changesOf({ text, off = [], take = null }) {
    const changes = Array(layers);
    const put = (layer, head, what) => (changes[layer] ??= new Map()).set(head, what);
    check([...off, ...(take?.heads ?? [])]);
    if (take?.heads.length) {
      const other = counterpart(text, take.text);
      for (const [layer, head] of take.heads) put(layer, head, bert.outputsOf(other, layer, head));
    }
    for (const [layer, head] of off) put(layer, head, null);
    return changes;
  }

  /* The run of a text with changes, from the lowest layer at which it differs from a run that is known. */
  function changedRun(args) {
    const text = known(args.text), changes = changesOf(args);
    const nameOf = (change) => JSON.stringify(
      [...change].sort(([a], [b]) => a - b).map(([head, taken]) => [head, taken && args.take.text]));
    const names = Array.from(changes, (change) => (change ? nameOf(change) : ""));
    const lowestChange = ({ names: others }) => {
      const layer = names.findIndex((name, at) => name !== others[at]);
      return layer < 0 ? layers : layer;
    };
    const { complete, latest = complete } = text;
    const before = lowestChange(latest) > lowestChange(complete) ? latest : complete, from = lowestChange(before);
    text.latest = from === layers ? before
      : { names, run: bert.run(text.encoded.ids, { changes, before: before.run, from }) };
    return { ...text, changes, run: text.latest.run };
  }

  function* read(args) {
    const { encoded: { tokens, words, cut }, run: { logit, parts } } = changedRun(args);
    const weights = new Uint8Array(layers * heads * tokens.length ** 2);
    parts.forEach(({ maps }, layer) => weights.set(asCodes(maps), layer * maps.length));
    const probability = 1 / (1 + Math.exp(-logit));
    return { tokens, words, word_texts: wordTexts(tokens, words), cut, logit, probability, weights };
  }

  /* The change of the logit with a further change of each head, a number for each that is not off already. */
  function* eachHead(args, furtherChange) {
    const { encoded, changes, run } = changedRun(args), all = Array(layers);
    for (let layer = layers - 1; layer >= 0; layer--) {
      const values = all[layer] = Array(heads).fill(0);
      for (let head = 0; head < heads; head++) {
        if (changes[layer]?.get(head) === null) continue;
        const further = [...changes];
        further[layer] = new Map(changes[layer]).set(head, furtherChange(layer, head));
        const again = bert.run(encoded.ids, { changes: further, before: run, from: layer, short: true });
        values[head] = again.logit - run.logit;
        yield;
      }
      yield { part: { layer, values } };
    }
    return all;
  }

  const needs = (args) => eachHead(args, () => null);

  function* patches(args) {
    const other = counterpart(args.text, args.other);
    return yield* eachHead(args, (layer, head) => bert.outputsOf(other, layer, head));
  }

  function* norms(args) {
    const { run } = changedRun(args);
    const all = [];
    for (let layer = 0; layer < layers; layer++) {
      const lengths = bert.movedLengths(run, layer), { maps } = run.parts[layer], n = lengths.length / heads;
      all.push(maps.map((weight, i) => weight * lengths[Math.floor(i / n ** 2) * n + i % n]));
      yield;
    }
    const top = all.reduce((most, layer) => layer.reduce((a, b) => Math.max(a, b), most), 0);
    const codes = new Uint8Array(layers * all[0].length);
    all.forEach((layer, i) => codes.set(asCodes(layer, top), i * layer.length));
    return { norms: codes, top };
  }

  function* leaveOut(args) {
    encode(args.text);
    if (args.take?.heads.length) throw new Error("No word can be left out while heads take outputs from another text.");
    // eslint-disable-next-line no-control-regex
    const words = args.text.split(/[\p{White_Space}\x1c-\x1f]+/u).filter(Boolean);
    if (!words.length) throw new Error("The text has no word to leave out.");
    const changes = changesOf(args), whole = changedRun({ ...args, text: words.join(" ") }).run.logit, effects = [];
    for (let i = 0; i < words.length; i++) {
      const { ids } = tokenizer.encode(words.filter((_, other) => other !== i).join(" "), length);
      effects.push(whole - bert.run(ids, { changes, short: true }).logit);
      yield { part: { done: i + 1, of: words.length } };
    }
    return { words, effects };
  }

  function* rollout(args) {
    const { run: { parts }, encoded: { tokens: { length: n } } } = changedRun(args);
    let shares = Float64Array.from({ length: n }, (_, i) => (i ? 0 : 1));
    for (const { maps } of [...parts].reverse()) { // the row of [CLS], from the last layer down
      const below = shares.map((share) => share / 2);
      for (let at = 0; at < maps.length; at++) {
        below[at % n] += shares[Math.floor(at / n) % n] * maps[at] / (2 * heads);
      }
      shares = below;
    }
    return { shares: Float32Array.from(shares) };
  }

  const searched = pairSearch(corpus, (text) => {
    const { ids, tokens, words } = encode(text);
    return { ids, tokens, words, maps: bert.run(ids).parts.map(({ maps }) => asCodes(maps)) };
  });

  function* search(args) {
    check([[args.layer, args.head]]);
    if (!corpus.length) throw new Error(can.search);
    return yield* searched(args);
  }

  const can = { needs: true, patches: true, norms: true, leaveOut: true, rollout: true };
  can.search = corpus.length > 0 || "There are no texts to search.";
  return {
    info: { layers, heads, length, can },
    kinds: { read, norms, rollout, leaveOut, patches, needs, search }, // what is answered first stands first
  };
}
