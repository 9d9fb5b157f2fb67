"""Whether an explanation is faithful to the model: remove the words it names, or keep only them (lesson 07)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import kendalltau

from ..errors import ArgumentError
from ..evaluation.predictions import as_numbers
from ..evaluation.uncertainty import bootstrap_means
from .attribution import REFERENCE, WordEffects

FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words; those of DeYoung et al. 2020
Attributions = Mapping[str, Sequence[WordEffects]]


@dataclass(frozen=True)
class Faithfulness:
    """How much the probability of the predicted label falls, for each method, text and fraction of words.

    Attributes
    ----------
    fractions : tuple of float
        Shares of a text's words, rounded up to whole words.
    without, alone : dict of str to numpy.ndarray
        Fall of the probability when the words ranked first are removed, or when only they are kept; shape
        ``(texts, fractions)``.
    """

    fractions: tuple[float, ...]
    without: dict[str, np.ndarray]
    alone: dict[str, np.ndarray]

    @property
    def comprehensiveness(self) -> dict[str, np.ndarray]:
        """Mean of `without` over the fractions, shape ``(texts,)``: high is good."""
        return {name: values.mean(axis=1) for name, values in self.without.items()}

    @property
    def sufficiency(self) -> dict[str, np.ndarray]:
        """Mean of `alone` over the fractions, shape ``(texts,)``: low is good."""
        return {name: values.mean(axis=1) for name, values in self.alone.items()}

    def table(self, measure: str, *, minus: str | None = None) -> pd.DataFrame:
        """Mean over the texts with its 95 % bootstrap interval, one row per method.

        Parameters
        ----------
        measure : {"comprehensiveness", "sufficiency"}
        minus : str, optional
            A method whose value is subtracted text by text, such as ``"random"``; it has no row of its own.
        """
        return means_table(getattr(self, measure), minus=minus)

    def curve(self, which: str) -> pd.DataFrame:
        """Columns ``method``, ``fraction``, ``estimate``, ``low``, ``high`` of `which`, "without" or "alone"."""
        parts = []
        for name, values in getattr(self, which).items():
            mean, low, high = bootstrap_means(values.T)
            columns = {"fraction": self.fractions, "estimate": mean, "low": low, "high": high}
            parts.append(pd.DataFrame({"method": name, **columns}))
        return pd.concat(parts, ignore_index=True)


def means_table(values: Mapping[str, np.ndarray], *, minus: str | None = None) -> pd.DataFrame:
    """Means over texts: index the names, columns ``estimate``, ``low``, ``high``, ``texts``.

    `minus` names a row that is subtracted text by text. Texts with a NaN in any row are left out.
    """
    names = [name for name in values if name != minus]
    stacked = np.stack([values[name] - (values[minus] if minus else 0) for name in names])
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    mean, low, high = bootstrap_means(stacked)
    columns = {"estimate": mean, "low": low, "high": high, "texts": stacked.shape[1]}
    return pd.DataFrame(columns, index=pd.Index(names, name="method"))


def faithfulness(
    attributions: Attributions, predict: Callable[[list[str]], ArrayLike], *, fractions: Sequence[float] = FRACTIONS
) -> Faithfulness:
    """Comprehensiveness and sufficiency of explanations.

    Parameters
    ----------
    attributions : mapping of str to sequence of WordEffects
        From :func:`sentiment_lib.attention.attribute`: the same texts for each method.
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once.
    fractions : sequence of float
        Shares of the words, above 0 and up to 1; rounded up, so that at least one word is taken.

    References
    ----------
    DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, 2020, section 4.
    """
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise ArgumentError(f"fractions holds {fraction}; each must lie above 0 and up to 1.")
    variants: list[str] = []
    for effects in attributions.values():
        for explained in effects:
            words = explained.words
            variants.append(" ".join(words))
            order = np.argsort(-explained.support, kind="stable").tolist()
            for fraction in fractions:
                top = set(order[: int(np.ceil(fraction * len(order) - 1e-9))])
                variants.append(" ".join(word for i, word in enumerate(words) if i not in top))
                variants.append(" ".join(word for i, word in enumerate(words) if i in top))
    index, texts = pd.factorize(np.array(variants, dtype=object))  # many methods rank the same words first
    shape = (len(attributions), -1, 1 + 2 * len(fractions))
    probability = as_numbers(predict(texts.tolist()))[index].reshape(shape)
    predicted = probability[..., :1] >= 0.5
    probability = np.where(predicted, probability, 1 - probability)  # of the label predicted for the complete text
    fall = probability[..., :1] - probability[..., 1:]
    without, alone = (dict(zip(attributions, fall[..., i::2], strict=True)) for i in (0, 1))
    return Faithfulness(tuple(fractions), without, alone)


def rank_agreement(attributions: Attributions, reference: str = REFERENCE) -> dict[str, np.ndarray]:
    """Whether methods rank the words of a text alike: Kendall's tau-b with a reference, shape ``(texts,)``.

    Magnitudes are compared, because some methods have no sign. NaN if a method ranks all words alike (Jain and
    Wallace, Attention is not Explanation, 2019, section 4.1).
    """
    if reference not in attributions:
        raise ArgumentError(f"reference={reference!r} is not among {', '.join(map(repr, attributions))}.")
    agreement = {}
    for name, effects in attributions.items():
        if name != reference:
            pairs = zip(effects, attributions[reference], strict=True)
            agreement[name] = np.array([kendalltau(np.abs(a.effects), np.abs(b.effects)).statistic for a, b in pairs])
    return agreement
