/* BERT's tokenizer for a page without a kernel: the same ids as transformers' fast tokenizer with a BertNormalizer, a
   BertPreTokenizer and a WordPiece model (Wu et al., Google's Neural Machine Translation System, 2016, section 4.1). */
const LONGEST_WORD = 100; // code points; a longer word is unknown
const SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const IS_CONTROL = /\p{C}/u, IS_SPACE = /\s/u, IS_MARK = /\p{Mn}/u, IS_PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/u;
const CHINESE = [
  [0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f], [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff], [0x2f800, 0x2fa1f],
];

/* vocabulary: the pieces in the order of their ids; lowercase: whether letters become small and lose their accents. */
function wordPieceTokenizer(vocabulary, lowercase = true) {
  const idOf = new Map(vocabulary.map((piece, id) => [piece, id]));
  const special = new Map(SPECIAL_TOKENS.filter((name) => idOf.has(name)).map((name) => [name, idOf.get(name)]));
  const unknown = special.get("[UNK]");

  /* Ids of one word's pieces: the longest piece that fits, again and again. */
  function piecesOf(word) {
    const letters = [...word], ids = [];
    if (letters.length > LONGEST_WORD) return [unknown];
    for (let start = 0; start < letters.length; ) {
      let end = letters.length, id;
      for (; end > start; end--) {
        id = idOf.get((start ? "##" : "") + letters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (end === start) return [unknown];
      ids.push(id);
      start = end;
    }
    return ids;
  }

  /* Words of a text without special tokens: cleaned, split at white space, each punctuation mark by itself. */
  function wordsOf(text) {
    let clean = "";
    for (const letter of text) {
      const code = letter.codePointAt(0);
      if (letter === "\t" || letter === "\n" || letter === "\r" || IS_SPACE.test(letter)) clean += " ";
      else if (code === 0 || code === 0xfffd || IS_CONTROL.test(letter)) continue;
      else clean += CHINESE.some(([low, high]) => code >= low && code <= high) ? ` ${letter} ` : letter;
    }
    if (lowercase) {
      clean = [...clean.normalize("NFD")].filter((letter) => !IS_MARK.test(letter)).join("");
      clean = [...clean].map((letter) => letter.toLowerCase()).join(""); // letter by letter: no final sigma
    }
    const words = [];
    for (const run of clean.split(/\s+/u)) {
      let word = "";
      for (const letter of run) {
        if (!IS_PUNCTUATION.test(letter)) {
          word += letter;
          continue;
        }
        if (word) words.push(word);
        words.push(letter);
        word = "";
      }
      if (word) words.push(word);
    }
    return words;
  }

  /* Ids with [CLS] and [SEP] around them, and for each the number of its word, -1 for these two. A special token in the
     text is one token and one word, as in transformers. What does not fit is cut out of the middle. */
  function encode(text, maxLength = 64, headShare = 0.25) {
    const ids = [], words = [];
    let count = 0;
    const whole = text.replace(/\p{Surrogate}/gu, "?"); // half of a pair, which transformers would not take
    for (const part of whole.split(/(\[(?:PAD|UNK|CLS|SEP|MASK)\])/)) {
      if (special.has(part)) {
        ids.push(special.get(part));
        words.push(count++);
        continue;
      }
      for (const word of wordsOf(part)) {
        for (const id of piecesOf(word)) {
          ids.push(id);
          words.push(count);
        }
        count++;
      }
    }
    const room = maxLength - 2, share = room * headShare;
    const head = share % 1 === 0.5 ? 2 * Math.round(share / 2) : Math.round(share); // halves to even, as in Python
    const kept = (all) => (all.length <= room ? all : [...all.slice(0, head), ...all.slice(all.length - room + head)]);
    const inside = kept(ids);
    return {
      ids: [special.get("[CLS]"), ...inside, special.get("[SEP]")],
      words: [-1, ...kept(words), -1],
      tokens: ["[CLS]", ...inside.map((id) => vocabulary[id]), "[SEP]"],
      cut: ids.length - inside.length,
    };
  }

  return { encode, wordsOf, piecesOf };
}
