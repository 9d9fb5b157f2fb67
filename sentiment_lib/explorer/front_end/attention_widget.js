/* The attention view as an anywidget. What it draws and shows are traits of the widget's model. */
/* global STATE, createAttentionView, unpackPanel */
async function render({ model, el }) {
  const keys = Object.keys(STATE);
  const unpack = () => Promise.all(model.get("panels").map((panel) => unpackPanel(panel, panel.packed)));
  const state = () => Object.fromEntries(keys.map((key) => [key, model.get(key)]));
  const onChange = (part) => {
    for (const [key, value] of Object.entries(part)) model.set(key, value);
    model.save_changes();
  };
  const view = createAttentionView(el, { panels: await unpack(), state: state(), toolbar: false, onChange });
  let newest = 0; // texts typed fast: only the last answer counts
  model.on("change:panels", async () => {
    const mine = (newest += 1), panels = await unpack();
    if (mine === newest) view.load(panels, state());
  });
  for (const key of keys) model.on(`change:${key}`, () => view.set({ [key]: model.get(key) }));
}
