"""What an hour on two cores buys: accuracy on IMDB against wall minutes, for the Trainer as documented and for ours.

The Trainer is set up as in the text-classification guide of transformers' documentation: a padding collator, batches of
16, learning rate 2e-5, weight decay 0.01, the beginning of the review, and the checkpoint's dropout; with 512 tokens,
the checkpoint's limit, and with 256. Its number of steps is what fits into the hour by a trial of a few steps, so that
its learning rate has fallen to 0 when the hour ends. Ours is the preset `imdb`.

A point of a curve: the minutes of tokenising, of training so far, and of one evaluation of the validation reviews, each
in the system's own way. The clock stops while other points are evaluated. The test reviews are classified once, by the
finished model of the preset.

python benchmarks/hour.py IMDB_FOLDER        four hours on two cores
"""

import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench import HERE, arguments, measure, peak_memory
from candidates import packed
from roofline import roof
from scipy.special import expit
from training import watch

from sentiment_lib.evaluation.predictions import logit
from sentiment_lib.run.files import write_json

EVERY = 1024  # reviews between two points of a curve; after ten points, four times as many


def trainer(length: int, learning_rate: float, seed: int, imdb: Path, minutes: float, scale: float) -> dict:
    """Train with the Trainer until the hour is over."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    from sentiment_lib.model.pretrained import bundled_checkpoint

    dataset, _ = splits(imdb, scale)
    tokenizer = AutoTokenizer.from_pretrained(bundled_checkpoint())
    began = time.perf_counter()
    tokens = {
        name: dataset[name]
        .map(
            lambda rows: tokenizer(rows["text"], truncation=True, max_length=length),
            batched=True,
            remove_columns=dataset[name].column_names,
        )
        .add_column("labels", dataset[name]["label"])
        for name in ("train", "validation")
    }
    tokenising = time.perf_counter() - began

    def load():
        set_seed(seed)
        return AutoModelForSequenceClassification.from_pretrained(bundled_checkpoint(), num_labels=2)

    with tempfile.TemporaryDirectory() as folder:
        seconds, evaluation = _trial(load(), tokenizer, tokens, folder, learning_rate, seed, scale)
        steps = max(4, int((60 * minutes - tokenising - evaluation) / seconds))
        model = load()
        encoding = {"max_length": length, "truncation": "head"}
        watched = watch(marks(steps, 16), model, tokenizer, dataset["validation"].to_pandas(), encoding)
        documented = _documented(model, tokenizer, tokens, folder, steps, learning_rate, seed, [watched])
        documented.train()
        began = time.perf_counter()
        documented.evaluate()
        evaluation = time.perf_counter() - began
    return {
        "batch": 16,
        "train": len(dataset["train"]),
        "validation": len(dataset["validation"]),
        "tokenising_seconds": tokenising,
        "evaluation_seconds": evaluation,
        "steps": steps,
        "curve": watched.curve,
        "peak_mb": peak_memory(),
    }


def _documented(model, tokenizer, tokens, folder, steps, learning_rate, seed, callbacks):
    """The Trainer of the documentation's guide, for a number of steps."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    return Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder,
            learning_rate=learning_rate,
            per_device_train_batch_size=16,
            per_device_eval_batch_size=16,
            max_steps=steps,
            weight_decay=0.01,
            seed=seed,
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=tokens["train"],
        eval_dataset=tokens["validation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, axis=1) == p.label_ids).mean())},
        callbacks=callbacks,
    )


def _trial(model, tokenizer, tokens, folder, learning_rate, seed, scale) -> tuple[float, float]:
    """Seconds of a training step and of an evaluation, from a few of them."""
    steps = max(2, int(24 * scale))
    few = tokens | {"validation": tokens["validation"].select(range(min(256, len(tokens["validation"]))))}
    documented = _documented(model, tokenizer, few, folder, steps, learning_rate, seed, [])
    documented.args.max_steps = 2
    documented.train()  # the first steps are slower
    documented.args.max_steps = steps
    began = time.perf_counter()
    documented.train()
    step = (time.perf_counter() - began) / steps
    began = time.perf_counter()
    documented.evaluate()
    return step, (time.perf_counter() - began) * len(tokens["validation"]) / len(few["validation"])


