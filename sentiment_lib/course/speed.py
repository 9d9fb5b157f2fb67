"""What each measure that makes training fast brings, on this machine and these reviews.

Used in lesson 03. (``benchmarks/levers.py`` measures more of them, on IMDB, for longer.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..data.tokenization import encode
from ..errors import ArgumentError
from ..model.compute import Compute
from ..model.encoder import first_token_only
from ..model.pretrained import initialize_model_and_tokenizer
from ..settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

START = {"sorted": False, "dropout": 0.1, "precision": "float32", "attention": "sdpa", "first_token": False}
# Each has all changes of those above it.
MEASURES = {
    "as in the Trainer's example": {},
    "similar lengths together": {"sorted": True},
    "no dropout": {"dropout": 0.0},
    "bfloat16 products": {"precision": "bfloat16"},
    "lean attention": {"attention": "lean"},
    "last layer for [CLS] only": {"first_token": True},
}
BATCH = 32


def reviews_per_second(measure: str, texts: Sequence[str], settings: Settings) -> float:
    """Speed of whole training steps (forward, backward, AdamW) on a processor with `measure` and all above it.

    Parameters
    ----------
    measure : str
        One of :data:`MEASURES`.
    texts : sequence of str
        Training reviews; their labels do not matter for speed. Two or three hundred take a few seconds.
    settings : Settings
        Model and length of a review.

    Returns
    -------
    float
        Reviews a second; the first batch, which warms up, is left out.

    Raises
    ------
    ArgumentError
        For a measure that is not known, or for fewer than three batches of 32.
    """
    import torch

    if measure not in MEASURES:
        raise ArgumentError(f"measure={measure!r} is not one of {', '.join(map(repr, MEASURES))}.")
    if len(texts) < 3 * BATCH:
        raise ArgumentError(f"{len(texts)} reviews are too few to measure with; give at least {3 * BATCH}.")
    how = dict(START)
    for name, changes in MEASURES.items():
        how |= changes
        if name == measure:
            break
    compute = Compute("cpu", how["precision"], how["attention"])
    model, tokenizer = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, dropout=how["dropout"], compute=compute
    )
    ids = encode(texts, tokenizer, **settings.encoding)
    if how["sorted"]:
        ids.sort(key=len)
    padding = {"padding": True} if how["sorted"] else {"padding": "max_length", "max_length": settings.max_length}
    batches = [
        tokenizer.pad({"input_ids": ids[i : i + BATCH]}, return_tensors="pt", pad_to_multiple_of=8, **padding)
        for i in range(0, len(ids) - BATCH + 1, BATCH)
    ]
    batches = (
        batches[len(batches) // 2 :] + batches[: len(batches) // 2]
    )  # the first one, not counted, is of middle length
    labels = torch.arange(BATCH) % 2
    step = training_step(model, compute)
    with first_token_only(model) if how["first_token"] else nullcontext():
        for number, batch in enumerate(batches):
            if number == 1:
                began = time.perf_counter()
            step(**batch, labels=labels)
        return (len(batches) - 1) * BATCH / (time.perf_counter() - began)


def training_step(model: PreTrainedModel, compute: Compute) -> Callable[..., None]:
    """A function that makes one training step of a batch: forward, backward, AdamW."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    fast = compute.precision == "bfloat16"
    products = torch.autocast(compute.device, torch.bfloat16) if fast else nullcontext()
    model.train()

    def step(**batch) -> None:
        with products:
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure_all(texts: Sequence[str], settings: Settings, rounds: int = 1) -> dict[str, float]:
    """The speed with each measure, one after the other: of several rounds, the best."""
    found = [{name: reviews_per_second(name, texts, settings) for name in MEASURES} for _ in range(rounds)]
    return {name: max(one[name] for one in found) for name in MEASURES}
