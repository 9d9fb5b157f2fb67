"""How time and memory grow: with the number of reviews, with their length, with the layers of the model.

Each stage has a clock of its own: preparing (cleaning, duplicates, splits), training (one epoch, tokenising included)
and prediction. Exponents are fitted to log time over log size.

python benchmarks/growth.py IMDB_FOLDER        18 minutes on two cores
"""

import tempfile
import time
from pathlib import Path

from bench import arguments, measure, peak_memory, reviews

DEFAULT = {"reviews": 1000, "length": 64, "layers": 6}
RANGES = {"reviews": (1000, 2500, 5000, 10000, 25000), "length": (64, 128, 256, 512), "layers": (1, 2, 3, 4, 6)}


def grow(what: str, size: int, imdb: Path) -> dict:
    """Seconds of each stage, and the process's largest memory after it."""
    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, predict
    from sentiment_lib.data.preparation import prepare
    from sentiment_lib.model.encoder import encoder_layers

    how = DEFAULT | {what: size}
    rows = reviews(imdb, "train", how["reviews"])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reviews.parquet"
        rows.to_parquet(source)
        settings = make_settings(
            "imdb", source=str(source), max_length=how["length"], epochs=1, test_size=0.1, validation_size=0.1
        )
        model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout)
        layers = encoder_layers(model)
        del layers[how["layers"] :]
        model.config.num_hidden_layers = how["layers"]
        began = time.perf_counter()
        dataset, _ = prepare(settings)
        found |= {"prepare_seconds": time.perf_counter() - began, "prepare_mb": peak_memory()}
        began = time.perf_counter()
        fine_tune(model, tokenizer, dataset, settings, output_dir=Path(folder) / "model", validate=False)
        found |= {"training_seconds": time.perf_counter() - began, "training_mb": peak_memory()}
    found["trained_on"] = len(dataset["train"])
    began = time.perf_counter()
    predict(list(rows["text"]), model, tokenizer, **settings.encoding)
    return found | {"prediction_seconds": time.perf_counter() - began, "prediction_mb": peak_memory()}


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"what": what, "size": size, "imdb": options.imdb}
        for what, sizes in RANGES.items()
        for size in (sizes[:1] if options.small else sizes)
    ]
    measure("growth", grow, jobs, options.small)


if __name__ == "__main__":
    main()
