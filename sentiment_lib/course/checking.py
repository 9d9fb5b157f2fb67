"""What the checks of several exercises share."""

from __future__ import annotations

import numpy as np

from .exercises import Wrong


def refuse(*faults: tuple[bool, str]) -> None:
    """Raise the message of the first fault that is there; each is (whether it is there, what to say)."""
    for there, message in faults:
        if there:
            raise Wrong(message)


def number_of(found, what: str) -> float:
    """An answer that must be one number."""
    if (value := np.asarray(found, dtype=float)).ndim:
        raise Wrong(f"{what} should be one number; yours is an array or list of shape {value.shape}.")
    return float(value)


def array_of(found, shape: tuple[int, ...], what: str) -> np.ndarray:
    """An answer that must be an array of this shape."""
    found = np.asarray(found, dtype=float)
    if found.shape != shape:
        raise Wrong(f"{what} should have the shape {shape}; yours has {found.shape}.")
    return found


def random_maps(*shape: int, seed: int) -> np.ndarray:
    """Random attention weights of this shape; rows sum to 1."""
    scores = np.exp(np.random.default_rng(seed).normal(0, 2, shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def tiny_bert(heads: int = 2):
    """A random BERT for two labels: 2 layers, hidden size 16, 50 words. The lesson's own chance is left alone."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": heads}
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.5}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BertForSequenceClassification(BertConfig(**sizes, **calm, intermediate_size=32)).eval()
