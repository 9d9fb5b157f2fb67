"""How time and memory grow with the number of reviews, their length and the layers of the model.

Three stages are timed separately: preparation (cleaning, duplicates, splits), training (one epoch with tokenisation)
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
    """Seconds of each stage, and the peak memory of the process after it in MB."""
    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, predict
    from sentiment_lib.data.preparation import prepare
    from sentiment_lib.model.encoder import encoder_layers

    sizes = DEFAULT | {what: size}
    rows = reviews(imdb, "train", sizes["reviews"])
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reviews.parquet"
        rows.to_parquet(source)
        settings = make_settings(
            "imdb",
            source=str(source),
            max_length=sizes["length"],
            first_length=None,
            epochs=1,
            test_size=0.1,
            validation_size=0.1,
        )
        model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout)
        layers = encoder_layers(model)
        del layers[sizes["layers"] :]
        model.config.num_hidden_layers = sizes["layers"]
        began = time.perf_counter()
        dataset, _ = prepare(settings)
        results |= {"prepare_seconds": time.perf_counter() - began, "prepare_mb": peak_memory()}
        began = time.perf_counter()
        fine_tune(model, tokenizer, dataset, settings, output_dir=Path(folder) / "model", validate=False)
        results |= {"training_seconds": time.perf_counter() - began, "training_mb": peak_memory()}
    results["trained_on"] = len(dataset["train"])
    began = time.perf_counter()
    predict(list(rows["text"]), model, tokenizer, **settings.encoding)
    return results | {"prediction_seconds": time.perf_counter() - began, "prediction_mb": peak_memory()}


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"what": what, "size": size, "imdb": options.imdb}
        for what, values in RANGES.items()
        for size in (values[:1] if options.small else values)
    ]
    measure("growth", grow, jobs, options.small)


if __name__ == "__main__":
    main()
