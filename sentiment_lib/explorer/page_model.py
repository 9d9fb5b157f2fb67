"""A fine-tuned BERT for a page without a kernel: its weights, vocabulary and shape as plain data (lesson 06).

The JavaScript in ``engine/`` computes with them; ``engine/page_engine.js`` says how a page asks it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, check_choice
from ..model.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS = ("int8", "float16")
BLOCK = 64  # weights that share a scale; a row whose length is no multiple of it has one scale
WORKER_SCRIPTS = (
    "word_pieces.js",
    "model_file.js",
    "matrix_product.js",
    "bert_encoder.js",
    "corpus_search.js",
    "page_answers.js",
    "page_worker.js",
)
_PARTS = ("query", "key", "value", "mix", "mixNorm", "grow", "shrink", "norm")  # of a layer, as the engine calls them
# Where a model has its pooler, and in each layer the last four parts; ARCHITECTURES says where it has the others.
_KINDS = {
    "BertForSequenceClassification": (
        "bert.pooler.dense",
        ("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
    ),
    "DistilBertForSequenceClassification": (
        "pre_classifier",
        ("sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"),
    ),
}


def engine_scripts() -> tuple[str, str]:
    """The engine's JavaScript: what a page loads as a script, and the source text that it hands to the worker."""
    folder = Path(__file__).parent / "engine"
    page, *worker = ((folder / name).read_text(encoding="utf-8") for name in ("page_engine.js", *WORKER_SCRIPTS))
    return page, "\n".join(worker)


def packed_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, weights: str = "int8") -> dict[str, Any]:
    """A BERT or DistilBERT classifier as data for JSON.

    Parameters
    ----------
    model, tokenizer
        A ``BertForSequenceClassification`` or a ``DistilBertForSequenceClassification`` with two labels, and its
        tokenizer.
    weights : {"int8", "float16"}
        How matrices are stored: one byte per number and four per block of 64 numbers in a row, a scale; or two bytes
        per number. Vectors and the embeddings of positions stay float32. benchmarks/page_engine.py measures what
        either does to logits.

    Returns
    -------
    dict
        ``config``, ``vocabulary`` (pieces in the order of their ids), ``lowercase``, and ``tensors``: for each weight
        ``shape``, ``type``, ``data`` and perhaps ``scales``, both base64 of little-endian numbers.

    Raises
    ------
    ModelError
        For a model or a tokenizer that the page cannot compute; the message says what does not fit.
    ArgumentError
        For another kind of weights.
    """
    check_choice("weights", weights, WEIGHTS)
    _check(model)
    config, vocabulary = model.config, tokenizer.get_vocab()
    is_distilled = config.model_type == "distilbert"
    return {
        "config": {
            "layers": config.num_hidden_layers,
            "heads": config.num_attention_heads,
            "hidden": config.hidden_size,
            "epsilon": 1e-12 if is_distilled else config.layer_norm_eps,
            "positions": config.max_position_embeddings,
            "pooling": "relu" if is_distilled else "tanh",
        },
        "vocabulary": sorted(vocabulary, key=vocabulary.__getitem__),
        "lowercase": _lowercase(tokenizer),
        "tensors": {
            name: _packed(values, "float32" if values.ndim == 1 or name == "positions" else weights)
            for name, values in _tensors(model).items()
        },
    }


def _check(model: PreTrainedModel) -> None:
    config, kind = model.config, type(model).__name__
    if kind not in _KINDS:
        raise ModelError(f"A page computes a {' or a '.join(_KINDS)}; this is a {kind}.")
    activation = "activation" if config.model_type == "distilbert" else "hidden_act"
    unusual = {
        activation: (getattr(config, activation), "gelu"),
        "num_labels": (config.num_labels, 2),
        "position_embedding_type": (getattr(config, "position_embedding_type", None) or "absolute", "absolute"),
    }
    for name, (found, wanted) in unusual.items():
        if found != wanted:
            raise ModelError(f"A page computes models with {name}={wanted!r}; this one has {found!r}.")


def _tensors(model: PreTrainedModel) -> dict[str, np.ndarray]:
    """The weights under the engine's names; what BERT adds for the first of two segments is added to the positions."""
    state = {name: values.detach().float().cpu().numpy() for name, values in model.state_dict().items()}
    prefix, architecture = model.base_model_prefix, ARCHITECTURES[model.config.model_type]
    pooler, others = _KINDS[type(model).__name__]
    inside = dict(zip(_PARTS, (*architecture.projections, architecture.output, *others), strict=True))
    embeddings = f"{prefix}.embeddings"
    positions = state[f"{embeddings}.position_embeddings.weight"]
    segments = state.get(f"{embeddings}.token_type_embeddings.weight")
    if segments is not None:
        positions = positions + segments[0]
    places = {"norm": f"{embeddings}.LayerNorm", "pooler": pooler, "classifier": "classifier"} | {
        f"{layer}.{name}": f"{prefix}.{architecture.layers}.{layer}.{path}"
        for layer in range(model.config.num_hidden_layers)
        for name, path in inside.items()
    }
    return {"words": state[f"{embeddings}.word_embeddings.weight"], "positions": positions} | {
        f"{name}.{kind}": state[f"{path}.{kind}"] for name, path in places.items() for kind in ("weight", "bias")
    }


def _lowercase(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer lowers letters and drops their accents; a ModelError if it works in another way."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    normalizer, words, pieces = rules["normalizer"] or {}, rules["pre_tokenizer"] or {}, rules["model"]
    lowercase = normalizer.get("lowercase", False)
    if (
        (normalizer.get("type"), words.get("type"), pieces["type"])
        != ("BertNormalizer", "BertPreTokenizer", "WordPiece")
        or not (normalizer["clean_text"] and normalizer["handle_chinese_chars"])
        or normalizer["strip_accents"] not in (None, lowercase)
    ):
        raise ModelError("A page makes tokens as BERT's tokenizer does; this tokenizer works in another way.")
    return lowercase


def _packed(values: np.ndarray, kind: str) -> dict[str, Any]:
    packed = {"shape": list(values.shape)}
    if kind == "float32":
        return packed | {"type": "float32", "data": _base64(values.astype("<f4"))}
    if kind == "float16":
        return packed | {"type": "float16", "data": _base64(values.astype("<f2"))}
    width = values.shape[1]
    blocks = values.reshape(-1, width if width % BLOCK else BLOCK)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    scales = np.where(scales == 0, 1, scales).astype("<f4")
    integers = np.rint(blocks / scales).astype("i1")
    return packed | {"type": "int8", "data": _base64(integers), "scales": _base64(scales)}


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
