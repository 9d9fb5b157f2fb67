/* Starts the explorer of a page whose model stands in model.js, beside it. */
async function startPage() {
  const said = document.getElementById("said");
  const data = JSON.parse(document.getElementById("data").textContent);
  if (!globalThis.SENTIMENT_MODEL) {
    said.textContent = "The model is missing: model.js should lie beside this page. Keep the folder together.";
    return;
  }
  try {
    const { corpus, length } = data, packed = globalThis.SENTIMENT_MODEL;
    const engine = await createPageEngine({ scripts: ENGINE_SCRIPTS, packed, corpus, length });
    globalThis.SENTIMENT_MODEL = null; // the worker has its own copy
    engine.info.changed = data.changed;
    const { reviews, pairs } = data;
    createExplorer(document.getElementById("explorer"), { engine, reviews, pairs, corpus, address: true });
    said.remove();
  } catch (error) {
    said.textContent = `The model could not be started: ${error.message}`;
  }
}
document.addEventListener("DOMContentLoaded", startPage);
