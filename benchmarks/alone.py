"""Does a measure pay for itself? Each alone, with and without it in turn, at 128 and 256 tokens.

Reviews per second of whole training steps, and of predictions with tokenising. Packed weights and bfloat16 hidden
states are switched on and off in one process, the tuning of the allocator in processes of their own, since it cannot be
taken back. A measure stays in the library when it pays 5 % or more; RESULTS.md has what came out.

python benchmarks/alone.py IMDB_FOLDER        10 minutes on two cores
"""

import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from bench import alone, arguments, measure, reviews

MEASURES = {
    "packed weights": ["prediction"],
    "bfloat16 hidden states": ["training", "prediction"],
    "allocator keeps freed memory": ["training", "prediction"],
}
LENGTHS = {128: (320, 640), 256: (192, 384)}  # tokens: reviews for training, and for prediction
BATCH = 16


def pairs(lever: str, task: str, length: int, imdb: Path, small: bool) -> dict:
    """Speed without and with the measure, several times in turn."""
    rounds, count = (1, 48) if small else (4, LENGTHS[length][task == "prediction"])
    if lever.startswith("allocator"):
        one = [[alone(speed, None, task, length, imdb, count, keep) for keep in (False, True)] for _ in range(rounds)]
    else:
        one = alone(switched, lever, task, length, imdb, count, rounds)
    return {"without": [pair[0] for pair in one], "with_it": [pair[1] for pair in one]}


def switched(lever: str, task: str, length: int, imdb: Path, count: int, rounds: int) -> list[list[float]]:
    """Pairs of speeds in one process; what warms up is not counted."""
    speed(None, task, length, imdb, 2 * BATCH, True)
    return [[speed(off, task, length, imdb, count, True) for off in (lever, None)] for _ in range(rounds)]


def speed(off: str | None, task: str, length: int, imdb: Path, count: int, keep: bool) -> float:
    """Reviews per second with everything on but `off`, on an allocator that keeps freed memory or does not."""
    import torch

    from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
    from sentiment_lib.course.speed import training_step
    from sentiment_lib.data import encode
    from sentiment_lib.model import choose_compute, encoder, first_token_only, inference
    from sentiment_lib.model.allocator import keep_freed_memory

    if keep:
        keep_freed_memory()
    compute = choose_compute("cpu")
    model, tokenizer = initialize_model_and_tokenizer(dropout=0.0, compute=compute)
    texts = reviews(imdb, "train", count)["text"].tolist()
    nothing = {"packed weights": "packed_weights", "bfloat16 hidden states": "bfloat16_hidden_states"}.get(off or "")
    without = patch.object(inference, nothing, lambda _: nullcontext()) if nothing else nullcontext()
    if task == "prediction":
        classifier = Classifier(model, tokenizer, Encoding(length))
        with without, patch.object(inference, "keep_freed_memory", bool, create=True):
            began = time.perf_counter()
            classifier.predict(texts, progress=False)
            return count / (time.perf_counter() - began)
    ids = sorted(encode(texts, tokenizer, length), key=len)
    batches = [
        tokenizer.pad({"input_ids": ids[i : i + BATCH]}, return_tensors="pt", pad_to_multiple_of=8)
        for i in range(0, len(ids) - BATCH + 1, BATCH)
    ]
    batches = batches[len(batches) // 2 :] + batches[: len(batches) // 2]  # the first, of middle length, warms up
    step, labels = training_step(model, compute), torch.arange(BATCH) % 2
    hidden = nullcontext() if off == "bfloat16 hidden states" else encoder.bfloat16_hidden_states(model)
    with first_token_only(model), hidden:
        for number, batch in enumerate(batches):
            if number == 1:
                began = time.perf_counter()
            step(**batch, labels=labels)
        return (len(batches) - 1) * BATCH / (time.perf_counter() - began)


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"lever": lever, "task": task, "length": length, "imdb": options.imdb, "small": options.small}
        for lever, tasks in MEASURES.items()
        for task in tasks
        for length in LENGTHS
    ]
    measure("alone", pairs, jobs, options.small)


if __name__ == "__main__":
    main()
