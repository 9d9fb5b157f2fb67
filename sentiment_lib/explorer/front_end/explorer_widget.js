/* The explorer as an anywidget: what it shows are traits of the widget's model, and the kernel answers what it asks. */
/* global EXPLORER_STATE, createExplorer, inflated */
function kernelEngine(model) {
  const waiting = new Map(), mine = `${Date.now()} ${Math.random()}`; // several views may show one widget
  let number = 0;
  model.on("msg:custom", async (content, buffers) => {
    const asked = waiting.get(content.id);
    if (!asked) return;
    waiting.delete(content.id);
    if (content.error) { asked.reject(new Error(content.error)); return; }
    const answer = content.answer;
    for (const [i, name] of content.names.entries()) answer[name] = await inflated(buffers[i]);
    asked.resolve(answer);
  });
  const send = (kind, args) => new Promise((resolve, reject) => {
    const id = `${mine} ${(number += 1)}`;
    waiting.set(id, { resolve, reject });
    model.send({ id, kind, args });
  });
  /* Of a long text the weights of one layer come, and more are asked for when they are shown. */
  const asPanel = ({ layer, ...answer }) => (layer === undefined ? answer : { ...answer, by_layer: { [layer]: answer.weights } });

  function ask(kind, args, onPart = null) {
    let cancelled = false;
    const stopped = () => {
      if (cancelled) throw Object.assign(new Error("cancelled"), { name: "AbortError" });
    };
    async function work() {
      if (kind === "needs" || kind === "patches") {
        const table = [];
        for (let layer = model.get("info").layers - 1; layer >= 0; layer--) {
          const part = await send(kind, { ...args, layer });
          stopped();
          table[layer] = part.values;
          onPart?.(part);
        }
        return table;
      }
      if (kind === "read" && onPart) send("logit", args).then((part) => cancelled || onPart(part), () => {}); // the maps say what failed
      for (;;) {
        const answer = await send(kind, args);
        stopped();
        if (kind === "norms") return asPanel({ ...answer, norms: answer.weights });
        if (kind === "read") return asPanel(answer);
        if (kind !== "search" || answer.pairs) return answer;
        onPart?.(answer);
      }
    }
    const promise = work();
    promise.cancel = () => (cancelled = true);
    return promise;
  }
  return { info: model.get("info"), ask };
}

function render({ model, el }) {
  const keys = Object.keys(EXPLORER_STATE), engine = kernelEngine(model);
  const onChange = (part) => {
    for (const [key, value] of Object.entries(part)) model.set(key, value);
    model.save_changes();
  };
  const state = Object.fromEntries(keys.map((key) => [key, model.get(key)]));
  const save = async (kind) => (await engine.ask("save", { kind })).said;
  const [reviews, pairs] = [model.get("reviews"), model.get("pairs")];
  const explorer = createExplorer(el, { engine, state, reviews, pairs, onChange, save });
  // Arrow keys on the sliders are theirs: without this, Notebook 7 folds the section away. Lumino's shortcuts look for
  // the attribute on the focused element first.
  setTimeout(() => el.closest(".jp-OutputArea-output")?.addEventListener("focusin", ({ target }) =>
    target.setAttribute("data-lm-suppress-shortcuts", "true")));
  for (const key of keys) {
    model.on(`change:${key}`, () => {
      const value = model.get(key);
      if (JSON.stringify(value) !== JSON.stringify(explorer.state()[key])) explorer.set({ [key]: value });
    });
  }
}
