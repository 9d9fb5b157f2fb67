"""Any number of texts to probabilities.

Taught in lesson 04.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.tokenization import encode
from ..run.progress import progress_bar
from .allocator import MANY_TEXTS, keep_freed_memory
from .compute import device_of, has_bfloat16
from .encoder import bfloat16_hidden_states, first_token_only, packed_weights

if TYPE_CHECKING:
    import torch
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

CHUNK = 4096  # texts that are tokenised and sorted at a time, so that memory does not grow with their number


def predict(
    texts: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int | None = None,
    truncation: str = "head+tail",
    head_share: float = 0.25,
    batch_size: int = 16,
    precision: str = "auto",
    progress: bool = True,
) -> np.ndarray:
    """The probability that each text is positive.

    Texts are sorted by length and batched with others of their length, so that little is computed on
    padding; the answer is in the order of the texts.

    Parameters
    ----------
    texts : sequence of str
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    max_length, truncation, head_share
        As in :func:`sentiment_lib.data.encode`. Default length: 256, or less where the model reads less.
    batch_size : int
        Texts in a batch.
    precision : {"auto", "bfloat16", "float32"}
        Arithmetic of the matrix products. Default: bfloat16 where the device has it and there is more than
        one batch to compute. It moves probabilities by about 0.001 to 0.01.
    progress : bool
        Show a bar for work of more than a few batches, where somebody looks.

    Returns
    -------
    numpy.ndarray
        Shape ``(texts,)``, float64, in [0, 1].

    Raises
    ------
    TypeError
        For a single string, and for an element that is not one.
    """
    if isinstance(texts, str):
        raise TypeError("predict takes a list of texts; for one text give a list of one: predict([text], ...).")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is {text!r}, not a string.")
    max_length = max_length or min(256, tokenizer.model_max_length)
    logits = predict_logits(
        texts,
        model,
        tokenizer,
        how={"max_length": max_length, "truncation": truncation, "head_share": head_share},
        batch_size=batch_size,
        precision=precision,
        progress=progress,
    )
    gap = logits[:, 1] - logits[:, 0]
    return 0.5 * (1 + np.tanh(gap / 2))  # the softmax of two logits, without overflow


def predict_logits(texts: list[str], model, tokenizer, *, how, batch_size, precision, progress) -> np.ndarray:
    """Logits of both labels, shape ``(texts, 2)``, float64, in the order of the texts."""
    with first_token_only(model):
        return _compute(
            lambda batch: model(**batch).logits, 2, texts, model, tokenizer, how, batch_size, precision, progress
        )


def embed(
    texts: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    truncation: str = "head+tail",
    head_share: float = 0.25,
    batch_size: int = 16,
    precision: str = "auto",
    progress: bool = True,
) -> np.ndarray:
    """Each text as one vector: the mean of the last layer's hidden states over its tokens.

    Parameters
    ----------
    texts, model, tokenizer, max_length, truncation, head_share, batch_size, precision, progress
        As in :func:`predict`.

    Returns
    -------
    numpy.ndarray
        Shape ``(texts, hidden size)``, float64.
    """

    def mean_pooled(batch):
        hidden = model.base_model(**batch).last_hidden_state.float()
        there = batch["attention_mask"][..., None]  # (texts, tokens, 1): 0 where the batch was padded
        return (hidden * there).sum(dim=1) / there.sum(dim=1)

    how = {"max_length": max_length, "truncation": truncation, "head_share": head_share}
    width = model.config.hidden_size
    return _compute(mean_pooled, width, list(texts), model, tokenizer, how, batch_size, precision, progress)


def _compute(forward, width, texts, model, tokenizer, how, batch_size, precision, progress) -> np.ndarray:
    """What `forward` makes of every batch of texts, shape ``(texts, width)``, in the order of the texts."""
    import torch

    found = np.empty((len(texts), width))
    dtype = _autocast_dtype(model, precision, len(texts) > batch_size)
    training = model.training
    model.eval()
    bar = progress_bar(total=len(texts), desc="predicting", unit="text") if progress and len(texts) > 500 else None
    device = device_of(model)
    if device.type == "cpu" and len(texts) > MANY_TEXTS:
        keep_freed_memory()
    try:
        with ExitStack() as around:
            around.enter_context(torch.inference_mode())
            if dtype == "bfloat16":
                around.enter_context(torch.autocast(device.type, dtype=torch.bfloat16))
                around.enter_context(bfloat16_hidden_states(model))
                around.enter_context(packed_weights(model))
            for rows, batch in batches_of(texts, tokenizer, how, batch_size, device):
                found[rows] = forward(batch).float().cpu().numpy()
                if bar is not None:
                    bar.update(len(rows))
    finally:
        model.train(training)
        if bar is not None:
            bar.close()
    return found


def batches_of(
    texts: list[str], tokenizer: PreTrainedTokenizerBase, how: Mapping[str, Any], batch_size: int, device: torch.device
) -> Iterator[tuple[list[int], BatchEncoding]]:
    """Texts as padded batches of similar length, the longest of a chunk first, so that too little memory shows at once.

    Parameters
    ----------
    texts, tokenizer
    how : mapping
        What :func:`sentiment_lib.data.encode` takes: max_length, truncation, head_share.
    batch_size : int
    device : torch.device

    Yields
    ------
    list of int
        Which texts are in the batch.
    transformers.BatchEncoding
        What the model takes, on the device.
    """
    for start in range(0, len(texts), CHUNK):
        ids = encode(texts[start : start + CHUNK], tokenizer, **how)
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        for at in range(0, len(order), batch_size):
            rows = order[at : at + batch_size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt").to(device)
            yield [start + i for i in rows], batch


def _autocast_dtype(model, precision: str, many: bool) -> str:
    if precision not in ("auto", "bfloat16", "float32"):
        raise ValueError(f"precision={precision!r} is not one of auto, bfloat16, float32.")
    if precision != "auto":
        return precision
    return "bfloat16" if many and has_bfloat16(device_of(model).type) else "float32"
