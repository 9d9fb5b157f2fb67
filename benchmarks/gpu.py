"""A GPU beside the CPU and beside the usual alternatives: are its results the same, and what does it gain?

Nothing is downloaded once the workbook is installed: the bundled checkpoint, a model of the size of BERT-base with
random weights (speeds and memory do not depend on the weights), sentences of the snippets' training split, and long
texts that are joined from them. The parts:

agreement    A model trained on the CPU in float32 classifies held-out sentences and long texts on the GPU, in float32
             and bfloat16 and with each attention kernel; the same training runs on both. Limits that were set before
             the first measurement say what counts as the same.
determinism  The same training twice on the GPU: are the weights equal to the last bit?
training     fine_tune and two Trainers with bf16=True, in turn: reviews per second and peak memory.
inference    Classifier, with several sizes of batches, pipeline and Trainer.predict, in turn: texts per second.
processes    One training in two processes beside one, where there are two GPUs.

python benchmarks/gpu.py            5 minutes on a GPU
python benchmarks/gpu.py --small    a minute on a CPU, to check that it works
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench import HERE, measure, median
from candidates import split

# Set before the first measurement: the largest difference of a logit from the CPU's in float32, and the largest share
# of texts that get another label.
LIMITS = {"float32": (0.01, 0.0), "bfloat16": (0.25, 0.01)}
MARGIN = 0.03  # of held-out accuracy, between the same training on the CPU and on the GPU
HELD = 1000  # sentences
ROUNDS = 3  # after one that is not counted
TOKENS_PER_BATCH = (4096, 16384, 65536)


def agreement(model: str, scale: float) -> dict:
    """Logits and a training on the GPU beside those on the CPU in float32."""
    from sentiment_lib.model.compute import Compute, choose_compute

    train, held_out = _sentences(int(2000 * scale), int(HELD * scale))
    texts = {"sentences": list(held_out["text"]), "long texts": long_texts(train, int(128 * scale), 200)[0]}
    found: dict = {"logits": [], "training": []}
    with tempfile.TemporaryDirectory() as folder:
        reference = Compute("cpu", "float32", "eager")
        kept = Path(folder) / "cpu"
        found["training"].append(_trained(model, train, held_out, reference, kept))
        for precision in ("float32", "bfloat16"):
            compute = choose_compute("auto", precision)
            found["training"].append(_trained(model, train, held_out, compute, Path(folder) / precision))
        expected = {name: _logits(kept, reference, rows) for name, rows in texts.items()}
        device = choose_compute().device
        for precision, kernel, name in itertools.product(LIMITS, ("eager", "sdpa", "lean"), texts):
            logits = _logits(kept, Compute(device, precision, kernel), texts[name])
            off = np.abs(logits - expected[name])
            found["logits"].append(
                {
                    "texts": name,
                    "precision": precision,
                    "attention": kernel,
                    "count": len(off),
                    "largest": float(off.max()),
                    "median": float(np.median(off)),
                    "labels_changed": int(((logits >= 0) != (expected[name] >= 0)).sum()),
                }
            )
    return found


def determinism(model: str, scale: float) -> dict:
    """Whether the same training gives the same weights to the last bit, and the same texts the same logits."""
    from sentiment_lib.model.compute import choose_compute

    train, held_out = _sentences(int(2000 * scale), int(HELD * scale))
    digests, logits = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(2):
            kept = Path(folder) / str(turn)
            _trained(model, train, held_out, choose_compute(), kept)
            digests.append(hashlib.sha256((kept / "model.safetensors").read_bytes()).hexdigest())
            logits.append(_logits(kept, choose_compute(), list(held_out["text"])))
        again = _logits(kept, choose_compute(), list(held_out["text"]))
    return {
        "weights_equal": digests[0] == digests[1],
        "largest_logit_difference": float(np.abs(logits[0] - logits[1]).max()),
        "prediction_equal": bool((again == logits[1]).all()),
    }


def training(model: str, tokens: int, scale: float) -> dict:
    """Reviews per second and peak memory of three ways to train for an epoch, in turn."""
    train, _ = _sentences()
    texts, labels = long_texts(train, int(1600 * scale), tokens)
    ways: dict[str, Callable] = {
        "Trainer, bf16, batches of 8, padded to the maximum": lambda place: _train_plainly(
            model, texts, labels, tokens, place, batch_size=8, to_maximum=True
        ),
        "Trainer, bf16, batches of 16, padded to the batch": lambda place: _train_plainly(
            model, texts, labels, tokens, place, batch_size=16, to_maximum=False
        ),
        "fine_tune": lambda place: _train_ours(model, texts, labels, tokens, place),
    }
    return {"count": len(texts), "systems": _in_turn(ways, len(texts), "reviews")}


def inference(model: str, tokens: int, scale: float) -> dict:
    """Texts per second of several ways to classify, in turn."""
    from unittest.mock import patch

    from datasets import Dataset
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, pipeline

    from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer

    train, _ = _sentences()
    texts, _ = long_texts(train, int(3200 * scale), tokens)

    def ours(size: int) -> Callable:
        loaded, tokenizer = initialize_model_and_tokenizer(model)
        classifier = Classifier(loaded, tokenizer, Encoding(tokens, "head"))

        def run(_: Path) -> float:
            with patch("sentiment_lib.model.inference.TOKENS", size):
                return _seconds(lambda: classifier.predict(texts, progress=False))

        return run

    def with_pipeline(_: Path) -> float:
        return _seconds(lambda: pipe(texts, batch_size=64, truncation=True, max_length=tokens))

    def with_trainer(place: Path) -> float:
        def work():
            rows = Dataset.from_dict(dict(tokenizer(texts, truncation=True, max_length=tokens)))
            trainer.predict(rows)

        loaded, tokenizer = initialize_model_and_tokenizer(model)
        arguments = TrainingArguments(
            output_dir=str(place),
            per_device_eval_batch_size=64,
            bf16_full_eval=True,
            disable_tqdm=True,
            report_to="none",
            use_cpu=not _cuda(),
        )
        trainer = Trainer(model=loaded, args=arguments, data_collator=DataCollatorWithPadding(tokenizer))
        return _seconds(work)

    loaded, tokenizer = initialize_model_and_tokenizer(model)
    loaded = loaded.bfloat16()
    if _cuda():
        loaded.set_attn_implementation("sdpa")
    pipe = pipeline("text-classification", model=loaded, tokenizer=tokenizer, device=0 if _cuda() else "cpu")
    ways = {"pipeline, bfloat16, batches of 64": with_pipeline, "Trainer.predict, bf16_full_eval": with_trainer}
    for size in TOKENS_PER_BATCH:
        ways[f"Classifier, {size:,} tokens in a batch"] = ours(size)
    return {"count": len(texts), "systems": _in_turn(ways, len(texts), "texts")}


def processes(model: str, scale: float) -> dict:
    """The same training in one process and in two, if there are two GPUs; also on a CPU, to check that it works."""
    import torch

    count = torch.cuda.device_count()
    if _cuda() and count < 2:
        return {"gpus": count, "tried": False}
    found: dict = {"gpus": count, "tried": True, "losses": [], "seconds": []}
    with tempfile.TemporaryDirectory() as home:
        train, _ = _sentences(int(2000 * scale))
        reviews = Path(home) / "reviews.csv"
        train.select_columns(["text", "label"]).to_pandas().to_csv(reviews, index=False)
        rest = ["train", "--source", str(reviews), "--model", model, "--set", "epochs=1", "validation_size=0.2"]
        for number in (1, 2):
            start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(number)]
            command = [*start, "-m", "sentiment_lib", *rest, "--name", f"run{number}"]
            environment = {**os.environ, "SENTIMENT_LIB_HOME": home, "PYTHONPATH": str(HERE.parent)}
            subprocess.run(command, check=True, cwd=HERE.parent, env=environment, capture_output=True, text=True)
            result = json.loads((Path(home) / "results" / f"run{number}" / "training.json").read_text(encoding="utf-8"))
            found["losses"].append([row["loss"] for row in result["history"] if row["loss"] is not None])
            found["seconds"].append(result["seconds"])
    return found


def long_texts(sentences, count: int, tokens: int) -> tuple[list[str], list[int]]:
    """Texts of about the lengths of IMDB's reviews, cut at `tokens`: sentences of one label, joined.

    The number of words is drawn from a log-normal distribution with median 175 and sigma 0.6, or, for inputs of up to
    64 tokens, each text is a sentence.
    """
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, count)
    by_label = [[text for text, label in zip(sentences["text"], sentences["label"], strict=True) if label == wanted]
                for wanted in (0, 1)]  # fmt: skip
    texts = []
    for label in labels:
        words = 1 if tokens <= 64 else min(int(random.lognormal(np.log(175), 0.6)), 2 * tokens)
        parts: list[str] = []
        while len(parts) == 0 or sum(part.count(" ") + 1 for part in parts) < words:
            parts.append(by_label[label][random.integers(len(by_label[label]))])
        texts.append(" ".join(parts))
    return texts, labels.tolist()


def bert_base(folder: Path) -> str:
    """Save a model of the size of BERT-base with random weights, and return its folder."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from sentiment_lib.model.pretrained import bundled_checkpoint

    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(bundled_checkpoint())
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    return str(folder)


