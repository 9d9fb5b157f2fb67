/* The attention explorer: one component for JupyterLab and for pages. It shows a text, its prediction and every head,
   and lets a reader switch heads off, take them over from a second text, and search for what they look at.

   createExplorer(host, options) draws into `host` and returns {set, state}:
     engine     {info, ask(kind, args, onPart)}: the model, in a kernel or in the page (engine/page_engine.js)
     state      what is shown first; see EXPLORER_STATE
     reviews    [[title, text], …] to choose from; pairs: [[title, text, second text], …]
     corpus     the texts that a search goes through, to open those it finds
     onChange   called with each part of the state that the reader changes
     save       called with "png" or "html", promises what to say about the file; null: files are downloaded
     address    true: the state stands in the page's address
   Text is put into the page as text only. */
const EXPLORER_STATE = {
  text: "",
  other: "", // a second text to compare with; empty: none
  silenced: [], // [layer, head] pairs that are switched off
  taken: [], // [layer, head] pairs whose outputs are taken from the second text
  compare: "nothing",
  measure: "weights",
  grid: "maps",
  chips: "head",
  ...STATE,
};
const COMPARE = ["nothing", "all heads on", "before fine-tuning", "second text"];
const MEASURES = { weights: "attention weights", norms: "norms of what is moved" };
const GRIDS = {
  maps: "the maps themselves",
  needs: "need in this text: what switching it off does",
  patches: "what taking it from the second text does",
  changed: "what fine-tuning changed",
};
const CHIPS = {
  head: "this head: what they get, or what the chosen word looks at",
  leaveOut: "the prediction: what leaving the word out takes away",
  rollout: "rollout: what may reach [CLS]",
};
const WAIT = 160; // ms after the last key before a typed text is read
const PATIENCE = 15000; // ms after which a reader is told that there is no answer
const LATE = "No answer yet. A long text takes a while; if the kernel is gone, run the cell again, and reload a page.";
const signed = (x, digits = 2) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;
const headKey = ([layer, head]) => `${layer}·${head}`;
const toggled = (list, pair) => {
  const rest = list.filter((one) => headKey(one) !== headKey(pair));
  return rest.length < list.length ? rest : [...list, pair];
};
const labelOf = (logit) => (logit >= 0 ? "positive" : "negative");

/* The state in an address: only what differs from the beginning. */
function addressOf(state, first) {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (JSON.stringify(value) === JSON.stringify(first[key])) continue;
    parts.set(key, typeof value === "string" ? value : JSON.stringify(value));
  }
  return parts.toString();
}

/* The state that an address asks for. What does not fit is left out: an address can be written by anybody. */
function stateOf(address, first, { layers, heads, can }) {
  const state = {}, fits = (pair) => Array.isArray(pair) && pair.length === 2 && inside(pair[0], layers) && inside(pair[1], heads);
  const inside = (x, count) => Number.isInteger(x) && x >= 0 && x < count;
  const allowed = { compare: COMPARE, measure: Object.keys(MEASURES), grid: Object.keys(GRIDS), chips: Object.keys(CHIPS), view: Object.keys(VIEWS) };
  for (const [key, text] of new URLSearchParams(address)) {
    if (!Object.hasOwn(first, key)) continue;
    let value = text;
    if (typeof first[key] !== "string") {
      try { value = JSON.parse(text); } catch { continue; }
    }
    if (Object.hasOwn(allowed, key) ? !allowed[key].includes(value) : typeof value !== typeof first[key]) continue;
    if (key === "layer" && !inside(value, layers)) continue;
    if (key === "head" && !inside(value, heads)) continue;
    if (Array.isArray(first[key])) {
      if (!Array.isArray(value) || !value.every(key === "more_heads" ? (x) => inside(x, heads) : fits)) continue;
    }
    state[key] = value;
  }
  if (state.compare === "before fine-tuning" && can.before !== true) delete state.compare;
  return state;
}