def marks(steps: int, batch: int) -> set[int]:
    """The steps after which a curve has a point."""
    spacing = max(1, EVERY // batch)
    return {step for step in range(spacing, steps, spacing) if step <= 10 * spacing or step % (4 * spacing) == 0} | {
        steps
    }


def splits(imdb: Path, scale: float):
    """The reviews of the preset `imdb`, and its settings."""
    from sentiment_lib import make_settings
    from sentiment_lib.data.preparation import prepare

    settings = make_settings("imdb", source=str(imdb), **({"train_size": int(20_000 * scale)} if scale < 1 else {}))
    return prepare(settings)[0], settings


def candidate(changes: dict, seed: int, imdb: Path, minutes: float, scale: float) -> dict:
    """Train the preset with some settings changed; the test split stays closed."""
    return _train(changes, seed, imdb, scale)[0]


def ours(preset: str, seed: int, imdb: Path, minutes: float, scale: float) -> dict:
    """Train the preset on all reviews and open the test split, once, with everything that is to be known of it."""
    from sentiment_lib import metric_intervals

    found, classifier, dataset, validation_logits = _train({}, seed, imdb, scale)
    test = dataset["test"]
    if scale < 1:
        test = test.select(range(int(len(test) * scale)))
    linear, weights, linear_seconds = _linear(dataset, validation_logits)
    logits, linear_logits = classifier.logits(test["text"]), logit(linear.predict_proba(list(test["text"]))[:, 1])
    labels = np.array(test["label"])
    probabilities = {
        "BERT": expit(logits),
        "linear": expit(linear_logits),
        "together": weights.predict_proba(np.column_stack([logits, linear_logits]))[:, 1],
    }
    return found | {
        "test": len(test),
        "linear_seconds": linear_seconds,
        "together": {"BERT": weights.coef_[0, 0], "linear": weights.coef_[0, 1], "bias": weights.intercept_[0]},
        "test_accuracy": {
            name: metric_intervals(labels, values)["accuracy"].to_dict() for name, values in probabilities.items()
        },
        "differences": _differences(labels, probabilities),
        "clean_test": _clean_test(test, labels, probabilities),
        "second_opinions": _second_opinions(imdb, test, probabilities),
        "transfer": _transfer(classifier, test, len(dataset["train"])),
    }


def _train(changes: dict, seed: int, imdb: Path, scale: float):
    """The measurements of a training on all reviews, the classifier, the splits, and the logits of validation."""
    from dataclasses import replace

    from sentiment_lib import Classifier, fine_tune, initialize_model_and_tokenizer

    dataset, settings = splits(imdb, scale)
    settings = replace(settings, seed=seed, **changes)
    validation = dataset["validation"]
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=seed)
    steps = -(-len(dataset["train"]) // settings.batch_size)
    inside = marks(int(steps * settings.epochs), settings.batch_size)
    inside -= {round(steps * epoch) for epoch in range(1, int(settings.epochs) + 1)}  # evaluated by fine_tune itself
    watched = watch(inside, model, tokenizer, validation.to_pandas(), settings.encoding)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = fine_tune(model, tokenizer, dataset, settings, output_dir=Path(folder) / "model", callbacks=[watched])
        wall = time.perf_counter() - began - watched.looking
    tokenising = _tokenising(dataset, tokenizer, settings)
    classifier = Classifier(model, tokenizer, settings.encoding)
    began = time.perf_counter()
    validation_logits = classifier.logits(validation["text"])
    evaluation = time.perf_counter() - began
    found = {
        "batch": settings.batch_size,
        "settings": settings.to_dict() | {"source": "imdb"},
        "train": len(dataset["train"]),
        "validation": len(validation),
        "wall_minutes": wall / 60,  # tokenising, training, an evaluation and a checkpoint per epoch
        "tokenising_seconds": tokenising,
        "evaluation_seconds": evaluation,
        "curve": watched.curve,
        "validation_accuracy": float(result.history["validation_accuracy"].max()),
        "validation_right": packed((validation_logits > 0) == np.array(validation["label"])),
        "peak_mb": peak_memory(),
    }
    return found, classifier, dataset, validation_logits


def _tokenising(dataset, tokenizer, settings) -> float:
    """Seconds that tokenising takes."""
    from sentiment_lib.data.tokenization import encode_dataset

    began = time.perf_counter()
    for name in ("train", "validation"):
        encode_dataset(dataset[name], tokenizer, **settings.encoding)
    return time.perf_counter() - began


def _linear(dataset, validation_logits):
    """A linear model of all training reviews, and a logistic regression on its and BERT's logits of validation."""
    from sklearn.linear_model import LogisticRegression

    from sentiment_lib.model.baselines import fit_tfidf

    began = time.perf_counter()
    linear = fit_tfidf(list(dataset["train"]["text"]), list(dataset["train"]["label"]))
    linear_logits = logit(linear.predict_proba(list(dataset["validation"]["text"]))[:, 1])
    both = np.column_stack([validation_logits, linear_logits])
    weights = LogisticRegression(C=np.inf).fit(both, dataset["validation"]["label"])
    return linear, weights, time.perf_counter() - began


def _differences(labels, probabilities) -> dict:
    """Together against each, paired."""
    from sentiment_lib.evaluation.significance import compare_with

    comparisons = compare_with(labels, "together", probabilities)
    return {f"together - {c.second}": c.differences["accuracy"].to_dict() | {"p_holm": c.p_holm} for c in comparisons}


def _clean_test(test, labels, probabilities) -> dict:
    """Accuracy on the test reviews that are left when a text stays once, and not at all with both labels."""
    from sentiment_lib.evaluation import metric_intervals

    texts = test.to_pandas()
    first = ~texts.duplicated("text") & (texts.groupby("text")["label"].transform("nunique") == 1)
    left = first.to_numpy()
    return {"reviews": int(left.sum())} | {
        name: metric_intervals(labels[left], values[left])["accuracy"].to_dict()
        for name, values in probabilities.items()
    }


def _second_opinions(imdb: Path, test, probabilities) -> dict:
    """Accuracy on reviews whose label at least three of five readers confirm, on those that fewer do, and on all."""
    from sentiment_lib.data.preparation import clean_text
    from sentiment_lib.evaluation.uncertainty import share_intervals

    opinions = pd.read_csv(imdb.parent / "imdb_second_opinions.csv").set_index("text_sha256")
    raw = pd.read_parquet(imdb / "test.parquet")["text"]
    hashes = {clean_text(text): hashlib.sha256(text.encode()).hexdigest() for text in raw}
    known = opinions.reindex([hashes[text] for text in test["text"]])
    labels, reread = np.array(test["label"]), known["given"].notna().to_numpy()
    doubted = reread & (known["given"] < 3).to_numpy()
    opposite = reread & (known["opposite"] >= 3).to_numpy()
    groups = {
        "all": np.ones(len(labels), bool),
        "all but the doubted": ~doubted,
        "read again and confirmed": reread & ~doubted,
        "doubted": doubted,
        "doubted, and three or more chose the opposite": opposite,
    }
    found = {}
    for group, members in groups.items():
        if members.any():
            hits = [int(((p >= 0.5) == labels)[members].sum()) for p in probabilities.values()]
            low, high = share_intervals(hits, [int(members.sum())] * len(hits))
            found[group] = {"reviews": int(members.sum())} | {
                name: {"estimate": hit / int(members.sum()), "low": a, "high": b}
                for name, hit, a, b in zip(probabilities, hits, low, high, strict=True)
            }
    return found


def _transfer(classifier, test, train: int) -> dict:
    """Accuracy of this model on the snippets' test sentences, and of a model of preset `quick` on IMDB's."""
    from sentiment_lib import Classifier, fine_tune, initialize_model_and_tokenizer, make_settings, metric_intervals
    from sentiment_lib.data.preparation import prepare

    settings = make_settings("quick")
    snippets, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=settings.seed)
    with tempfile.TemporaryDirectory() as folder:
        fine_tune(model, tokenizer, snippets, settings, output_dir=Path(folder) / "model")
    quick = {
        "quick on its own test": (Classifier(model, tokenizer, settings.encoding), snippets["test"]),
        "quick on IMDB": (Classifier(model, tokenizer, settings.encoding), test),
        "quick on IMDB, 512 tokens": (Classifier(model, tokenizer, classifier.encoding), test),
        "imdb on snippets": (classifier, snippets["test"]),
    }
    return {
        name: metric_intervals(np.array(reviews["label"]), reader.predict(reviews["text"]))["accuracy"].to_dict()
        | {"reviews": len(reviews), "train": train if reader is classifier else len(snippets["train"])}
        for name, (reader, reviews) in quick.items()
    }


def run(system: str, **job) -> dict:
    """Run a job, and say how fast this machine was before and afterwards: another hour may be slower."""
    before = roof(0)
    found = {"sentiment_lib": ours, "candidate": candidate, "Trainer": trainer}[system](**job)
    return found | {"gflops": [before["gflops"], roof(0)["gflops"]]}


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    common = {"seed": 0, "imdb": options.imdb} | (
        {"minutes": 1, "scale": 0.02} if options.small else {"minutes": 60, "scale": 1}
    )
    jobs = [{"system": "sentiment_lib", "preset": "imdb"} | common]
    jobs += [{"system": "Trainer", "length": n, "learning_rate": 2e-5} | common for n in (256, 512)]  # the guide's
    jobs += [{"system": "candidate", "changes": {"first_length": None, "epochs": 2.0}} | common]
    jobs += [{"system": "Trainer", "length": 256, "learning_rate": 1e-4} | common]  # the preset's
    measurements = measure("hour", run, jobs, options.small)
    if not options.small:  # for the lessons
        write_json(HERE.parent / "data" / "measured" / "hour.json", measurements)


if __name__ == "__main__":
    main()