def _sentences(train: int | None = None, held_out: int = HELD):
    """Training and held-out sentences, both of the snippets' training split."""
    rest, held = split("snippets", None, HELD)
    return rest if train is None else rest.select(range(train)), held.select(range(held_out))


def _trained(model: str, train, held_out, compute, folder: Path) -> dict:
    """An epoch of `quick`, and what came of it."""
    from datasets import DatasetDict

    from sentiment_lib import Classifier, fine_tune, initialize_model_and_tokenizer, make_settings

    settings = make_settings(
        epochs=1, device=compute.device, precision=compute.precision, attention=compute.attention or "auto"
    )
    loaded, tokenizer = initialize_model_and_tokenizer(model, dropout=settings.dropout, compute=compute)
    result = fine_tune(loaded, tokenizer, DatasetDict(train=train), settings, output_dir=folder, validate=False)
    classifier = Classifier(loaded, tokenizer, settings.encoding, compute.precision)
    right = (classifier.predict(list(held_out["text"])) >= 0.5) == np.array(held_out["label"])
    return {
        "device": compute.device,
        "precision": compute.precision,
        "losses": result.history["loss"].dropna().tolist(),
        "accuracy": float(right.mean()),
    }


def _logits(model: Path, compute, texts: list[str]) -> np.ndarray:
    from sentiment_lib import Classifier, Encoding, initialize_model_and_tokenizer

    loaded, tokenizer = initialize_model_and_tokenizer(str(model), compute=compute)
    encoding = Encoding(min(256, tokenizer.model_max_length), "head")
    return Classifier(loaded, tokenizer, encoding, compute.precision).logits(texts)


