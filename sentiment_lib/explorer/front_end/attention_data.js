/* What the attention view draws: weights of units (tokens or words), colours, and the unpacking of both. */
const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
];
const SIGNED = [[213, 94, 0], [245, 245, 245], [0, 114, 178]]; // less, the same, more

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const percent = (w) => (Math.abs(w) >= 0.0995 ? `${Math.round(100 * w)} %` : `${(100 * w).toFixed(1)} %`);
const ramp = (stops, x) => {
  const at = Math.min(Math.max(x, 0), 1) * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((low, c) => Math.round(low + (at - i) * (stops[i + 1][c] - low)));
};
const gradient = (stops) => `linear-gradient(90deg, ${stops.map((s) => `rgb(${s})`).join(",")})`;
/* Hues around the circle; yellow to cyan are darkened so that white text on them can be read, blue and violet made
   lighter so that they can be seen on a dark page. */
const headColor = (head, heads) => {
  const hue = Math.round((360 * head) / heads);
  return `hsl(${hue} 80% ${hue > 35 && hue < 200 ? 32 : hue > 205 && hue < 295 ? 57 : 46}%)`;
};

/* What is a row and a column: tokens or words, with or without the special tokens. */
function unitsOf(panel, special, words) {
  const units = [];
  panel.tokens.forEach((token, i) => {
    const word = panel.words[i], last = units[units.length - 1];
    if (word < 0 && !special) return;
    if (words && word >= 0 && last && last.word === word) last.members.push(i);
    else units.push({ label: words ? panel.word_texts[i] : token, word, members: [i] });
  });
  return units;
}

/* Weights of one head between units, row by row: to a word the sum over its pieces, from a word their mean. Norms are
   summed in the same way, and are not divided by what remains of a row. */
function matrixOf(panel, units, layer, head, special) {
  const n = panel.tokens.length, m = units.length, out = new Float32Array(m * m);
  const weights = panel.by_layer ? panel.by_layer[layer] : panel.weights, unit = panel.top || 1;
  if (!weights) return out; // of a long text, a layer that has not been asked for yet
  const offset = ((panel.by_layer ? 0 : layer * panel.heads) + head) * n * n;
  for (let a = 0; a < m; a++) {
    for (const i of units[a].members) {
      const row = offset + i * n;
      for (let b = 0; b < m; b++) for (const j of units[b].members) out[a * m + b] += unit * SQUARE[weights[row + j]];
    }
    let total = units[a].members.length;
    if (!special && !panel.top) {
      total = 0;
      for (let b = 0; b < m; b++) total += out[a * m + b];
    }
    if (total > 0) for (let b = 0; b < m; b++) out[a * m + b] /= total;
  }
  return out;
}
const SQUARE = Float32Array.from({ length: 256 }, (_, q) => (q / 255) ** 2);

function paint(canvas, size, colorOf) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d"), image = context.createImageData(size, size);
  for (let k = 0; k < size * size; k++) {
    const [r, g, b] = colorOf(k);
    image.data.set([r, g, b, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
}

/* The small picture of a head that comes with a long text, 48 × 48 cells. */
function smallOf(panel, layer, head) {
  const at = (layer * panel.heads + head) * 2304;
  return Float32Array.from(panel.small.subarray(at, at + 2304), (q) => (panel.top || 1) * SQUARE[q]);
}

/* 256 colours of a ramp, each a pixel of a canvas (red in the lowest byte). */
const pixels = (stops) => Uint32Array.from({ length: 256 }, (_, q) => {
  const [r, g, b] = ramp(stops, q / 255);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
});
const VIRIDIS_PIXELS = pixels(VIRIDIS), SIGNED_PIXELS = pixels(SIGNED);

/* All heads as small square pictures in one canvas: a browser composes it much faster than a canvas for each head.
   weightsOf(layer, head) gives the weights between m units, row by row; of many units the strongest weight of each
   patch is shown. */
function paintHeads(canvas, layers, heads, m, weightsOf, scale, signed) {
  const size = Math.max(1, Math.min(m, 48)), width = heads * size, pooled = new Float32Array(size * size);
  canvas.width = width;
  canvas.height = layers * size;
  const context = canvas.getContext("2d"), image = context.createImageData(width, layers * size);
  const out = new Uint32Array(image.data.buffer), place = Uint8Array.from({ length: m }, (_, a) => Math.floor((a * size) / m));
  const colors = signed ? SIGNED_PIXELS : VIRIDIS_PIXELS, [low, slope] = signed ? [127.5, 255 / scale] : [0, 510 / scale];
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      const w = weightsOf(layer, head), corner = layer * size * width + head * size;
      pooled.fill(0);
      for (let a = 0; a < m; a++) {
        for (let b = 0; b < m; b++) {
          const k = place[a] * size + place[b], value = w[a * m + b];
          if (Math.abs(value) > Math.abs(pooled[k])) pooled[k] = value;
        }
      }
      for (let a = 0; a < size; a++) {
        for (let b = 0; b < size; b++) {
          const q = Math.round(low + slope * pooled[a * size + b]);
          out[corner + a * width + b] = colors[Math.min(Math.max(q, 0), 255)];
        }
      }
    }
  }
  context.putImageData(image, 0, 0);
}

/* Weights are packed with deflate; every browser of today unpacks that by itself. */
async function inflated(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
