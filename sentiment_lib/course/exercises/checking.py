"""What the checks of several exercises share."""

from __future__ import annotations

import builtins
import dis
import inspect
from types import CodeType
from typing import Any

import numpy as np

from ...settings import make_settings
from ..practice import BriefRun
from .exercise import Wrong


def refuse(*mistakes: tuple[Any, str]) -> None:
    """Raise the message of the first mistake that was made; each is (whether it was made, what to say)."""
    for made, message in mistakes:
        if made:
            raise Wrong(message)


def number_of(answer: Any, what: str) -> float:
    """An answer that must be one number."""
    if (value := np.asarray(answer, dtype=float)).ndim:
        raise Wrong(f"{what} should be one number; yours is an array or list of shape {value.shape}.")
    return float(value)


def array_of(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """An answer that must be an array of this shape."""
    answer = np.asarray(answer, dtype=float)
    if answer.shape != shape:
        raise Wrong(f"{what} should have the shape {shape}; yours has {answer.shape}.")
    return answer


def refers_to(answer: Any, target: Any) -> bool:
    """Whether a function, or one defined beside it that it names, names `target`. Nothing is run."""
    waiting, seen = [inspect.unwrap(answer)], set()
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or function in seen:
            continue
        seen.add(function)
        scope = {**vars(builtins), **function.__globals__, **inspect.getclosurevars(function).nonlocals}
        values = [scope.get(name) for name in _names(function.__code__)]
        if any(value is target for value in values):
            return True
        waiting += [value for value in values if getattr(value, "__globals__", None) is function.__globals__]
    return False


def _names(code: CodeType) -> set[str]:
    """Every name that a function, or a function inside it, looks up outside of itself."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_DEREF")}
    return names.union(*(_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


def random_maps(*shape: int, seed: int | np.random.Generator) -> np.ndarray:
    """Random attention weights of this shape; rows sum to 1."""
    scores = np.exp(np.random.default_rng(seed).normal(0, 2, shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def tiny_bert(heads: int = 2, layers: int = 2):
    """A random BERT for two labels: hidden size 16, 50 words. PyTorch's random state is left as it was."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BertForSequenceClassification(config).eval()


def stored_run(
    right: int, copied_right: int = 0, copied: int = 0, of: int = 761, losses=(), **changes: Any
) -> BriefRun:
    """A short training as it once went: how many of the copied reviews, and of the others, it got right."""
    place = np.arange(of)
    seen = place < copied
    hits = np.where(seen, place < copied_right, place - copied < right)
    settings = make_settings("quick", run="brief", **changes)
    return BriefRun(float(hits.mean()), hits, seen, tuple(losses), settings, 600)