def _train_ours(model: str, texts: list[str], labels: list[int], tokens: int, place: Path) -> float:
    from datasets import Dataset, DatasetDict

    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings

    settings = make_settings("imdb", max_length=tokens, first_length=None, epochs=1)
    loaded, tokenizer = initialize_model_and_tokenizer(model, dropout=settings.dropout)
    splits = DatasetDict(train=Dataset.from_dict({"text": texts, "label": labels}))
    return fine_tune(loaded, tokenizer, splits, settings, output_dir=place / "model", validate=False).seconds


def _train_plainly(
    model: str, texts: list[str], labels: list[int], tokens: int, place: Path, *, batch_size: int, to_maximum: bool
) -> float:
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from sentiment_lib.model.pretrained import checkpoint_folder, quiet_transformers

    folder = checkpoint_folder(model)
    with quiet_transformers():
        loaded = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(texts, truncation=True, max_length=tokens, padding="max_length" if to_maximum else False)
    arguments = TrainingArguments(
        output_dir=str(place),
        num_train_epochs=1,
        per_device_train_batch_size=batch_size,
        bf16=True,
        use_cpu=not _cuda(),
        disable_tqdm=True,
        save_strategy="no",
        report_to="none",
    )
    trainer = Trainer(
        model=loaded,
        args=arguments,
        train_dataset=Dataset.from_dict({**ids, "label": labels}),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    with quiet_transformers():
        return trainer.train().metrics["train_runtime"]


def _in_turn(ways: dict[str, Callable[[Path], float]], count: int, of: str) -> dict[str, dict]:
    """Run each way in turn, for one round that is not counted and then ROUNDS; medians, and the peak of memory."""
    import torch

    speeds: dict[str, list[float]] = {name: [] for name in ways}
    peaks = dict.fromkeys(ways, 0.0)
    for turn in range(1 + ROUNDS):
        for name, way in ways.items():
            if _cuda():
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            with tempfile.TemporaryDirectory() as place:
                seconds = way(Path(place))
            if _cuda():
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated() / 2**20)
            if turn:
                speeds[name].append(count / seconds)
    return {
        name: {f"{of}_per_second": median(values), "all": values, "peak_gpu_mb": peaks[name]}
        for name, values in speeds.items()
    }


