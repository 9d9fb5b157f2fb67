"""The real task on two cores: preset `imdb` on all training reviews; accuracy against minutes, and the test at the end.

The validation reviews are classified while the clock stands still: in the middle of each epoch by the weights as they
are, at its end by their moving average. The test reviews are classified once, by the finished model. Settings were
chosen on validation reviews only (``python -m sentiment_lib sweep``).

python benchmarks/imdb.py IMDB_FOLDER        75 minutes on two cores
"""

import tempfile
from pathlib import Path

from bench import arguments, measure, peak_memory
from training import watch


def run(preset: str, seed: int, imdb: Path, train_size: int | None) -> dict:
    """Train on everything; accuracy on validation reviews on the way, on test reviews at the end."""
    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, metric_intervals, predict
    from sentiment_lib.data.preparation import prepare

    settings = make_settings(preset, source=str(imdb), seed=seed, train_size=train_size)
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=seed)
    steps = -(-len(dataset["train"]) // settings.batch_size)
    halves = {round(steps * (epoch + 0.5)) for epoch in range(int(settings.epochs))}
    watched = watch(halves, model, tokenizer, dataset["validation"].to_pandas(), settings.encoding)
    with tempfile.TemporaryDirectory() as folder:
        result = fine_tune(model, tokenizer, dataset, settings, output_dir=Path(folder) / "model", callbacks=[watched])
    found = predict(dataset["test"]["text"], model, tokenizer, **settings.encoding)
    test = metric_intervals(dataset["test"]["label"], found)["accuracy"]
    return {
        "settings": settings.to_dict() | {"source": "imdb"},
        "train": len(dataset["train"]),
        "test": len(dataset["test"]),
        "training_minutes": watched.curve[-1][0] / 60,
        "curve": watched.curve,
        "validation_accuracy": float(result.history["validation_accuracy"].max()),
        "test_accuracy": test.estimate,
        "test_interval": [test.low, test.high],
        "peak_mb": peak_memory(),
    }


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    job = {"preset": "imdb", "seed": 0, "imdb": options.imdb, "train_size": 200 if options.small else None}
    measure("imdb", run, [job], options.small)


if __name__ == "__main__":
    main()
