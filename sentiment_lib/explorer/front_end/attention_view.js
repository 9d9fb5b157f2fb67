/* The attention view: every head of one text (or of two, to compare) as lines, as a heatmap, or all at a glance.

   Plain JavaScript without any dependency. It asks the network for nothing, lives in a shadow root, so that the
   styles of the page and its own leave each other alone, and puts text into the page as text only.

   createAttentionView(host, options) draws into `host` and returns {set, load, point, matrix}:
     set(state)     changes what is shown; see STATE below
     load(panels)   shows other weights, in one panel or two:
                    [{title, tokens, words, word_texts, layers, heads, windows, weights, top}]
     point(i)       shows the weights of one unit (a token or a word) only; null: all
     matrix(p)      units and weights of panel p for the head that is shown, {units, weights, size}
   A weight w is stored in one byte as round(255 * sqrt(w)), so that small weights keep their digits. If a panel has a
   `top`, its numbers are not weights but norms, up to `top`, stored as round(255 * sqrt(norm / top)). */
const STATE = {
  view: "bipartite", // "bipartite" (lines), "heatmap" or "overview"
  layer: 0,
  head: 0,
  more_heads: [], // further heads in the bipartite view
  special: true, // show [CLS] and [SEP]; if not, the rest of a row is divided by its sum
  words: false, // word pieces put together
  difference: false, // second panel minus first, where there are two
  silenced: [], // [layer, head] pairs that are switched off; marked in the overview
};
const VIEWS = { bipartite: "lines", heatmap: "heatmap", overview: "all heads" };
const ROW = 19; // height of a token in the bipartite view, pixels
const FAINT = 0.01; // lines below this weight are not drawn

