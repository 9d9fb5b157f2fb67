"""Whether each optimisation is worth having: speed with and without it, alternating, at several lengths.

Reviews per second of complete training steps, and of predictions including tokenisation. Most optimisations are
switched on and off in one process. The allocator's tuning cannot be undone, so it is measured in
separate processes. The library keeps an optimisation that gains at least 5 %; the results are in RESULTS.md.

python benchmarks/alone.py IMDB_FOLDER        10 minutes on two cores
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from bench import arguments, measure, reviews, run_in_new_process

MEASURES = {  # optimisation: tasks, lengths in tokens
    "packed weights": (["prediction"], [128, 256]),
    "bfloat16 hidden states": (["training", "prediction"], [128, 256]),
    "allocator keeps freed memory": (["training", "prediction"], [128, 256]),
    "larger batches of short texts": (["prediction"], [32, 64, 128]),
    "tokenising beside computing": (["prediction"], [64, 256]),  # tried, and not in use
}
LENGTHS = {32: (0, 4096), 64: (0, 2048), 128: (320, 640), 256: (192, 384)}  # reviews for training and for prediction
BATCH = 16


def pairs(lever: str, task: str, length: int, imdb: Path, small: bool) -> dict:
    """Speeds without and with the optimisation, several times in turn."""
    rounds, count = (1, 48) if small else (4, LENGTHS[length][task == "prediction"])
    if lever.startswith("tokenising"):
        speeds = run_in_new_process(beside, length, imdb, count, rounds)
    elif lever.startswith("allocator"):
        speeds = [
            [run_in_new_process(speed, None, task, length, imdb, count, keep) for keep in (False, True)]
            for _ in range(rounds)
        ]
    else:
        speeds = run_in_new_process(switched, lever, task, length, imdb, count, rounds)
    return {"without": [pair[0] for pair in speeds], "with_it": [pair[1] for pair in speeds]}


def switched(lever: str, task: str, length: int, imdb: Path, count: int, rounds: int) -> list[list[float]]:
    """Pairs of speeds, without and with the optimisation, measured in one process after a warm-up."""
    speed(None, task, length, imdb, 2 * BATCH, True)
    return [[speed(off, task, length, imdb, count, True) for off in (lever, None)] for _ in range(rounds)]


def beside(length: int, imdb: Path, count: int, rounds: int) -> list[list[float]]:
    """Pairs of speeds: reviews tokenised part by part before each part is classified, and in a thread meanwhile."""
    from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
    from sentiment_lib.data import encode
    from sentiment_lib.model import inference

    classifier = Classifier(*initialize_model_and_tokenizer(dropout=0.0), Encoding(length))
    texts = reviews(imdb, "train", 2 * count)["text"].tolist()
    starts = range(0, len(texts), len(texts) // 4)

    def one(in_a_thread: bool) -> float:
        parts = (encode(texts[i : i + len(texts) // 4], classifier.tokenizer, length) for i in starts)
        began = time.perf_counter()
        with patch.object(inference, "encode", lambda ids, *_, **__: ids):
            for ids in ahead(parts) if in_a_thread else parts:
                classifier.logits(ids)
        return len(texts) / (time.perf_counter() - began)

    one(False)
    return [[one(False), one(True)] for _ in range(rounds)]


def ahead(items: Iterable) -> Iterator:
    """The items, each made in another thread while the one before it is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        iterator = iter(items)
        following = pool.submit(next, iterator, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, iterator, end)
            yield item


def speed(off: str | None, task: str, length: int, imdb: Path, count: int, keep: bool) -> float:
    """Reviews per second with all optimisations except `off`; `keep` tunes the allocator to keep freed memory."""
    import torch

    from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer
    from sentiment_lib.course import speed as steps
    from sentiment_lib.data import encode
    from sentiment_lib.model import choose_compute, encoder, first_token_only, inference
    from sentiment_lib.model.compute import keep_freed_memory

    if keep:
        keep_freed_memory()
    compute = choose_compute("cpu")
    model, tokenizer = initialize_model_and_tokenizer(dropout=0.0, compute=compute)
    texts = reviews(imdb, "train", count)["text"].tolist()
    replaced = {
        "packed weights": {"packed_weights": lambda _: nullcontext()},
        "bfloat16 hidden states": {"bfloat16_hidden_states": lambda _: nullcontext()},
        "larger batches of short texts": {"TOKENS": 0},
    }.get(off or "")
    without = patch.multiple(inference, **replaced) if replaced else nullcontext()
    if task == "prediction":
        classifier = Classifier(model, tokenizer, Encoding(length))
        with without:
            began = time.perf_counter()
            classifier.predict(texts, progress=False)
            return count / (time.perf_counter() - began)
    ids = sorted(encode(texts, tokenizer, length), key=len)
    batches = [
        tokenizer.pad({"input_ids": ids[i : i + BATCH]}, return_tensors="pt", pad_to_multiple_of=8)
        for i in range(0, len(ids) - BATCH + 1, BATCH)
    ]
    batches = batches[len(batches) // 2 :] + batches[: len(batches) // 2]  # the warm-up batch is one of medium length
    tuned = nullcontext() if keep else patch.object(steps, "keep_freed_memory")
    with tuned:  # it is called where the steps begin
        step, labels = steps.training_step(model, compute), torch.arange(BATCH) % 2
    hidden = nullcontext() if off == "bfloat16 hidden states" else encoder.bfloat16_hidden_states(model)
    with first_token_only(model), hidden:
        for number, batch in enumerate(batches):
            if number == 1:
                began = time.perf_counter()
            step(**batch, labels=labels)
        return (len(batches) - 1) * BATCH / (time.perf_counter() - began)


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"lever": lever, "task": task, "length": length, "imdb": options.imdb, "small": options.small}
        for lever, (tasks, lengths) in MEASURES.items()
        for task in tasks
        for length in lengths
    ]
    measure("alone", pairs, jobs, options.small)


if __name__ == "__main__":
    main()
