/* Pairs of tokens in many texts to which a head gives much weight. */

const MOST_BYTES = 2 ** 28; // for the maps of the texts; what does not fit is not read
const SMALL_CORPUS = 30; // texts; in fewer, two occurrences of a pair are enough, otherwise three
const DRAWS = 99; // shuffled copies of the weights
const SEED = 1;

/* Evenly distributed integers below a limit (Marsaglia, Xorshift RNGs, 2003). */
function randomIntegers(state) {
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor((state >>> 0) / 2 ** 32 * limit);
  };
}

/* read: a function from a text to { ids, tokens, words, maps }, where maps has for each layer the weights of all
   heads, (heads, n, n), as codes (asCodes). The first search reads the texts, the next one what a cancelled search
   left. */
function pairSearch(texts, read) {
  const kept = [];
  let next = 0, bytes = 0, pairs = null;

  function* readTexts() {
    while (next < texts.length) {
      const one = read(texts[next]);
      bytes += one.maps.reduce((sum, { length }) => sum + length, 0);
      if (bytes > MOST_BYTES) next = texts.length;
      else {
        next++;
        kept.push({ ...one, inside: one.words.flatMap((word, i) => (word < 0 ? [] : [i])) });
      }
      yield { part: { read: kept.length, of: texts.length } };
    }
  }

  /* For each pair of positions in a text, special tokens left out, by rows: the group of equal pairs of tokens, or -1
     for too few; `counts` and `names` by group, and the lengths of the rows. */
  function groupPairs() {
    const least = kept.length < SMALL_CORPUS ? 2 : 3, indexOf = new Map();
    const counts = [], names = [], group = [], rows = [];
    eachPair((text, i, j) => {
      const key = text.ids[i] * 2 ** 24 + text.ids[j];
      if (!indexOf.has(key)) {
        indexOf.set(key, counts.push(0) - 1);
        names.push([text.tokens[i], text.tokens[j]]);
      }
      counts[indexOf.get(key)]++;
      group.push(indexOf.get(key));
    });
    for (const { inside } of kept) for (let i = 0; i < inside.length; i++) rows.push(inside.length - 1);
    return { group: Int32Array.from(group, (index) => (counts[index] < least ? -1 : index)), counts, names, rows };
  }

  function eachPair(visit) {
    let at = 0;
    kept.forEach((text, number) => {
      for (const i of text.inside) for (const j of text.inside) if (i !== j) visit(text, i, j, at++, number);
    });
  }

  function sumsOf(weights) {
    const sums = new Float64Array(pairs.counts.length);
    for (let i = 0; i < weights.length; i++) if (pairs.group[i] >= 0) sums[pairs.group[i]] += weights[i];
    return sums;
  }

  /* The 95th percentile of the highest mean of a group when the weights of each row are shuffled among its columns. */
  function* chanceOf(shuffled, groups) {
    const below = randomIntegers(SEED), highest = [];
    for (let draw = 0; draw < DRAWS; draw++) {
      let start = 0;
      for (const length of pairs.rows) {
        for (let i = length - 1; i > 0; i--) {
          const other = start + below(i + 1), kept = shuffled[start + i];
          shuffled[start + i] = shuffled[other];
          shuffled[other] = kept;
        }
        start += length;
      }
      const sums = sumsOf(shuffled);
      highest.push(groups.reduce((most, group) => Math.max(most, sums[group] / pairs.counts[group]), 0));
      yield;
    }
    return highest.sort((a, b) => a - b)[Math.ceil(0.95 * (DRAWS + 1)) - 1];
  }

  return function* search({ layer, head, top = 10 }) {
    yield* readTexts();
    pairs ??= groupPairs();
    yield;
    const weights = new Float32Array(pairs.group.length);
    eachPair(({ maps, tokens: { length: n } }, i, j, at) => {
      weights[at] = (maps[layer][(head * n + i) * n + j] / 255) ** 2;
    });
    const groups = [...new Set(pairs.group)].filter((group) => group >= 0);
    const sums = sumsOf(weights), mean = (group) => sums[group] / pairs.counts[group];
    const best = groups.sort((a, b) => mean(b) - mean(a) || a - b).slice(0, top);
    const found = new Map(best.map((group) => {
      const [from, to] = pairs.names[group];
      return [group, { from, to, mean: mean(group), count: pairs.counts[group], example: { weight: -1 } }];
    }));
    eachPair((_, row, column, at, text) => {
      const pair = found.get(pairs.group[at]), weight = weights[at];
      if (pair && weight > pair.example.weight) pair.example = { text, row, column, weight };
    });
    return { texts: kept.length, pairs: [...found.values()], chance: yield* chanceOf(weights, groups) };
  };
}
