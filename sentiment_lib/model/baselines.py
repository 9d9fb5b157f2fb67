"""The baselines that BERT has to beat: four simple classifiers with one interface. Taught in lesson 02."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..errors import DataError
from ..run.files import replacing, write_json
from ..settings import Settings
from .inference import Classifier

if TYPE_CHECKING:
    from datasets import DatasetDict

    Texts = Mapping[str, Sequence]  # columns text and label, as in a split of a DatasetDict

C_VALUES = (0.01, 0.1, 1.0, 3.0, 10.0, 30.0)  # inverse strengths of the penalty to try


class Baseline(ABC):
    """A classifier of texts.

    Attributes
    ----------
    name : str
    tuning : sequence of dict
        The settings that were tried, each with its log loss and accuracy on the validation split; empty for baselines
        without settings.
    """

    name: str
    tuning: Sequence[dict[str, Any]] = ()

    @abstractmethod
    def fit(self, train: Texts, validation: Texts) -> Self:
        """Learn from `train`, choose settings on `validation` if there are any, and return the baseline itself."""

    @abstractmethod
    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The probability that each text is positive, shape ``(texts,)``."""


class MajorityClass(Baseline):
    """The same probability for every text: the share of positives among the training texts."""

    name = "majority class"

    def fit(self, train: Texts, validation: Texts) -> Self:
        """Count the labels."""
        self._share = float(np.mean(train["label"]))
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The share of positives, for every text."""
        return np.full(len(texts), self._share)


class VaderLexicon(Baseline):
    """VADER: a list of 7,500 words with human ratings, and rules for negation, emphasis and "but".

    The lexicon is not trained. A logistic curve, fitted on the training texts, turns its score into a probability.

    References
    ----------
    Hutto and Gilbert, VADER: A parsimonious rule-based model for sentiment analysis of social media text,
    ICWSM 2014.
    """

    name = "VADER lexicon"

    def fit(self, train: Texts, validation: Texts) -> Self:
        """Fit the two parameters of the logistic curve."""
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()
        self._curve = LogisticRegression(C=np.inf).fit(self.scores(train["text"]), train["label"])
        return self

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """VADER's compound score of each text, shape ``(texts, 1)``, in [-1, 1]."""
        return np.array([self._analyzer.polarity_scores(text)["compound"] for text in texts]).reshape(-1, 1)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The logistic curve at each text's score."""
        return self._curve.predict_proba(self.scores(texts))[:, 1]


class _Tuned(Baseline):
    """Logistic regression on features, with settings chosen by log loss on the validation split."""

    @abstractmethod
    def _candidates(self) -> Iterator[tuple]:
        """Yield a transformer of texts to features, and all pairs of settings and classifier to try with it."""

    def fit(self, train: Texts, validation: Texts) -> Self:
        tuning, best = [], np.inf
        for transformer, classifiers in self._candidates():
            features, held_out = transformer.fit_transform(train["text"]), transformer.transform(validation["text"])
            for settings, classifier in classifiers:
                probability = classifier.fit(features, train["label"]).predict_proba(held_out)[:, 1]
                loss = log_loss(validation["label"], probability, labels=[0, 1])
                accuracy = float(((probability >= 0.5) == np.asarray(validation["label"])).mean())
                tuning.append({**settings, "log_loss": loss, "accuracy": accuracy})
                if loss < best:
                    best, self.chosen, self._transformer, self._classifier = loss, settings, transformer, classifier
        self.tuning = tuning
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return self._classifier.predict_proba(self._transformer.transform(texts))[:, 1]


class TfidfLogistic(_Tuned):
    """Logistic regression on counts of words and word pairs, weighted by rarity (TF-IDF).

    The validation split decides whether word pairs are used and how strong the penalty is.
    """

    name = "TF-IDF + logistic regression"

    @staticmethod
    def vectorizer(words: int) -> TfidfVectorizer:
        """The features: TF-IDF of single words, and of pairs of words if `words` is 2."""
        return TfidfVectorizer(ngram_range=(1, words), sublinear_tf=True, strip_accents="unicode")

    def _candidates(self) -> Iterator[tuple]:
        for words in (1, 2):
            yield (
                self.vectorizer(words),
                [({"words": words, "C": c}, LogisticRegression(C=c, max_iter=1000)) for c in C_VALUES[2:]],
            )

    def weights(self) -> dict[str, float]:
        """The weight of each word and word pair in the logit, the most negative first."""
        names, (weights,) = self._transformer.get_feature_names_out(), self._classifier.coef_
        return {names[i]: float(weights[i]) for i in np.argsort(weights)}


class LinearProbe(_Tuned):
    """Logistic regression on the frozen checkpoint's mean-pooled embeddings: BERT without fine-tuning.

    Parameters
    ----------
    embed : callable
        Texts to vectors of shape ``(texts, hidden size)``, such as :func:`frozen_embedding` returns.
    """

    name = "linear probe"

    def __init__(self, embed: Callable[[Sequence[str]], np.ndarray]) -> None:
        self._embed = embed

    def _candidates(self) -> Iterator[tuple]:
        regressions = {c: LogisticRegression(C=c, max_iter=2000) for c in (0.001, *C_VALUES[:4])}
        classifiers = [({"C": c}, make_pipeline(StandardScaler(), regression)) for c, regression in regressions.items()]
        yield FunctionTransformer(self._embed), classifiers


def frozen_embedding(classifier: Classifier) -> Callable[[Sequence[str]], np.ndarray]:
    """A function that computes :meth:`Classifier.embed`, shape ``(texts, hidden size)``, only once for each text."""
    known: dict[str, np.ndarray] = {}

    def vectors(texts: Sequence[str]) -> np.ndarray:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            known.update(zip(new, classifier.embed(new).astype("float32"), strict=True))
        return np.stack([known[text] for text in texts])

    return vectors


def fit_baselines(dataset: DatasetDict, embedding: Callable[[Sequence[str]], np.ndarray]) -> dict[str, Baseline]:
    """All baselines by name, fitted on the same training texts; the test split is not used."""
    baselines = [MajorityClass(), VaderLexicon(), TfidfLogistic(), LinearProbe(embedding)]
    return {baseline.name: baseline.fit(dataset["train"], dataset["validation"]) for baseline in baselines}


def save_baselines(predictions: Mapping[str, pd.DataFrame], tuning: Mapping[str, Any], settings: Settings) -> Path:
    """Save the predictions of the baselines for lesson 04.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        For ``"validation"``, ``"test"`` and ``"behaviour"``: a column ``text`` and one of probabilities per baseline.
    tuning : mapping of str to list of dict
        Each baseline's ``tuning``.
    settings : Settings
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

    Parameters
    ----------
    texts : sequence of str
        Texts that lesson 02 predicted.
    name : {"validation", "test", "behaviour"}
    settings : Settings

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
