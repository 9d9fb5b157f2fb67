"""The model in a page: how exact and how fast the engine in JavaScript is, in headless Chromium.

Uses the model of the run `quick`, so it needs lessons 01 to 03 (``make run``) and Chromium. The page is opened from
disk, with its model in a script beside it.

accuracy   Logits of 500 test sentences beside those of PyTorch in float32.
speed      For texts of TOKENS tokens: the time from opening the page until it can answer, of the first answer, of an
           answer with a head of the upper half switched off, and of the need of every head; also without the fused
           instruction that multiplies and adds, and without WebAssembly.

python benchmarks/page_engine.py IMDB_FOLDER        12 minutes on two cores (IMDB itself is not read)
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bench import arguments, measure

from sentiment_lib.settings import make_settings

TOKENS = 20
TIMED = ("ready", "first", "off", "needs")
SYSTEMS = {  # what is done to the worker's source
    "WebAssembly": ("", ""),
    "WebAssembly, not fused": ("[true, false]", "[false]"),
    "plain JavaScript": ('typeof WebAssembly === "undefined"', "true"),
}
READY = """createPageEngine({ scripts: SCRIPTS, packed: PACKED, length: 64 })
  .then((engine) => Object.assign(window, { engine, ready: performance.now() }));"""
READ_ALL = """async (texts) => {
  const logits = [];
  for (const text of texts) logits.push((await engine.ask("read", { text })).logit);
  return logits;
}"""
TIMES = """async ([texts, layers, heads]) => {
  const timed = async (kind, args) => {
    const start = performance.now();
    await engine.ask(kind, args);
    return performance.now() - start;
  };
  const first = [], off = [], needs = [];
  for (const [i, text] of texts.entries()) {
    first.push(await timed("read", { text }));
    const head = [Math.floor(layers / 2) + i % Math.ceil(layers / 2), i % heads];
    off.push(await timed("read", { text, off: [head] }));
  }
  for (const text of texts) needs.push(await timed("needs", { text }));
  return { first, off, needs };
}"""


def check(part: str, weights: str, count: int, system: str = "WebAssembly") -> dict[str, Any]:
    """One part of what is measured, with one kind of weights."""
    from sentiment_lib import Classifier, initialize_model_and_tokenizer
    from sentiment_lib.data.preparation import load_dataset
    from sentiment_lib.data.tokenization import encode
    from sentiment_lib.explorer import packed_model

    settings = make_settings("quick")
    model, tokenizer = initialize_model_and_tokenizer(str(settings.paths.require(settings.paths.model, "03")))
    texts = load_dataset(settings)["test"]["text"]
    packed = json.dumps(packed_model(model, tokenizer, weights))
    if part == "accuracy":
        texts = list(texts[:count])
        with opened(packed, system) as tab:
            logits = np.array(tab.evaluate(READ_ALL, texts))
        expected = Classifier(model, tokenizer, settings.encoding, precision="float32").logits(texts)
        differences = np.abs(logits - expected)
        return {
            "megabytes": len(packed) / 1e6,
            "largest": differences.max().item(),
            "median": float(np.median(differences)),
            "within_a_tenth": np.mean(differences <= 0.1).item(),
            "labels_changed": int(np.sum((logits > 0) != (expected > 0))),
        }
    texts = [text for text, ids in zip(texts, encode(texts, tokenizer, TOKENS + 1), strict=True) if len(ids) == TOKENS]
    config = model.config
    ready = []
    for _ in range(count):
        with opened(packed, system) as tab:
            ready.append(tab.evaluate("ready"))
    with opened(packed, system) as tab:
        spent = tab.evaluate(TIMES, [texts[:count], config.num_hidden_layers, config.num_attention_heads])
    return {name: np.round(values, 1).tolist() for name, values in {"ready": ready, **spent}.items()}


@contextmanager
def opened(packed: str, system: str) -> Iterator[Any]:
    """A page of its own browser, from disk, whose engine is ready."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from support.browser import chromium_page

    from sentiment_lib.explorer.page_model import engine_scripts

    page, scripts = engine_scripts()
    old, new = SYSTEMS[system]
    assert old in scripts
    source = json.dumps(scripts.replace(old, new, 1)).replace("<", "\\u003c")
    with tempfile.TemporaryDirectory() as folder, chromium_page(offline=True) as tab:
        Path(folder, "model.js").write_text(f"const PACKED = {packed};", encoding="utf-8")
        script = f"{page}\nconst SCRIPTS = {source};\n{READY}"
        html = f'<!DOCTYPE html><meta charset="utf-8"><script src="model.js"></script><script>{script}</script>'
        Path(folder, "page.html").write_text(html, encoding="utf-8")
        tab.goto(Path(folder, "page.html").as_uri())
        tab.wait_for_function("window.ready")
        yield tab


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    sentences, repeats = (20, 3) if options.small else (500, 25)
    jobs: list[dict[str, Any]] = [
        {"part": "accuracy", "weights": weights, "count": sentences} for weights in ("float16", "int8")
    ]
    jobs += [{"part": "speed", "weights": "int8", "count": repeats, "system": system} for system in SYSTEMS]
    jobs += [{"part": "speed", "weights": "float16", "count": repeats, "system": "WebAssembly"}]
    measure("page_engine", check, jobs, options.small)


if __name__ == "__main__":
    main()
