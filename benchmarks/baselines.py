"""The README's table of results: the baselines of lesson 02 on all reviews of `quick` and of `imdb`.

Each baseline is fitted on the training reviews, which also choose its settings (sentiment_lib.model.baselines). The
test reviews are classified once. BERT is trained here for `quick`; for `imdb` its result comes from hour.py.

python benchmarks/baselines.py IMDB_FOLDER        25 minutes on two cores
"""

import tempfile
from pathlib import Path

from bench import arguments, measure


def run(preset: str, imdb: Path, train_size: int | None) -> dict:
    """Accuracy of each method on all test reviews, with its 95 % interval."""
    import numpy as np
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from sentiment_lib import (
        Classifier,
        fine_tune,
        initialize_model_and_tokenizer,
        make_settings,
        metric_intervals,
        predict,
    )
    from sentiment_lib.data.preparation import prepare
    from sentiment_lib.model.baselines import PROBE, TFIDF, fit_probe, fit_tfidf, frozen_embedding

    source = {"source": str(imdb)} if preset == "imdb" else {}
    settings = make_settings(preset, train_size=train_size, **source)
    dataset, _ = prepare(settings)
    train, test = dataset["train"], dataset["test"]
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=settings.seed)
    embedding = frozen_embedding(Classifier(model, tokenizer, settings.encoding, settings.precision))
    known, asked = (list(train["text"]), np.array(train["label"])), list(test["text"])
    fitted = {
        "majority class": DummyClassifier(strategy="prior").fit(*known),
        "VADER lexicon": make_pipeline(FunctionTransformer(vader_scores), LogisticRegression(C=np.inf)).fit(*known),
        TFIDF: fit_tfidf(*known),
        PROBE: fit_probe(*known, embedding),
    }
    probabilities = {name: method.predict_proba(asked)[:, 1] for name, method in fitted.items()}
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


def vader_scores(texts):
    """VADER's score of each text, in [-1, 1], shape ``(texts, 1)``."""
    import numpy as np
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return np.array([[analyzer.polarity_scores(text)["compound"]] for text in texts])


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    size = 200 if options.small else None
    jobs = [{"preset": preset, "imdb": options.imdb, "train_size": size} for preset in ("quick", "imdb")]
    measure("baselines", run, jobs, options.small)


if __name__ == "__main__":
    main()
