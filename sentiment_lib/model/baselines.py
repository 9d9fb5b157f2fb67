"""The baselines that BERT has to beat, as pipelines of scikit-learn. Lesson 02 builds them step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..errors import DataError
from ..run.files import replacing, write_json
from ..settings import Settings
from .inference import Classifier

TFIDF, PROBE = "TF-IDF + logistic regression", "linear probe"
FOLDS = 5
CHOOSE_WITH = 2000  # texts at least, and at least a quarter of all: the more there are, the more pairs of words help


def fit_tfidf(texts: Sequence[str], labels: Sequence[int]) -> Pipeline:
    """Logistic regression on counts of words, and perhaps of word pairs, weighted by rarity (TF-IDF).

    Cross-validation on the first quarter of the texts (:data:`CHOOSE_WITH` or more) decides whether pairs are counted
    and how strong the penalty is; then all texts are learned from.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With ``predict_proba(texts)``, whose second column is the probability of positive.
    """
    words = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode")
    pipeline = Pipeline([("words", words), ("classifier", LogisticRegression(max_iter=1000))])
    settings: dict[str, list] = {"words__ngram_range": [(1, 1), (1, 2)], "classifier__C": [1.0, 3.0, 10.0, 30.0]}
    return _chosen(pipeline, settings, texts, labels)


def fit_probe(
    texts: Sequence[str], labels: Sequence[int], embedding: Callable[[Sequence[str]], np.ndarray]
) -> Pipeline:
    """Logistic regression on vectors of a frozen network: BERT without fine-tuning.

    Cross-validation on the first quarter of the texts (:data:`CHOOSE_WITH` or more) decides how strong the penalty is.

    Parameters
    ----------
    embedding : callable
        Texts to vectors of shape ``(texts, hidden size)``, such as :func:`frozen_embedding` returns.

    Returns
    -------
    sklearn.pipeline.Pipeline
        As from :func:`fit_tfidf`.
    """
    steps = [("vectors", FunctionTransformer(embedding)), ("scale", StandardScaler())]
    pipeline = Pipeline([*steps, ("classifier", LogisticRegression(max_iter=1000))])
    return _chosen(pipeline, {"classifier__C": [0.001, 0.01, 0.1, 1.0]}, texts, labels)


def _chosen(pipeline: Pipeline, settings: dict[str, list], texts: Sequence[str], labels: Sequence[int]) -> Pipeline:
    """The pipeline with the settings that have the best log loss in cross-validation, fitted on all texts."""
    count = max(CHOOSE_WITH, len(texts) // 4)
    some, known = texts[:count], labels[:count]
    folds = min(FOLDS, *np.bincount(known, minlength=2).tolist())
    if folds >= 2:  # too few texts of a label leave no choice
        search = GridSearchCV(pipeline, settings, scoring="neg_log_loss", cv=folds, refit=False).fit(some, known)
        pipeline.set_params(**search.best_params_)
    return pipeline.fit(texts, labels)


def frozen_embedding(classifier: Classifier, pooling: str = "mean") -> Callable[[Sequence[str]], np.ndarray]:
    """A function that computes :meth:`Classifier.embed`, shape ``(texts, hidden size)``, only once for each text."""
    known: dict[str, np.ndarray] = {}

    def vectors(texts: Sequence[str]) -> np.ndarray:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            known.update(zip(new, classifier.embed(new, pooling).astype("float32"), strict=True))
        return np.stack([known[text] for text in texts])

    return vectors


def save_baselines(predictions: Mapping[str, pd.DataFrame], tuning: Mapping[str, Any], settings: Settings) -> Path:
    """Save the predictions of the baselines for lesson 04.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        For ``"validation"``, ``"test"`` and ``"behaviour"``: a column ``text`` and one of probabilities per baseline.
    tuning : mapping of str to list of dict
        For each baseline, one row per combination of settings that was tried.
    """
    folder = settings.paths.baselines
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name, table in predictions.items():
            table.to_parquet(temporary / f"{name}.parquet", index=False)
        write_json(temporary / "baselines.json", {**settings.affecting("evaluation"), "tuning": dict(tuning)})
    return folder


def load_baselines(texts: Sequence[str], name: str, settings: Settings) -> pd.DataFrame:
    """Probabilities of the baselines for `texts`: one column per baseline, in the order of the texts.

    `texts` are some of those that lesson 02 predicted as `name`: "validation", "test" or "behaviour".

    Raises
    ------
    MissingResult
        When lesson 02 has not been run.
    DataError
        When it was run with another model or on other texts.
    """
    folder = settings.paths.require(settings.paths.baselines, "02")
    kept = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
    if differences := settings.differences(kept, "evaluation"):
        raise DataError(f"Lesson 02 was run with other settings: {differences}. Run lesson 02 again first.")
    table = pd.read_parquet(folder / f"{name}.parquet").drop_duplicates("text").set_index("text")
    new = [text for text in texts if text not in table.index]
    if new:
        raise DataError(
            f"Lesson 02 has not seen {len(new)} of {len(texts)} texts ({name}); the first is {new[0][:80]!r}. "
            "Run lesson 02 again first."
        )
    return table.loc[list(texts)].reset_index(drop=True)
