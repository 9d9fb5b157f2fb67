"""How much each optimisation speeds up training on this machine and these reviews. Used in lesson 03.

``benchmarks/levers.py`` measures more of them, on IMDB and for longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..data.tokenization import encode, padding_multiple
from ..errors import ArgumentError
from ..model.compute import Compute, keep_freed_memory
from ..model.encoder import first_token_only
from ..model.pretrained import initialize_model_and_tokenizer
from ..settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BASELINE: dict[str, Any] = {
    "sorted": False,
    "dropout": 0.1,
    "precision": "float32",
    "attention": "sdpa",
    "first_token": False,
}
# Each row includes the changes of all rows above it.
MEASURES: dict[str, dict[str, Any]] = {
    "as in the Trainer's example": {},
    "similar lengths together": {"sorted": True},
    "no dropout": {"dropout": 0.0},
    "bfloat16 products": {"precision": "bfloat16"},
    "lean attention": {"attention": "lean"},
    "last layer for [CLS] only": {"first_token": True},
}
BATCH_SIZE = 32


def reviews_per_second(measure: str, texts: Sequence[str], settings: Settings) -> float:
    """Speed of complete training steps (forward, backward, AdamW) on the CPU, with `measure` and all above it.

    Parameters
    ----------
    measure : str
        One of :data:`MEASURES`.
    texts : sequence of str
        Training reviews, at least 96. Two or three hundred take a few seconds; labels are made up.
    settings : Settings
        Their model and encoding are used.

    Returns
    -------
    float
        Reviews per second. The first batch is a warm-up and does not count.

    Raises
    ------
    ArgumentError
        If the measure is unknown or there are fewer than three batches of 32 reviews.
    """
    import torch

    if measure not in MEASURES:
        raise ArgumentError(f"measure={measure!r} is not one of {', '.join(map(repr, MEASURES))}.")
    if len(texts) < 3 * BATCH_SIZE:
        raise ArgumentError(f"{len(texts)} reviews are too few to measure with; give at least {3 * BATCH_SIZE}.")
    options = dict(BASELINE)
    for name, changes in MEASURES.items():
        options |= changes
        if name == measure:
            break
    compute = Compute("cpu", options["precision"], options["attention"])
    model, tokenizer = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, dropout=options["dropout"], compute=compute
    )
    ids = encode(texts, tokenizer, **settings.encoding)
    if options["sorted"]:
        ids.sort(key=len)
    padding: dict[str, Any] = {"return_tensors": "pt", "pad_to_multiple_of": padding_multiple(tokenizer)}
    padding |= {"padding": True} if options["sorted"] else {"padding": "max_length", "max_length": settings.max_length}
    batches = [
        tokenizer.pad({"input_ids": ids[i : i + BATCH_SIZE]}, **padding)
        for i in range(0, len(ids) - BATCH_SIZE + 1, BATCH_SIZE)
    ]
    middle = len(batches) // 2
    batches = batches[middle:] + batches[:middle]  # the warm-up batch is one of medium length
    labels = torch.arange(BATCH_SIZE) % 2
    step = training_step(model, compute)
    with first_token_only(model) if options["first_token"] else nullcontext():
        for number, batch in enumerate(batches):
            if number == 1:
                began = time.perf_counter()
            step(**batch, labels=labels)
        return (len(batches) - 1) * BATCH_SIZE / (time.perf_counter() - began)


def training_step(model: PreTrainedModel, compute: Compute) -> Callable[..., None]:
    """A function that takes a batch and runs one training step: forward, backward, AdamW."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    mixed = compute.precision == "bfloat16"
    autocast = torch.autocast(compute.device, torch.bfloat16) if mixed else nullcontext()
    model.train()
    if compute.device == "cpu":
        keep_freed_memory()  # as fine_tune does

    def step(**batch) -> None:
        with autocast:
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure_all(texts: Sequence[str], settings: Settings, rounds: int = 1) -> dict[str, float]:
    """Reviews per second with each measure, in order; the best of several rounds."""
    speeds = [{name: reviews_per_second(name, texts, settings) for name in MEASURES} for _ in range(rounds)]
    return {name: max(speed[name] for speed in speeds) for name in MEASURES}