function createAttentionView(host, { panels, state = {}, toolbar = true, onChange = () => {} }) {
  const root = host.shadowRoot || host.attachShadow({ mode: "open" });
  host.setAttribute("data-lm-suppress-shortcuts", "true"); // arrow keys are ours, not JupyterLab's
  let shown = { ...STATE, ...state };
  let focus = null; // the unit whose lines alone are drawn
  let pinned = false;
  const bar = element("div", { class: "bar" }), chips = element("div", { class: "chips" });
  const about = element("div", { class: "note" }), body = element("div", { class: "panels" });
  const status = element("div", { class: "note status", role: "status", "aria-live": "polite" });
  root.replaceChildren(element("style"), bar, chips, about, status, body);
  root.firstChild.textContent = ATTENTION_VIEW_STYLE;
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pinned = false; point(null); }
  });

  function change(part) {
    set(part);
    onChange(part);
  }
  function set(part) {
    shown = { ...shown, ...part };
    pinned = false;
    focus = null;
    draw();
  }
  function load(others, part = {}) {
    panels = others;
    overview = "";
    set(part);
  }

  let point = () => {}; // shows one unit only; each view has its own
  const heads = () => [...new Set([shown.head, ...shown.more_heads])].filter((h) => h < panels[0].heads);
  const isOff = (layer, head) => shown.silenced.some(([l, h]) => l === layer && h === head);
  const headName = (layer, list) => `layer ${layer}, ${list.length > 1 ? "heads" : "head"} ${list.map((head) => head + (isOff(layer, head) ? " (switched off)" : "")).join(", ")}`;

  /* Panels as they are drawn: a function that gives one head's matrix, or the difference of two panels' matrices. */
  function sources() {
    const list = panels.map((panel, i) => {
      const units = unitsOf(panel, shown.special, shown.words), scale = panel.top || 1;
      const of = (layer, head) => matrixOf(panel, units, layer, head, shown.special);
      const format = panel.top ? (x) => x.toFixed(2) : percent;
      const small = panel.small ? (layer, head) => smallOf(panel, layer, head) : null;
      return { title: panel.title, units, of, scale, format, small, last: panel.altered ?? i === panels.length - 1 };
    });
    const [first, second] = list;
    if (!shown.difference || !second || first.units.length !== second.units.length) return list;
    const units = second.units.map((unit, i) => {
      const other = first.units[i].label;
      return unit.label === other ? unit : { ...unit, label: `${other} / ${unit.label}` };
    });
    const of = (layer, head) => {
      const before = first.of(layer, head);
      return second.of(layer, head).map((w, k) => w - before[k]);
    };
    return [{ ...second, small: null, last: true, title: `${second.title} minus ${first.title}`, units, of, signed: true }];
  }

  /* ------------------------------------------------------------------------------------------- controls */
  const refreshers = []; // each brings one control in step with what is shown
  function choice(name, options, key) {
    const list = element("select", { "aria-label": name, onchange: () => change({ [key]: list.value }) });
    for (const [value, text] of options) list.append(element("option", { value }, text));
    refreshers.push(() => (list.value = shown[key]));
    return element("label", {}, name, list);
  }
  function slider(name, last) {
    const range = element("input", { type: "range", min: 0, max: last, "aria-label": name, oninput: () => change({ [name]: Number(range.value) }) });
    const value = element("span", { "aria-hidden": "true" });
    refreshers.push(() => (range.value = value.textContent = shown[name]));
    return element("label", {}, name, range, value);
  }
  function tick(name, key, inverse = false) {
    const box = element("input", { type: "checkbox", onchange: () => change({ [key]: box.checked !== inverse }) });
    refreshers.push(() => (box.checked = shown[key] !== inverse));
    return element("label", {}, box, name);
  }
  function chip(head) {
    const flip = () => {
      const others = shown.more_heads.filter((h) => h !== head);
      if (head !== shown.head) change({ more_heads: shown.more_heads.includes(head) ? others : [...others, head] });
    };
    const button = element("button", { class: "chip", "aria-label": `show head ${head}`, onclick: flip }, String(head));
    button.style.setProperty("--c", headColor(head, panels[0].heads));
    refreshers.push(() => button.setAttribute("aria-pressed", String(heads().includes(head))));
    return button;
  }
  function makeControls() {
    const { layers, heads: count } = panels[0];
    if (toolbar) {
      bar.append(choice("view", Object.entries(VIEWS), "view"), slider("layer", layers - 1), slider("head", count - 1));
      bar.append(tick("without special tokens", "special", true), tick("whole words", "words"));
      if (panels.length > 1) bar.append(tick("difference", "difference"));
    }
    chips.append("heads shown: ", ...Array.from({ length: count }, (_, head) => chip(head)));
  }
  function describe() {
    refreshers.forEach((refresh) => refresh());
    chips.style.display = shown.view === "bipartite" ? "" : "none";
    const { layers, heads: count, floor, windows } = panels[0];
    const local = windows.map((_, layer) => layer).filter((layer) => windows[layer] !== null && (shown.view === "overview" || layer === shown.layer));
    const which = shown.view === "overview" ? `${layers} layers × ${count} heads` : headName(shown.layer, shown.view === "bipartite" ? heads() : [shown.head]);
    const said = toolbar ? [which[0].toUpperCase() + which.slice(1)] : []; // the explorer has a title
    if (!shown.special) said.push(panels[0].top ? "special tokens are left out" : "special tokens are left out, and what remains of each row is divided by its sum");
    if (shown.words) said.push("word pieces are put together: to a word the sum, from a word the mean");
    if (local.length) said.push(`local attention in layer${local.length > 1 ? "s" : ""} ${local.join(", ")}: a token sees at most ${windows[local[0]]} tokens to each side`);
    if (floor) said.push(`weights below ${percent(floor)} are shown as 0`);
    about.textContent = said.length ? `${said.join("; ")}.` : "";
    about.hidden = !said.length;
  }

  function colorMark(head) {
    const mark = element("span", { class: "color" });
    mark.style.background = headColor(head, panels[0].heads);
    return mark;
  }

  /* Arrow keys move among the tokens of a list; only one of them is a stop of the tab key. */
  function roving(list, step = 1) {
    const items = [...list.querySelectorAll("button")];
    items.forEach((item, i) => (item.tabIndex = i ? -1 : 0));
    list.addEventListener("keydown", (event) => {
      const move = { ArrowDown: step, ArrowUp: -step, ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const target = move && items[items.indexOf(root.activeElement) + move];
      if (!target) return;
      event.preventDefault();
      items.forEach((item) => (item.tabIndex = item === target ? 0 : -1));
      target.focus();
    });
  }
  function tokenButton(unit, i) {
    const show = () => pinned || point(i);
    const pin = () => { pinned = !(pinned && focus === i); point(i); };
    return element("button", { class: "token", title: unit.label, onmouseenter: show, onfocus: () => { pinned = false; point(i); }, onclick: pin }, unit.label);
  }
  const looks = () => (panels[0].top ? "takes from" : "looks at");
  function frame(source, content) {
    const panel = element("section", { class: "panel", "aria-label": source.title || "attention" });
    if (source.title) panel.append(element("div", { class: "title" }, source.title));
    panel.append(content);
    return panel;
  }
  function strongest(row, { units, format }, m = 5) {
    return Array.from(row, (w, j) => [w, j]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, m)
      .map(([w, j]) => `${units[j].label} ${format(w)}`).join(", ");
  }

  /* ---------------------------------------------------------------------------------------------- lines */
  function drawLines(list) {
    const parts = list.map((source) => {
      const { units } = source, m = units.length, height = m * ROW;
      const matrices = heads().map((head) => ({ head, w: source.of(shown.layer, head) }));
      const canvas = element("canvas", { role: "img", "aria-label": `Lines from each token to those it looks at, ${headName(shown.layer, heads())}` });
      const scale = height * (window.devicePixelRatio || 1) < 12000 ? window.devicePixelRatio || 1 : 1;
      canvas.width = 190 * scale;
      canvas.height = height * scale;
      canvas.style.cssText = `width:190px;height:${height}px`;
      const from = element("div", { class: "side from", role: "group", "aria-label": "tokens that look" });
      const to = element("div", { class: "side to", "aria-label": "tokens looked at", role: "group" });
      const numbers = element("div", { class: "side" });
      units.forEach((unit, i) => {
        from.append(tokenButton(unit, i));
        to.append(element("span", { class: "token", title: unit.label }, unit.label));
        numbers.append(element("span", { class: "number" }));
      });
      roving(from);
      from.addEventListener("mouseleave", () => pinned || point(null));
      const lines = element("div", { class: "lines" }, from, canvas, to, numbers);
      const context = canvas.getContext("2d");
      const show = () => {
        context.setTransform(scale, 0, 0, scale, 0, 0);
        context.clearRect(0, 0, 190, height);
        matrices.forEach(({ head, w }, k) => {
          const nudge = (k - (matrices.length - 1) / 2) * Math.min(3, 12 / matrices.length);
          for (let i = focus === null ? 0 : focus; i < (focus === null ? m : Math.min(focus + 1, m)); i++) {
            for (let j = 0; j < m; j++) {
              const weight = w[i * m + j], strength = Math.abs(weight) / source.scale;
              if (strength < FAINT) continue;
              context.strokeStyle = source.signed ? `rgb(${SIGNED[weight < 0 ? 0 : 2]})` : headColor(head, panels[0].heads);
              context.globalAlpha = Math.min(1, (focus === null ? 0.03 : 0.25) + 1.2 * strength);
              context.lineWidth = 0.6 + 2.4 * strength;
              context.beginPath();
              context.moveTo(2, (i + 0.5) * ROW + nudge);
              context.lineTo(188, (j + 0.5) * ROW + nudge);
              context.stroke();
            }
          }
        });
        units.forEach((_, j) => {
          const values = focus === null || focus >= m ? [] : matrices.map(({ w }) => w[focus * m + j]);
          const any = values.some((w) => Math.abs(w) >= (FAINT / 2) * source.scale);
          numbers.children[j].replaceChildren(...(any ? values.flatMap((w, k) => [colorMark(matrices[k].head), source.format(w)]) : []));
          to.children[j].classList.toggle("on", values.some((w) => Math.abs(w) >= 0.1 * source.scale));
          from.children[j].classList.toggle("on", focus === j);
        });
      };
      return { source, units, matrices, m, show, content: element("div", { class: "scroll" }, lines) };
    });
    point = (i) => {
      focus = i;
      parts.forEach((part) => part.show());
      if (i === null) { status.textContent = "Hover or focus a token on the left to see its lines alone; click to keep it, Esc to let go."; return; }
      status.textContent = parts.filter(({ m }) => i < m).map(({ source, units, matrices, m }) =>
        matrices.map(({ head, w }) => `${source.title ? `${source.title}: ` : ""}head ${head}, “${units[i].label}” ${looks()} ${strongest(w.subarray(i * m, (i + 1) * m), source)}`).join("; ")).join(" | ");
    };
    point(null);
    body.replaceChildren(...parts.map((part) => frame(part.source, part.content)));
  }

  /* -------------------------------------------------------------------------------------------- heatmap */
  function drawHeatmap(list) {
    const parts = list.map((source) => {
      const { units } = source, m = units.length, w = source.of(shown.layer, shown.head);
      const side = Math.max(11, Math.min(22, Math.floor((list.length > 1 ? 440 : 600) / Math.max(m, 1))));
      let top = (source.signed ? 0.05 : 0.3) * source.scale;
      for (const value of w) top = Math.max(top, Math.abs(value));
      const stops = source.signed ? SIGNED : VIRIDIS;
      const canvas = element("canvas", { role: "img" });
      paint(canvas, m, (k) => ramp(stops, source.signed ? 0.5 + w[k] / (2 * top) : w[k] / top));
      canvas.style.cssText = `width:${m * side}px;height:${m * side}px`;
      let best = 0;
      w.forEach((value, k) => { if (Math.abs(value) > Math.abs(w[best])) best = k; });
      if (m) canvas.setAttribute("aria-label", `Heatmap of ${headName(shown.layer, [shown.head])}: the ${panels[0].top ? "largest norm" : "strongest weight"} is ${source.format(w[best])}, from ${units[Math.floor(best / m)].label} to ${units[best % m].label}`);
      const font = `${Math.min(12, side - 1)}px`, mark = element("div", { class: "mark" });
      const left = element("div", { class: "left", role: "group", "aria-label": "tokens that look" });
      const above = element("div", { class: "above" });
      units.forEach((unit, i) => {
        const button = tokenButton(unit, i);
        button.style.cssText = `height:${side}px;line-height:${side}px;font-size:${font}`;
        left.append(button);
        const name = element("span", { title: unit.label }, unit.label);
        name.style.cssText = `width:${side}px;line-height:${side}px;font-size:${font}`;
        above.append(name);
      });
      roving(left);
      const cells = element("div", { class: "cells" }, canvas, mark);
      const show = (row, column) => {
        const seen = row !== null && row < m;
        mark.style.display = seen ? "block" : "none";
        if (!seen) return;
        const wide = column === null ? m : 1;
        mark.style.cssText += `;left:${(column || 0) * side}px;top:${row * side}px;width:${wide * side}px;height:${side}px`;
      };
      canvas.addEventListener("mousemove", (event) => {
        const column = Math.floor(event.offsetX / side), row = Math.floor(event.offsetY / side);
        if (row < m && column < m) at(row, column);
      });
      canvas.addEventListener("mouseleave", () => point(pinned ? focus : null));
      const map = element("div", { class: "map" }, element("div", { class: "corner" }), above, left, cells);
      const key = element("span", { class: "ramp" });
      key.style.background = gradient(stops);
      const legend = element("div", {}, source.signed ? source.format(-top) : "0", " ", key, ` ${source.format(top)}`);
      return { source, units, w, m, show, content: element("div", {}, element("div", { class: "scroll" }, map), legend) };
    });
    function at(row, column) {
      parts.forEach((part) => part.show(row, column));
      status.textContent = row === null
        ? "A row's token looks at the columns' tokens. Hover over a cell, or focus a row, to read its weights."
        : parts.filter(({ m }) => row < m && (column === null || column < m)).map(({ source, units, w, m }) => `${source.title ? `${source.title}: ` : ""}“${units[row].label}” ${looks()} ` +
            (column === null ? strongest(w.subarray(row * m, (row + 1) * m), source) : `“${units[column].label}” with ${source.format(w[row * m + column])}`)).join(" | ");
    }
    point = (i) => { focus = i; at(i, null); };
    point(null);
    body.replaceChildren(...parts.map((part) => frame(part.source, part.content)));
  }

  /* ------------------------------------------------------------------------------------------- overview */
  let overview = ""; // what the pictures of all heads show; if only the head changes, they are not painted again
  function drawOverview(list) {
    point = () => {};
    const { layers, heads: count } = panels[0];
    const now = JSON.stringify(["special", "words", "difference", "silenced"].map((key) => shown[key]));
    if (now === overview && body.querySelector(".grid")) {
      body.querySelectorAll(".grid").forEach((grid) => grid.querySelectorAll("button").forEach((button, at) => {
        if (at === shown.layer * count + shown.head) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }));
      return;
    }
    overview = now;
    const parts = list.map((source) => {
      const grid = element("div", { class: "grid", role: "group", "aria-label": "all heads; a row a layer, a column a head" });
      grid.style.gridTemplate = `auto repeat(${layers}, auto) / auto repeat(${count}, auto)`;
      const canvas = element("canvas", { "aria-hidden": "true" });
      paintHeads(canvas, layers, count, source.small ? 48 : source.units.length, source.small ?? source.of, source.scale, source.signed);
      grid.append(canvas, element("span", {}, "layer"));
      for (let head = 0; head < count; head++) grid.append(element("span", {}, String(head)));
      for (let layer = 0; layer < layers; layer++) {
        grid.append(element("span", {}, String(layer)));
        for (let head = 0; head < count; head++) {
          const open = () => change({ view: "heatmap", layer, head });
          const here = layer === shown.layer && head === shown.head;
          grid.append(element("button", { "aria-label": `open ${headName(layer, [head])}`, "aria-current": here && "true", title: headName(layer, [head]), class: source.last && isOff(layer, head) ? "off" : "", onclick: open }));
        }
      }
      roving(grid, count);
      return frame(source, element("div", { class: "scroll" }, grid));
    });
    status.textContent = list[0].signed
      ? "A square a head: blue where the second looks more, orange where it looks less. Click to open."
      : `A square a head, rows look and columns are looked at; yellow is ${panels[0].top ? `a norm of ${(panels[0].top / 2).toFixed(2)}` : "a weight of 0.5"} or more. Click to open.`;
    body.replaceChildren(...parts);
  }

  function draw() {
    const start = performance.now();
    const at = [...body.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
    describe();
    const list = sources();
    if (!list[0].units.length) {
      body.replaceChildren();
      status.textContent = "There is no token to show but special ones.";
    } else ({ bipartite: drawLines, heatmap: drawHeatmap, overview: drawOverview })[shown.view](list);
    body.querySelectorAll(".scroll").forEach((box, i) => at[i] && (at[i][0] || at[i][1]) && box.scrollTo(...at[i])); // a long text stays where it was
    host.dataset.drawn = JSON.stringify({ view: shown.view, layer: shown.layer, head: shown.head, ms: Math.round(performance.now() - start) });
  }
  /* The head that is shown in panel p: its units and its weights between them, row by row. */
  function matrix(p = 0) {
    const source = sources()[p];
    return { units: source.units, weights: source.of(shown.layer, shown.head), size: source.units.length };
  }
  makeControls();
  draw();
  return { set, load, matrix, point: (i) => { pinned = i !== null; point(i); } };
}