def _seconds(work: Callable) -> float:
    began = time.perf_counter()
    work()
    if _cuda():
        import torch

        torch.cuda.synchronize()
    return time.perf_counter() - began


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


PARTS = {
    "agreement": agreement,
    "determinism": determinism,
    "training": training,
    "inference": inference,
    "processes": processes,
}


def run(part: str, size: str, model: str, scale: float, **rest) -> dict:
    """One part, with the bundled checkpoint (or the one that was given) or one of the size of BERT-base."""
    if size == "given":
        return PARTS[part](model, scale=scale, **rest)
    with tempfile.TemporaryDirectory() as folder:
        return PARTS[part](bert_base(Path(folder)), scale=scale, **rest)


def failures(measurements: list[dict]) -> list[str]:
    """What is outside the limits, in words."""
    found = []
    for measured in measurements:
        for row in measured.get("logits", []):
            largest, share = LIMITS[row["precision"]]
            if row["largest"] > largest or row["labels_changed"] > share * row["count"]:
                found.append(f"logits of {row['texts']}, {row['precision']}, {row['attention']}: {row}")
        accuracies = [row["accuracy"] for row in measured.get("training", [])]
        if accuracies and max(abs(accuracy - accuracies[0]) for accuracy in accuracies) > MARGIN:
            found.append(f"accuracies of the same training: {accuracies}")
        if measured.get("prediction_equal") is False:
            found.append("the same model gives the same texts other logits")
    return found


def main() -> int:
    """Run the parts that are not on record yet; 1 if a result is outside the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few texts, no record; also without a GPU")
    parser.add_argument("--model", default="bundled", help="another model: a folder, or a name on the hub")
    options = parser.parse_args()
    if not options.small and not _cuda():
        parser.error("This machine has no CUDA GPU. Give --small to check that the program works.")
    scale = 0.02 if options.small else 1.0
    jobs = [{"part": part, "size": "given"} for part in ("agreement", "determinism", "processes")]
    sizes = (("given", 128),) if options.small else (("given", 64), ("given", 256), ("BERT-base", 512))
    jobs += [{"part": part, "size": size, "tokens": n} for part in ("training", "inference") for size, n in sizes]
    shared = {"model": options.model, "scale": scale}
    measurements = measure("gpu", run, [job | shared for job in jobs], options.small)
    for failure in failures(measurements):
        print("OUTSIDE THE LIMITS:", failure)
    return 1 if failures(measurements) else 0


if __name__ == "__main__":
    sys.exit(main())