function createExplorer(host, { engine, state = {}, reviews = [], pairs = [], corpus = [], onChange = () => {}, save = null, address = false }) {
  const { layers, heads, can } = engine.info;
  const root = host.shadowRoot || host.attachShadow({ mode: "open" });
  host.setAttribute("data-lm-suppress-shortcuts", "true"); // the keys are ours, not JupyterLab's
  const first = { ...EXPLORER_STATE, ...state };
  if (!first.text && reviews.length) first.text = reviews[0][1];
  let shown = { ...first, ...(address ? stateOf(location.hash.slice(1), first, engine.info) : {}) };
  let answer = null; // { panels, logit, base, other }, of what is shown
  const history = []; // states to go back to, with what each action did to the logit
  let latest = null; // the latest logit that was answered
  let pinned = null; // the word whose row is shown
  let words = null; // { labels, values } or { shares } that colour the words, when not taken from the head
  let view = null; // the large picture
  const values = {}; // of the grid: needs and patches, layers × heads, null where not known yet
  const running = {}; // asks that can be cancelled
  let newest = 0, waiting = false; // for the model's answer
  let failed = false; // the latest reading
  let drawings = 0; // answers so far

  /* ------------------------------------------------------------------------------------------ the frame */
  const button = (text, action, more = {}) => element("button", { type: "button", onclick: action, ...more }, text);
  const select = (name, options, key) => {
    const list = element("select", { "aria-label": name, onchange: () => change({ [key]: list.value }) });
    for (const [value, text, why] of options) {
      list.append(element("option", { value, disabled: why ? "" : false, title: why || false }, why ? `${text} (${why})` : text));
    }
    refreshers.push(() => (list.value = shown[key]));
    return list;
  };
  const withSecond = (list) => { // an option that needs a second text
    refreshers.push(() => (list.querySelector("[value='second text']").disabled = !shown.other));
    return list;
  };
  const tick = (name, key, inverse = false) => {
    const box = element("input", { type: "checkbox", onchange: () => change({ [key]: box.checked !== inverse }) });
    refreshers.push(() => (box.checked = shown[key] !== inverse));
    return element("label", {}, box, name);
  };
  const refreshers = [];
  const why = (kind) => (can[kind] === true ? "" : can[kind] || "not here");

  const area = element("textarea", { "aria-label": "text of the review", rows: 3, spellcheck: "false", placeholder: "Type a review of your own" });
  const second = element("textarea", { "aria-label": "text to compare with", rows: 3, spellcheck: "false", placeholder: "A second text, to compare with" });
  const choices = element("select", { "aria-label": "reviews to choose from", onchange: () => choose(choices.value) });
  const offered = [];
  function offer(title, text, other = "") {
    offered.push({ text, other });
    choices.append(element("option", { value: String(offered.length - 1) }, title));
  }
  choices.append(element("option", { value: "" }, "(a text of your own)"));
  reviews.forEach(([title, text]) => offer(title, text));
  pairs.forEach(([title, text, other]) => offer(title, text, other));
  function choose(at) {
    const chosen = offered[Number(at)];
    if (at !== "" && chosen) change({ text: chosen.text, other: chosen.other, silenced: [], taken: [], ...(chosen.other ? { compare: "second text" } : {}) });
  }
  let typing = 0;
  function typed(box, key) {
    const done = () => {
      clearTimeout(typing);
      if (box.value === shown[key]) return;
      const part = { [key]: box.value };
      if (key === "other" && box.value) part.compare = "second text";
      if (key === "other" && !box.value) part.taken = [];
      change(part);
    };
    box.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(done, WAIT);
    });
    box.addEventListener("change", done); // on leaving the field, so that nothing typed is lost
  }
  typed(area, "text");
  typed(second, "other");
  refreshers.push(() => {
    for (const [box, key] of [[area, "text"], [second, "other"]]) if (box.value !== shown[key] && root.activeElement !== box) box.value = shown[key];
    const at = offered.findIndex(({ text, other }) => text === shown.text && other === shown.other);
    choices.value = at < 0 ? "" : String(at);
  });

  const verdicts = element("div", { class: "verdicts" }), actions = element("ol", { class: "actions", "aria-label": "what each action did to the logit" });
  const undo = button("undo", back, { title: "take the last action back (Ctrl+Z)" });
  const spoken = element("span", { class: "spoken", role: "status", "aria-live": "polite" });
  const message = element("p", { class: "message", role: "status", "aria-live": "polite" });
  const chips = element("div", { class: "words", role: "group", "aria-label": "the words of the review" }), chipsNote = element("span", { class: "note" });
  const grids = element("div", { class: "grids" }), gridNote = element("div", { class: "note" });
  const title = element("h2", { class: "head-title" }), large = element("div", { class: "large" });
  const off = button("switch this head off", () => toggle([shown.layer, shown.head]), { title: "key o", class: "strong" });
  const take = button("take it from the second text", () => takeOver([[shown.layer, shown.head]]), { title: "key t" });
  const takeLayer = button("take the whole layer", () => takeOver(wholeLayer(shown.layer)));
  const allOn = button("all heads as they were", () => change({ silenced: [], taken: [] }));
  const found = element("div", { class: "found" });
  const search = button("search", () => searchByHead(), {});
  const needsOf = (kind) => (kind === "patches" && !shown.other ? "type a second text first" : why(kind));

  root.replaceChildren(
    element("style"),
    element("section", { class: "texts", "aria-label": "text" },
      element("label", { class: "wide" }, "review ", choices), element("div", { class: "areas" }, area, second)),
    element("section", { class: "answer", "aria-label": "prediction" }, verdicts, element("div", { class: "log" }, actions, undo), message, spoken),
    element("section", { class: "chips-part", "aria-label": "words" },
      element("label", {}, "words coloured by ", select("words coloured by", Object.entries(CHIPS).map(([key, text]) => [key, text, key === "head" ? "" : why(key)]), "chips")),
      chips, chipsNote),
    element("div", { class: "main" },
      element("section", { class: "left-part", "aria-label": "all heads" },
        element("label", {}, "all heads by ", select("all heads by", Object.entries(GRIDS).map(([key, text]) => [key, text, key === "maps" ? "" : key === "changed" ? (engine.info.changed ? "" : "not stored") : why(key)]), "grid")),
        grids, gridNote),
      element("section", { class: "right-part", "aria-label": "one head" },
        title,
        element("div", { class: "bar" }, off, take, takeLayer, allOn),
        element("div", { class: "bar" },
          element("label", {}, "as ", select("view", Object.entries(VIEWS), "view")),
          element("label", {}, "of ", select("measure", Object.entries(MEASURES).map(([key, text]) => [key, text, key === "norms" ? why("norms") : ""]), "measure")),
          element("label", {}, "beside ", withSecond(select("beside", COMPARE.map((name) => [name, name, name === "before fine-tuning" ? why("before") : ""]), "compare"))),
          tick("without special tokens", "special", true), tick("whole words", "words"), tick("difference", "difference")),
        large)),
    element("details", { class: "search" }, element("summary", {}, "Search by head: which pairs of words does it connect?"),
      element("div", { class: "bar" }, search, element("span", { class: "note" }, why("search") || "Goes through the stored reviews with all heads on.")), found),
    element("div", { class: "bar" }, button("save PNG", () => keep("png")), button("save HTML", () => keep("html")),
      ...(address ? [button("copy link", copyLink)] : []),
      element("span", { class: "note" }, "Keys: arrows move in the grid, o switches a head off, t takes it from the second text, Ctrl+Z undoes.")),
  );
  root.firstChild.textContent = ATTENTION_VIEW_STYLE + EXPLORER_STYLE;
  if (why("search")) search.disabled = true;
  root.addEventListener("keydown", (event) => {
    const text = event.target.matches("textarea"), writing_ = text || event.target.matches("select");
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && !text) { event.preventDefault(); back(); return; }
    if (writing_ || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "o") toggle([shown.layer, shown.head]);
    if (event.key === "t" && !take.disabled) takeOver([[shown.layer, shown.head]]);
  });

  /* -------------------------------------------------------------------------------------------- actions */
  const ASKED = ["text", "other", "silenced", "taken", "compare", "measure"]; // a change of these needs the model
  const ACTIONS = ["text", "other", "silenced", "taken"]; // a change of these can be undone

  function change(part) {
    if (part.other === "" && shown.compare === "second text") part = { ...part, compare: "nothing" };
    const acted = ACTIONS.some((key) => key in part && JSON.stringify(part[key]) !== JSON.stringify(shown[key]));
    const name = acted ? nameOf(part) : "", last = history[history.length - 1];
    const typedOn = last && last.typed && name === last.name && root.activeElement instanceof HTMLTextAreaElement;
    if (acted && !typedOn) {
      const before = Object.fromEntries([...ACTIONS, "compare"].map((key) => [key, shown[key]]));
      history.push({ before, name, typed: root.activeElement instanceof HTMLTextAreaElement, effect: null, open: true });
    }
    set(part);
    onChange(part);
  }
  function nameOf(part) {
    const names = (key, verb) => {
      const was = shown[key].map(headKey), is = (part[key] || shown[key]).map(headKey);
      const came = is.filter((one) => !was.includes(one)), went = was.filter((one) => !is.includes(one));
      const brief = (list) => (list.length > 3 ? `${list.length} heads` : list.join(", "));
      return [came.length ? `${brief(came)} ${verb[0]}` : "", went.length ? `${brief(went)} ${verb[1]}` : ""];
    };
    if ("text" in part && part.text !== shown.text) return "another text";
    if ("other" in part && part.other !== shown.other) return "another second text";
    return [...names("silenced", ["off", "on"]), ...names("taken", ["taken over", "given back"])].filter(Boolean).join(", ");
  }
  function back() {
    const last = history.pop();
    if (!last) return;
    set(last.before);
    onChange(last.before);
  }
  const toggle = (pair) => change({ silenced: toggled(shown.silenced, pair), taken: shown.taken.filter((one) => headKey(one) !== headKey(pair)) });
  const wholeLayer = (layer) => Array.from({ length: heads }, (_, head) => [layer, head]);
  function takeOver(list) {
    const have = new Set(shown.taken.map(headKey)), all = list.every((pair) => have.has(headKey(pair)));
    const asked = new Set(list.map(headKey)), rest = shown.taken.filter((pair) => !asked.has(headKey(pair)));
    change({ taken: all ? rest : [...rest, ...list], silenced: shown.silenced.filter((pair) => all || !asked.has(headKey(pair))) });
  }

  /* Changes what is shown, without telling `onChange`. */
  function set(part) {
    const moved = (keys) => keys.some((key) => key in part && JSON.stringify(part[key]) !== JSON.stringify(shown[key]));
    const ask = moved(ASKED) || !answer, words_ = moved([...ACTIONS, "chips"]);
    const patches = (part.grid || shown.grid) === "patches"; // each head alone, whatever else is taken over
    const cells = moved([...ACTIONS.filter((key) => !patches || key !== "taken"), "grid"]);
    if (moved(["text", "special", "chips"])) pinned = null;
    shown = { ...shown, ...part };
    if (!shown.other && shown.compare === "second text") shown.compare = "nothing";
    if (address) writeAddress();
    if (ask) read();
    else if (view) {
      view.set(pictured());
      if (answer.panels.some((panel) => panel.by_layer && !panel.by_layer[shown.layer])) askLayer();
    }
    if (words_) askWords();
    if (cells) askGrid();
    if (ask || words_ || cells) draw();
    else requestAnimationFrame(() => setTimeout(draw)); // the large picture first
  }
  /* A little later, since browsers allow only so many changes of the address at a time. */
  let writing = 0;
  function writeAddress() {
    clearTimeout(writing);
    writing = setTimeout(() => window.history.replaceState(null, "", `#${addressOf(shown, first)}`), WAIT);
  }
  const pictured = () => Object.fromEntries(Object.keys(STATE).map((key) => [key, shown[key]]));

  /* --------------------------------------------------------------------------------------------- asking */
  /* One ask of a kind at a time; an older one of the same kind is cancelled. */
  async function ask(slot, kind, args, onPart) {
    if (running[slot]) running[slot].cancel();
    const promise = engine.ask(kind, args, onPart);
    running[slot] = promise;
    try {
      return await promise;
    } finally {
      if (running[slot] === promise) running[slot] = null;
    }
  }
  /* What is said about one matter stays until something else is said about it. */
  const said = {};
  function say(matter, text, wrong = false) {
    if (text) said[matter] = { text, wrong };
    else delete said[matter];
    const parts = Object.values(said);
    message.replaceChildren(...parts.map((part) => element("span", {}, `${part.text} `)));
    message.classList.toggle("wrong", parts.some((part) => part.wrong));
  }
  const report = (matter) => (error) => { if (error.name !== "AbortError") say(matter, error.message, true); };
  const changes = () => ({ off: shown.silenced, take: shown.taken.length && shown.other ? { text: shown.other, heads: shown.taken } : null });

  async function read() {
    waiting = true;
    const mine = (newest += 1), now = shown, whole = { text: now.text, off: [], take: null };
    const late = setTimeout(() => mine === newest && say("read", LATE, true), PATIENCE);
    const altered = now.silenced.length + now.taken.length > 0, texts = JSON.stringify([now.text, now.other]);
    const asker = async (...args) => { // an old reading asks for nothing more
      if (mine !== newest) throw Object.assign(new Error("old"), { name: "AbortError" });
      return ask(...args);
    };
    /* A kernel tells the prediction before the maps. It is shown beside the old maps if the texts are the same. */
    const early = answer?.texts === texts && (({ logit, whole: base = logit }) => {
      if (mine === newest) answered({ ...answer, logit, base: { logit: base } });
    });
    const panelOf = async (slot, args, named, onPart) => {
      const it = await asker(slot, "read", { ...args, layer: now.layer }, onPart);
      if (now.measure !== "norms") return { ...it, title: named };
      const { norms, top, by_layer, small, asked } = await asker(`${slot} norms`, "norms", { ...args, layer: now.layer });
      return { ...it, weights: norms, by_layer, top, small, asked, title: named };
    };
    try {
      const [panel, other] = await Promise.all([
        panelOf("read", { text: now.text, ...changes() }, "", early || null),
        now.other ? panelOf("other", { text: now.other, off: [], take: null }, "second text") : null,
      ]);
      const panels = [panel], told = panel.whole !== undefined; // a kernel says at once what it is with all heads on
      const base = !altered ? panel : told ? { logit: panel.whole } : await asker("base", "read", { ...whole, layer: now.layer });
      if (now.compare === "second text" && other) panels.push(other);
      if (now.compare === "all heads on") panels.unshift(await panelOf("whole", whole, "all heads on"));
      if (now.compare === "before fine-tuning") panels.unshift(await panelOf("before", { ...whole, model: "before" }, "before fine-tuning"));
      if (mine !== newest) return;
      if (panels.length > 1) panel.title = now.compare === "second text" ? "review" : "now";
      const windows = engine.info.windows || Array(layers).fill(null);
      for (const one of new Set([panel, other, ...panels])) if (one) Object.assign(one, { layers, heads, floor: 0, windows });
      panel.altered = true;
      drawings += 1;
      say("read", panel.cut ? `${panel.cut} tokens in the middle of the text are left out; the model reads ${panel.tokens.length}.` : "");
      answered({ panels, panel, logit: panel.logit, base, other, texts });
      await new Promise((seen) => setTimeout(seen));
      if (mine !== newest) return;
      if (!view || view.panels !== panels.length) {
        view = createAttentionView(freshHost(), { panels, state: pictured(), toolbar: false, onChange: change });
        view.panels = panels.length;
      } else view.load(panels, pictured());
      draw();
      if (panels.some((one) => one.by_layer && !one.by_layer[shown.layer])) askLayer();
    } catch (error) {
      if (mine === newest && error.name !== "AbortError") { // what is still seen belongs to an earlier state
        waiting = false;
        failed = true;
        noteEffects();
        draw();
      }
      report("read")(error);
    } finally {
      clearTimeout(late);
    }
  }
  /* The prediction is drawn first of all. */
  function answered(it) {
    answer = it;
    waiting = failed = false;
    noteEffects();
    drawVerdicts();
    drawActions();
    tell();
  }
  /* An action's effect is the change of the logit, if no other action came in between. */
  function noteEffects() {
    const open = history.filter((entry) => entry.open);
    if (!failed && open.length === 1 && latest !== null) open[0].effect = answer.logit - latest;
    for (const entry of open) entry.open = false;
    latest = failed ? null : answer.logit;
  }
  function freshHost() {
    const inner = element("div");
    large.replaceChildren(inner);
    return inner;
  }
  /* Of a long text, a layer's weights come when it is shown. */
  async function askLayer() {
    const mine = newest, layer = shown.layer;
    try {
      for (const panel of answer.panels.filter((one) => one.by_layer && !one.by_layer[layer])) {
        const args = { ...panel.asked, layer };
        panel.by_layer[layer] = (await ask(`layer ${panel.title}`, "layer", args)).weights;
      }
      if (mine === newest && layer === shown.layer) {
        view.load(answer.panels, pictured());
        draw();
      }
    } catch (error) {
      report("read")(error);
    }
  }

  async function askGrid() {
    for (const slot of ["needs", "patches"]) if (running[slot]) running[slot].cancel();
    const kind = shown.grid;
    say("grid", "");
    if (kind !== "needs" && kind !== "patches") return;
    values[kind] = Array(layers).fill(null);
    if (needsOf(kind)) { drawGrids(); return; }
    const args = kind === "needs" ? { text: shown.text, ...changes() } : { text: shown.text, other: shown.other, off: shown.silenced };
    try {
      await ask(kind, kind, args, ({ layer, values: row }) => {
        values[kind][layer] = row;
        drawGrids();
      });
    } catch (error) {
      report("grid")(error);
    }
  }
  async function askWords() {
    const kind = shown.chips;
    words = null;
    say("words", "");
    for (const slot of ["leaveOut", "rollout"]) if (running[slot]) running[slot].cancel();
    if (kind === "head" || why(kind)) return;
    try {
      const it = await ask(kind, kind, { text: shown.text, ...changes() }, ({ done, of }) => (chipsNote.textContent = `${done} of ${of} words left out …`));
      words = kind === "leaveOut" ? { labels: it.words, values: it.effects } : { shares: it.shares };
      drawWords();
    } catch (error) {
      report("words")(error);
    }
  }
  async function searchByHead() {
    const at = [shown.layer, shown.head];
    try {
      const it = await ask("search", "search", { layer: at[0], head: at[1], top: 12 }, ({ read: done, of }) => {
        found.replaceChildren(element("p", { class: "note" }, `${done} of ${of} reviews read …`));
      });
      showFound(at, it);
    } catch (error) {
      report("search")(error);
    }
  }

  /* -------------------------------------------------------------------------------------------- drawing */
  function draw() {
    refreshers.forEach((refresh) => refresh());
    const patchable = shown.other && !why("patches");
    for (const one of [take, takeLayer]) one.hidden = one.disabled = !patchable;
    const here = [shown.layer, shown.head].join(), has = (list) => list.some((pair) => pair.join() === here);
    off.textContent = has(shown.silenced) ? "switch this head on again" : "switch this head off";
    off.classList.toggle("active", has(shown.silenced));
    take.textContent = has(shown.taken) ? "give it back" : "take it from the second text";
    takeLayer.textContent = `take all of layer ${shown.layer}`;
    allOn.hidden = !(shown.silenced.length + shown.taken.length);
    undo.disabled = !history.length;
    title.textContent = `Layer ${shown.layer}, head ${shown.head}`;
    search.textContent = `search with layer ${shown.layer}, head ${shown.head}`;
    if (answer) {
      drawVerdicts();
      drawActions();
      drawWords();
      drawGrids();
      tell();
    }
  }
  /* What is shown, for tests and for those who look into the page. */
  function tell() {
    const { text, layer, head } = shown;
    if (!waiting) host.dataset.shown = JSON.stringify({ text, layer, head, logit: answer.logit });
  }
  function verdict(name, logit, base) {
    const share = (x) => 1 / (1 + Math.exp(-x)), p = share(logit), moved = base !== undefined && base !== logit;
    const text = `probability of positive ${p.toFixed(3)}, logit ${signed(logit)}`;
    const more = moved ? `; without changes ${share(base).toFixed(3)}, the logit changed by ${signed(logit - base)}` : "";
    const bar = element("div", { class: "track" }, element("i", { class: labelOf(logit) }), element("u"));
    bar.firstChild.style.width = `${100 * p}%`;
    if (moved) {
      const mark = element("s");
      mark.style.left = `${100 * share(base)}%`;
      bar.append(mark);
    }
    return element("div", { class: "verdict", role: "img", "aria-label": `${name}${labelOf(logit)}, ${text}${more}` },
      element("span", {}, name, element("b", { class: labelOf(logit) }, labelOf(logit)), ` ${text}${more}`), bar);
  }
  function drawVerdicts() {
    const list = [verdict(answer.other ? "review: " : "", answer.logit, answer.base.logit)];
    if (answer.other) list.push(verdict("second text: ", answer.other.logit));
    if (shown.taken.length && !shown.silenced.length && answer.other && !waiting) {
      const gap = answer.other.logit - answer.base.logit, share = (answer.logit - answer.base.logit) / gap;
      if (Math.abs(gap) > 0.05) list.push(element("p", { class: "note" }, `The heads taken over account for ${Math.round(100 * share)} % of the difference between the two texts' logits.`));
    }
    verdicts.classList.toggle("old", failed);
    verdicts.replaceChildren(...list);
    if (!waiting) spoken.textContent = failed ? "" : list[0].getAttribute?.("aria-label") || "";
  }
  function drawActions() {
    const rows = history.slice(-6).map(({ name, effect, open }) => element("li", {}, open ? `${name} …` : effect === null || name.startsWith("another") ? name : `${name}: ${signed(effect)}`));
    actions.replaceChildren(...rows);
  }

  function drawWords() {
    const panel = answer.panel;
    let units, strengths, mark = null, note;
    if (words && words.labels) {
      units = words.labels;
      const top = Math.max(0.05, ...words.values.map(Math.abs));
      strengths = words.values.map((x) => x / top);
      note = `Blue words speak for positive, orange ones for negative; the strongest changes the logit by ${top.toFixed(2)}.`;
      mark = words.values.map((x) => signed(x));
    } else {
      const parts = unitsOf(panel, shown.special, true);
      units = parts.map(({ label }) => label);
      let row;
      if (words && words.shares) {
        row = parts.map(({ members }) => members.reduce((sum, i) => sum + words.shares[i], 0));
        note = "Rollout: the share of each word that would reach [CLS] in the last layer if only attention mixed them.";
      } else {
        const matrix = matrixOf(panel, parts, shown.layer, shown.head, shown.special), n = units.length;
        row = pinned !== null && pinned < n ? Array.from(matrix.subarray(pinned * n, (pinned + 1) * n)) : parts.map((_, j) => parts.reduce((sum, __, i) => sum + matrix[i * n + j], 0) / n);
        note = pinned !== null && pinned < n ? `What “${units[pinned]}” looks at in layer ${shown.layer}, head ${shown.head}. Press it again to let go.` : "What each word gets from all words in this head, on average. Press a word to see where it looks.";
      }
      const counted = words && words.shares ? row.filter((_, i) => parts[i].word >= 0) : row; // [CLS] keeps most of its own
      const top = Math.max(...counted, 1e-6);
      strengths = row.map((x) => x / top);
      mark = row.map((x) => (panel.top && !(words && words.shares) ? x.toFixed(2) : percent(x)));
    }
    if (units.length !== chips.children.length || units.some((label, i) => chips.children[i].textContent !== label)) {
      chips.replaceChildren(...units.map((label, i) => button(label, () => { pinned = pinned === i ? null : i; draw(); }, { class: "word" })));
      rove(chips, 1, -1);
    }
    [...chips.children].forEach((chip, i) => {
      const color = words && words.labels && strengths[i] < 0 ? "var(--negative)" : "var(--positive)";
      chip.style.background = `color-mix(in srgb, ${color} ${Math.round(60 * Math.min(1, Math.abs(strengths[i])))}%, transparent)`;
      chip.title = `${units[i]}: ${mark[i]}`;
      chip.setAttribute("aria-pressed", String(pinned === i && !(words && words.labels)));
    });
    chipsNote.textContent = note;
  }

  /* Arrow keys move among the buttons of a group; one of them is a stop of the tab key. */
  function rove(group, step, at, moved = () => {}) {
    const items = [...group.querySelectorAll("button:not(.row)")];
    const stop = at >= 0 && at < items.length ? at : Math.max(0, items.findIndex((item) => item.getAttribute("aria-current")));
    items.forEach((item, i) => (item.tabIndex = i === stop ? 0 : -1));
    if (at >= 0 && items[at]) items[at].focus();
    group.onkeydown = (event) => {
      const here = items.indexOf(root.activeElement), by = { ArrowDown: step, ArrowUp: -step, ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const target = by && here >= 0 && items[here + by];
      if (!target) return;
      event.preventDefault();
      items.forEach((item) => (item.tabIndex = item === target ? 0 : -1));
      target.focus();
      moved(here + by);
    };
  }

  let drawnGrid = ""; // what the grid shows; if only the head changes, it is not painted again
  function drawGrids() {
    if (!answer) return;
    const kind = shown.grid, table = kind === "changed" ? engine.info.changed : values[kind];
    const cells = table ? table.filter(Boolean).flatMap((row) => Array.from(row)) : [];
    const top = Math.max(0.01, ...cells.map(Math.abs));
    const done = table ? table.filter(Boolean).length : layers;
    const now = JSON.stringify([kind, done, cells, drawings, shown.special, shown.words]);
    if (now === drawnGrid) { markHeads(); return; }
    drawnGrid = now;
    const one = (panel, name, second_) => {
      const grid = element("div", { class: "cells-grid", role: "group", "aria-label": `${name}; a row a layer, a column a head` });
      grid.style.gridTemplate = `auto repeat(${layers}, auto) / auto repeat(${heads}, minmax(0, 1fr))`;
      if (kind === "maps" || second_) {
        const units = unitsOf(panel, shown.special, shown.words), canvas = element("canvas", { "aria-hidden": "true" });
        const weightsOf = (layer, head) => (panel.small ? smallOf(panel, layer, head) : matrixOf(panel, units, layer, head, shown.special));
        paintHeads(canvas, layers, heads, panel.small ? 48 : units.length, weightsOf, panel.top || 1, false);
        grid.append(canvas);
      }
      grid.append(element("span", { class: "axis" }, ""));
      for (let head = 0; head < heads; head++) grid.append(element("span", { class: "axis" }, String(head)));
      for (let layer = 0; layer < layers; layer++) {
        const label = second_ && !why("patches")
          ? button(String(layer), () => takeOver(wholeLayer(layer)), { class: "axis row", title: `take all heads of layer ${layer} into the review`, "aria-label": `take all heads of layer ${layer} into the review`, draggable: "true", ondragstart: (event) => event.dataTransfer.setData("text/plain", JSON.stringify(wholeLayer(layer))) })
          : element("span", { class: "axis" }, String(layer));
        grid.append(label);
        for (let head = 0; head < heads; head++) {
          const pair = [layer, head], value = !second_ && table && table[layer] ? table[layer][head] : null;
          const says = value === null ? "" : kind === "changed" ? `, changed by ${value.toFixed(3)}` : `, ${kind === "needs" ? "switching it off" : "taking it over"} changes the logit by ${signed(value)}`;
          const cell = button("", () => change({ layer, head }), { class: "cell", draggable: second_ ? "true" : false, ondblclick: () => (second_ ? takeOver([pair]) : toggle(pair)) });
          cell.says = says;
          if (second_) cell.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", JSON.stringify([pair])));
          if (kind !== "maps" && value !== null) {
            const color = kind === "changed" ? ramp(VIRIDIS, value / top) : ramp(SIGNED, 0.5 + value / (2 * top));
            cell.style.backgroundColor = `rgb(${color})`;
          } else if (kind !== "maps" && !second_) cell.classList.add("unknown");
          grid.append(cell);
        }
      }
      return element("figure", {}, answer.other ? element("figcaption", {}, name) : "", grid);
    };
    const old = root.activeElement && root.activeElement.classList.contains("cell") ? root.activeElement.parentElement : null;
    const place = [...grids.querySelectorAll(".cells-grid")].indexOf(old);
    const list = [one(answer.panel, "review", false)];
    if (answer.other) list.push(one(answer.other, "second text", true));
    grids.replaceChildren(...list);
    grids.querySelectorAll(".cells-grid").forEach((grid, i) => {
      const select_ = (at) => change({ layer: Math.floor(at / heads), head: at % heads });
      rove(grid, heads, i === place ? shown.layer * heads + shown.head : -1, select_);
    });
    markHeads();
    const target = grids.firstChild;
    target.addEventListener("dragover", (event) => event.preventDefault());
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      let list_;
      try { list_ = JSON.parse(event.dataTransfer.getData("text/plain")); } catch { return; } // something else was dropped
      if (Array.isArray(list_) && list_.every((pair) => Array.isArray(pair) && pair[0] < layers && pair[1] < heads)) takeOver(list_);
    });
    gridNote.textContent = needsOf(kind) && kind !== "maps" && kind !== "changed" ? `Not shown: ${needsOf(kind)}.`
      : kind === "maps" ? `Rows look, columns are looked at; yellow is ${answer.panel.top ? `a norm of ${(answer.panel.top / 2).toFixed(1)}` : "a weight of 0.5"} or more.`
        : kind === "changed" ? `Yellow: the heads that fine-tuning changed most, by up to ${top.toFixed(2)}.`
          : `${done < layers ? `${done} of ${layers} layers. ` : ""}Blue raises the logit of positive, orange lowers it, by up to ${top.toFixed(2)}.`;
    host.dataset.grid = JSON.stringify({ kind, layers: done });
  }
  /* Marks the head that is shown, which alone is a stop of the tab key, and those that are off or taken over. */
  function markHeads() {
    const off = new Set(shown.silenced.map(headKey)), taken = new Set(shown.taken.map(headKey));
    grids.querySelectorAll(".cells-grid").forEach((grid, second_) => grid.querySelectorAll(".cell").forEach((cell, at) => {
      const layer = Math.floor(at / heads), head = at % heads, here = layer === shown.layer && head === shown.head;
      const isOff = !second_ && off.has(headKey([layer, head])), isTaken = taken.has(headKey([layer, head]));
      if (here) cell.setAttribute("aria-current", "true");
      else cell.removeAttribute("aria-current");
      cell.tabIndex = here ? 0 : -1;
      cell.classList.toggle("off", isOff);
      cell.classList.toggle("taken", isTaken);
      cell.title = `layer ${layer}, head ${head}${cell.says}`;
      cell.setAttribute("aria-label", `layer ${layer}, head ${head}${isOff ? ", switched off" : ""}${isTaken ? ", taken from the second text" : ""}${cell.says}`);
    }));
  }

  function showFound([layer, head], { texts, pairs: list, chance }) {
    const head_ = element("tr", {}, ...["this word", "looks at", "mean weight", "times", "for example"].map((text) => element("th", { scope: "col" }, text)));
    const rows = list.map((pair) => element("tr", { class: pair.mean > chance ? "" : "weak" },
      element("td", {}, pair.from), element("td", {}, pair.to), element("td", {}, percent(pair.mean)), element("td", {}, String(pair.count)),
      element("td", {}, button(`open review ${pair.example.text + 1}`, () => change({ text: pair.example.content ?? corpus[pair.example.text], other: "", silenced: [], taken: [], layer, head })))));
    const note = list.length
      ? `Layer ${layer}, head ${head}, in ${texts} reviews. If each row's weights were shuffled, the strongest of all pairs would lie below ${percent(chance)} in 95 of 100 cases; pairs below that are grey.`
      : `Layer ${layer}, head ${head}: no pair of words occurs often enough in ${texts} reviews.`;
    found.replaceChildren(element("p", { class: "note" }, note), element("table", {}, element("thead", {}, head_), element("tbody", {}, ...rows)));
  }

  /* ------------------------------------------------------------------------------------------- keeping */
  /* The prediction and the head that is shown, as a picture. */
  function picture() {
    const { units, weights, size } = view.matrix(view.panels === 1 || shown.compare === "second text" || shown.difference ? 0 : 1);
    const names = units.map(({ label }) => label), cell = Math.max(6, Math.min(22, Math.floor(640 / Math.max(size, 1)))), scale = 2;
    const left = 130, above = 150, canvas = element("canvas"), side = size * cell;
    canvas.width = scale * Math.max(left + side + 20, 560);
    canvas.height = scale * (above + side + 20);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "#222";
    pen.font = "bold 15px sans-serif";
    pen.fillText(`Layer ${shown.layer}, head ${shown.head}: ${MEASURES[shown.measure]}`, 10, 22);
    pen.font = "13px sans-serif";
    pen.fillText(verdicts.firstChild.getAttribute("aria-label").slice(0, 90), 10, 42);
    let top = shown.difference ? 0.05 : 1e-6;
    for (const w of weights) top = Math.max(top, Math.abs(w));
    const negative = weights.some((w) => w < 0);
    weights.forEach((w, k) => {
      pen.fillStyle = `rgb(${ramp(negative ? SIGNED : VIRIDIS, negative ? 0.5 + w / (2 * top) : w / top)})`;
      pen.fillRect(left + (k % size) * cell, above + Math.floor(k / size) * cell, cell, cell);
    });
    pen.fillStyle = "#222";
    pen.font = `${Math.min(12, cell)}px sans-serif`;
    names.forEach((name, i) => {
      pen.textAlign = "right";
      pen.fillText(name.slice(0, 18), left - 6, above + (i + 0.75) * cell);
      pen.save();
      pen.translate(left + (i + 0.75) * cell, above - 6);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "left";
      pen.fillText(name.slice(0, 14), 0, 0);
      pen.restore();
    });
    return canvas;
  }
  /* What is shown as a page of its own: the large picture with every head, without the model. */
  function pageOf() {
    const panels = answer.panels.map((panel) => ({ ...panel, weights: undefined, codes: base64Of(panel.weights) }));
    const data = JSON.stringify({ panels, state: pictured() }).replace(/</g, "\\u003c");
    const script = `${FRONT_END}\nconst data = JSON.parse(document.getElementById("data").textContent);
for (const panel of data.panels) panel.weights = bytesOf(panel.codes);
createAttentionView(document.getElementById("view"), data);`.replace(/<\/script/gi, "<\\/script");
    const said = element("p");
    said.textContent = [...verdicts.children].map((one) => one.getAttribute("aria-label") || one.textContent).join(". ");
    return `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Attention</title><meta name="viewport" content="width=device-width"><style>:root { color-scheme: light dark; } body { margin: 16px; font-family: sans-serif; }</style></head><body>\n${said.outerHTML}<div id="view"></div><script type="application/json" id="data">${data}</script>\n<script>${script}</script></body></html>\n`;
  }
  async function keep(kind) {
    if (!answer) return;
    const name = `explorer_${shown.view}_layer${shown.layer}_head${shown.head}.${kind}`;
    if (save) {
      try { say("keep", await save(kind)); } catch (error) { report("keep")(error); }
      return;
    }
    if (kind === "html" && answer.panels.some((panel) => panel.by_layer)) { say("keep", "This text is too long to keep as a page; save a picture.", true); return; }
    const blob = kind === "png" ? await new Promise((done) => picture().toBlob(done, "image/png")) : new Blob([pageOf()], { type: "text/html" });
    const link = element("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("keep", `saved ${name}`);
  }
  async function copyLink() {
    window.history.replaceState(null, "", `#${addressOf(shown, first)}`);
    try {
      await navigator.clipboard.writeText(location.href);
      say("keep", "The link to what you see is copied.");
    } catch {
      say("keep", "The address of this page is the link to what you see; the browser did not let us copy it.");
    }
  }

  if (address) window.addEventListener("hashchange", () => set({ ...first, ...stateOf(location.hash.slice(1), first, engine.info) }));
  set({ ...shown });
  askWords();
  askGrid();
  return { set, state: () => shown };
}

function base64Of(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
