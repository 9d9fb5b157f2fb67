"""The explorer as a page whose model runs in the page itself: no kernel, no server and no network (lesson 06).

``engine/`` computes, ``front_end/`` draws. The page opens from disk, so it has classic scripts only.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..run.files import replacing
from .page_model import engine_scripts, packed_model
from .view import explorer_front_end, front_end, json_for_page, source

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CONTENT = """<h1>{title}</h1>
<p>{about}</p>
<p id="said" role="status">The model is being loaded …</p>
<noscript><p>This page needs JavaScript: the model runs in it.</p></noscript>
<div id="explorer"></div>
<script type="application/json" id="data">{data}</script>
<script src="explorer.js" defer></script><script src="model.js" defer></script>
"""
_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 16px; font: 14px/1.45 system-ui, sans-serif; }}
h1 {{ font-size: 20px; margin: 0 0 2px; }} p {{ margin: 2px 0 10px; max-width: 900px; }}</style>
</head><body>
<main>{content}</main>
</body></html>
"""


def write_page(
    folder: str | Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    reviews: Mapping[str, str],
    pairs: Mapping[str, tuple[str, str]] | None = None,
    corpus: Sequence[str] = (),
    changed: np.ndarray | None = None,
    max_length: int = 64,
    weights: str = "int8",
    title: str = "Question a BERT classifier",
    frame: Callable[[str], str] | None = None,
) -> Path:
    """Write the explorer as a folder of three files: ``index.html``, ``explorer.js`` and ``model.js``.

    Opened in a browser, the page computes everything itself: prediction, attention maps, what switching off or taking
    over a head does, norms, and the search by head. The bundled model takes about 33 MB with int8 weights.

    Parameters
    ----------
    folder : str or path
        Replaced as a whole, once the new one is complete.
    model, tokenizer
        A fine-tuned BERT or DistilBERT with two labels (:func:`packed_model`).
    reviews, pairs, corpus, max_length
        As in :class:`sentiment_lib.AttentionExplorer`.
    changed : numpy.ndarray, optional
        What fine-tuning changed in each head, shape ``(layers, heads)``
        (:func:`sentiment_lib.attention.attention_change`).
    weights : {"int8", "float16"}
        How the model is stored.
    title : str
    frame : callable, optional
        Makes the page from its content, as HTML. By default the page stands alone.

    Returns
    -------
    pathlib.Path
        The path of ``index.html``.

    Raises
    ------
    ModelError
        For a model that a page cannot compute; the message says what does not fit.
    """
    packed, folder = packed_model(model, tokenizer, weights), Path(folder)
    config = model.config
    data = {
        "reviews": list(reviews.items()),
        "pairs": [[name, *texts] for name, texts in (pairs or {}).items()],
        "corpus": list(corpus),
        "changed": None if changed is None else np.asarray(changed).round(4).tolist(),
        "length": min(max_length, tokenizer.model_max_length, config.max_position_embeddings),
    }
    about = (
        f"{config.num_hidden_layers} layers of {config.num_attention_heads} heads, with {weights} weights. The model "
        "runs in this page: what you type stays here. Layers and heads count from 0."
    )
    content = _CONTENT.format(title=html.escape(title), about=about, data=json_for_page(data))
    page = frame(content) if frame else _FRAME.format(title=html.escape(title), content=content)
    page_script, worker_script = engine_scripts()
    scripts = [
        f"const FRONT_END = {json.dumps(front_end())};",
        f"const ENGINE_SCRIPTS = {json.dumps(worker_script)};",
        explorer_front_end(),
        page_script,
        source("front_end/page.js"),
    ]
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        (temporary / "index.html").write_text(page, encoding="utf-8")
        (temporary / "explorer.js").write_text("\n".join(scripts), encoding="utf-8")
        (temporary / "model.js").write_text(f"globalThis.SENTIMENT_MODEL = {json.dumps(packed)};\n", encoding="utf-8")
    return folder / "index.html"
