"""The real task on two cores: accuracy against minutes for the preset `imdb` on all training reviews.

Validation reviews are classified with the clock stopped: in the middle of each epoch with the current weights, at its
end with their moving average. Test reviews are classified once, with the finished model. Settings were chosen on
validation reviews only (``python -m sentiment_lib sweep``).

python benchmarks/imdb.py IMDB_FOLDER        75 minutes on two cores
"""

import tempfile
from pathlib import Path

from bench import arguments, measure, peak_memory
from training import watch


def run(preset: str, seed: int, imdb: Path, train_size: int | None) -> dict:
    """Train on all reviews; return validation accuracy during training and test accuracy at the end."""
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
    probabilities = predict(dataset["test"]["text"], model, tokenizer, **settings.encoding)
    test = metric_intervals(dataset["test"]["label"], probabilities)["accuracy"]
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
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    job = {"preset": "imdb", "seed": 0, "imdb": options.imdb, "train_size": 200 if options.small else None}
    measure("imdb", run, [job], options.small)


if __name__ == "__main__":
    main()
