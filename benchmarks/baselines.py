"""The README's table of results: the baselines of lesson 02 on all reviews of `quick` and of `imdb`.

As in the lesson, each baseline is fitted on the training reviews and tuned on the validation reviews. The test reviews
are classified once. BERT is trained here for `quick`; for `imdb` its result comes from hour.py.

python benchmarks/baselines.py IMDB_FOLDER        25 minutes on two cores
"""

import tempfile
from pathlib import Path

from bench import arguments, measure


def run(preset: str, imdb: Path, train_size: int | None) -> dict:
    """Accuracy of each method on all test reviews, with its 95 % interval."""
    import numpy as np

    from sentiment_lib import (
        Classifier,
        fine_tune,
        initialize_model_and_tokenizer,
        make_settings,
        metric_intervals,
        predict,
    )
    from sentiment_lib.data.preparation import prepare
    from sentiment_lib.model.baselines import (
        LinearProbe,
        MajorityClass,
        TfidfLogistic,
        VaderLexicon,
        frozen_embedding,
    )

    source = {"source": str(imdb)} if preset == "imdb" else {}
    settings = make_settings(preset, train_size=train_size, **source)
    dataset, _ = prepare(settings)
    train, validation, test = (dataset[name] for name in ("train", "validation", "test"))
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=settings.seed)
    probabilities = {}
    embedding = frozen_embedding(Classifier(model, tokenizer, settings.encoding, settings.precision))
    for baseline in (MajorityClass(), VaderLexicon(), TfidfLogistic(), LinearProbe(embedding)):
        probabilities[baseline.name] = baseline.fit(train, validation).predict(test["text"])
    if preset == "quick":
        with tempfile.TemporaryDirectory() as folder:
            fine_tune(model, tokenizer, dataset, settings, output_dir=Path(folder) / "model")
        probabilities["BERT"] = predict(
            test["text"], model, tokenizer, **settings.encoding, precision=settings.precision
        )
    intervals = {
        name: metric_intervals(np.array(test["label"]), values)["accuracy"].to_dict()
        for name, values in probabilities.items()
    }
    return {"train": len(train), "test": len(test), "accuracy": intervals}


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    size = 200 if options.small else None
    jobs = [{"preset": preset, "imdb": options.imdb, "train_size": size} for preset in ("quick", "imdb")]
    measure("baselines", run, jobs, options.small)


if __name__ == "__main__":
    main()
