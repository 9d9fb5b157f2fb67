"""A fine-tuned BERT for a page without a kernel: its weights, vocabulary and shape as plain data (lesson 06).

The JavaScript in ``engine/`` reads them: ``model_file.js`` unpacks the weights, ``word_pieces.js`` makes tokens of a
text, and ``bert_encoder.js`` computes the logits with attention maps, gates for heads and outputs of another text.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS = ("int8", "float16")


def packed_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, weights: str = "int8") -> dict[str, Any]:
    """A BERT classifier as data for JSON.

    Parameters
    ----------
    model, tokenizer
        A ``BertForSequenceClassification`` with two labels, and its tokenizer.
    weights : {"int8", "float16"}
        How matrices are stored: one byte per number with a scale per row (symmetric), or two bytes. Vectors stay
        float32.

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
    if weights not in WEIGHTS:
        raise ArgumentError(f"weights={weights!r} is not one of {', '.join(map(repr, WEIGHTS))}.")
    _check(model)
    config = model.config
    shape = {
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "hidden": config.hidden_size,
        "inner": config.intermediate_size,
        "epsilon": config.layer_norm_eps,
        "positions": config.max_position_embeddings,
    }
    vocabulary = tokenizer.get_vocab()
    return {
        "config": shape,
        "vocabulary": sorted(vocabulary, key=vocabulary.__getitem__),
        "lowercase": _lowercase(tokenizer),
        "tensors": {
            name: _packed(values.detach().float().cpu().numpy(), weights)
            for name, values in model.state_dict().items()
            if not name.endswith("position_ids")
        },
    }


def _check(model: PreTrainedModel) -> None:
    config = model.config
    if type(model).__name__ != "BertForSequenceClassification":
        raise ModelError(f"A page computes a BertForSequenceClassification; this is a {type(model).__name__}.")
    unusual = {
        "hidden_act": (config.hidden_act, "gelu"),
        "num_labels": (config.num_labels, 2),
        "position_embedding_type": (getattr(config, "position_embedding_type", None) or "absolute", "absolute"),
    }
    for name, (found, wanted) in unusual.items():
        if found != wanted:
            raise ModelError(f"A page computes models with {name}={wanted!r}; this one has {found!r}.")


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


def _packed(values: np.ndarray, weights: str) -> dict[str, Any]:
    packed = {"shape": list(values.shape)}
    if values.ndim == 1:
        return packed | {"type": "float32", "data": _base64(values.astype("<f4"))}
    if weights == "float16":
        return packed | {"type": "float16", "data": _base64(values.astype("<f2"))}
    scales = np.abs(values).max(axis=1, keepdims=True) / 127
    scales = np.where(scales == 0, 1, scales).astype("<f4")
    integers = np.rint(values / scales).clip(-127, 127).astype("i1")
    return packed | {"type": "int8", "data": _base64(integers), "scales": _base64(scales[:, 0])}


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
