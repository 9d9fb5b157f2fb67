"""Training compared with the usual alternative: the Hugging Face Trainer, with its defaults and with bf16=True.

Same checkpoint and reviews, 128, 256 and 512 tokens, three seeds. Measures reviews per second, and validation accuracy
after each quarter of an epoch. The Trainer is set up as in its text-classification example: start of the review, padded
to the maximum, batches of 8, learning rate 5e-5, the checkpoint's dropout and attention.

python benchmarks/training.py IMDB_FOLDER        60 to 100 minutes on two cores
"""

import tempfile
import time
from pathlib import Path

from bench import arguments, measure, peak_memory, reviews

SYSTEMS = ("Trainer", "Trainer, bf16", "sentiment_lib")


def train(system: str, length: int, seed: int, imdb: Path, count: int, held_out: int) -> dict:
    """Train for one epoch; the clock is stopped during evaluations."""
    sample = reviews(imdb, "train", count + held_out, seed=100 + seed)
    rows, validation = sample[:count], sample[count:]
    with tempfile.TemporaryDirectory() as folder:
        run = _ours if system == "sentiment_lib" else _trainer
        return run(system, length, seed, rows, validation, Path(folder)) | {"peak_mb": peak_memory()}


def watch(marks: set[int], model, tokenizer, validation, encoding: dict):
    """A callback that records seconds of training and accuracy after the steps in `marks` and at evaluations.

    ``looking`` is the time that the looks after the steps in `marks` took.
    """
    from transformers import TrainerCallback

    from sentiment_lib import predict

    class Watch(TrainerCallback):
        def on_train_begin(self, *_, **__):
            self.curve, self.paused, self.looking, self.began = [], 0.0, 0.0, time.perf_counter()

        def on_step_end(self, args, state, control, **_):
            if state.global_step in marks:
                now = time.perf_counter()
                seconds = now - self.began - self.paused
                probabilities = predict(list(validation["text"]), model, tokenizer, **encoding)
                accuracy = float(((probabilities >= 0.5) == validation["label"].to_numpy()).mean())
                self.curve.append([seconds, accuracy])
                looked = time.perf_counter() - now
                self.paused, self.looking = self.paused + looked, self.looking + looked

        def on_epoch_end(self, *_, **__):
            self.ended = time.perf_counter()

        def on_evaluate(self, args, state, control, metrics, **_):
            self.curve.append([self.ended - self.began - self.paused, metrics["eval_accuracy"]])
            self.paused += time.perf_counter() - self.ended

    return Watch()


def quarters(steps: int) -> set[int]:
    """The last step of each quarter."""
    return {max(1, round(steps * part / 4)) for part in range(1, 5)}


def _numbers(watched, count: int) -> dict:
    seconds, accuracy = watched.curve[-1]
    return {"reviews_per_second": count / seconds, "accuracy": accuracy, "curve": watched.curve}


def _ours(system, length, seed, rows, validation, folder) -> dict:
    from datasets import Dataset, DatasetDict

    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings

    settings = make_settings("imdb", max_length=length, first_length=None, epochs=1, seed=seed)
    model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout, seed=seed)
    steps = -(-len(rows) // settings.batch_size)
    watched = watch(quarters(steps), model, tokenizer, validation, settings.encoding)
    splits = DatasetDict(train=Dataset.from_pandas(rows, preserve_index=False))
    fine_tune(model, tokenizer, splits, settings, output_dir=folder / "model", validate=False, callbacks=[watched])
    return _numbers(watched, len(rows))


def _trainer(system, length, seed, rows, validation, folder) -> dict:
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

    from sentiment_lib.model.pretrained import bundled_checkpoint

    set_seed(seed)
    checkpoint = bundled_checkpoint()
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokens = tokenizer(list(rows["text"]), padding="max_length", max_length=length, truncation=True)
    watched = watch(
        quarters(-(-len(rows) // 8)), model, tokenizer, validation, {"max_length": length, "truncation": "head"}
    )
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=1,
            seed=seed,
            bf16=system.endswith("bf16"),
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=Dataset.from_dict({**tokens, "label": list(rows["label"])}),
        callbacks=[watched],
    )
    trainer.train()
    return _numbers(watched, len(rows))


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    count, held_out = (48, 32) if options.small else (1000, 500)
    jobs = [
        {"system": system, "length": length, "seed": seed, "imdb": options.imdb, "count": count, "held_out": held_out}
        for length in ((128,) if options.small else (256, 128, 512))
        for seed in ((0,) if options.small else (0, 1, 2))
        for system in SYSTEMS
    ]
    measure("training", train, jobs, options.small)


if __name__ == "__main__":
    main()
