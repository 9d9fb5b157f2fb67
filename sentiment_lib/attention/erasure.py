"""Whether an explanation is true to the model: take away the words it names, or keep only them, and see.

Taught in lesson 06.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..evaluation.uncertainty import bootstrap_means
from .attribution import REFERENCE, UNSIGNED, WordEffects

if TYPE_CHECKING:
    import pandas as pd

FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words; those of DeYoung et al. 2020
Attributions = Mapping[str, Sequence[WordEffects]]


@dataclass(frozen=True)
class Faithfulness:
    """How the probability of the predicted label falls, for each method, text and share of words.

    Attributes
    ----------
    fractions : tuple of float
        Shares of a text's words, rounded up to whole words.
    without, alone : dict of str to numpy.ndarray
        Fall of the probability when the words named first are taken away, or when only they are kept; shape
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
        """Mean over the texts with its 95 % bootstrap interval, a row a method.

        Parameters
        ----------
        measure : {"comprehensiveness", "sufficiency"}
        minus : str, optional
            A method whose value is subtracted text by text, such as ``"random"``; it has no row of its own.
        """
        return means_table(getattr(self, measure), minus=minus)

    def curve(self, which: str) -> pd.DataFrame:
        """Columns ``method``, ``fraction``, ``estimate``, ``low``, ``high`` of `which`, "without" or "alone"."""
        import pandas as pd

        parts = []
        for name, values in getattr(self, which).items():
            mean, low, high = bootstrap_means(values.T)
            columns = {"fraction": self.fractions, "estimate": mean, "low": low, "high": high}
            parts.append(pd.DataFrame({"method": name, **columns}))
        return pd.concat(parts, ignore_index=True)


def means_table(values: Mapping[str, np.ndarray], *, minus: str | None = None) -> pd.DataFrame:
    """Means over texts: index the names, columns ``estimate``, ``low``, ``high``, ``texts``.

    `minus` names a row that is subtracted text by text; texts with a NaN in any row are left out.
    """
    import pandas as pd

    names = [name for name in values if name != minus]
    stacked = np.stack([values[name] - (values[minus] if minus else 0) for name in names])
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    mean, low, high = bootstrap_means(stacked)
    columns = {"estimate": mean, "low": low, "high": high, "texts": stacked.shape[1]}
    return pd.DataFrame(columns, index=pd.Index(names, name="method"))


def importance(effects: WordEffects, *, signed: bool) -> np.ndarray:
    """How much each word speaks for the label that was predicted, shape ``(words,)``."""
    values = np.array(effects.effects)
    return values if not signed or effects.probability >= 0.5 else -values


def faithfulness(
    attributions: Attributions,
    predict: Callable[[list[str]], Sequence[float]],
    *,
    fractions: Sequence[float] = FRACTIONS,
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

    Returns
    -------
    Faithfulness

    References
    ----------
    DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, 2020, section 4.
    """
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise ArgumentError(f"fractions holds {fraction}; each must lie above 0 and up to 1.")
    wanted: list[str] = []
    for name, explained in attributions.items():
        for one in explained:
            wanted.append(" ".join(one.words))
            order = np.argsort(-importance(one, signed=name not in UNSIGNED), kind="stable")
            for fraction in fractions:
                top = set(order[: int(np.ceil(fraction * len(order) - 1e-9))].tolist())
                wanted.append(" ".join(word for i, word in enumerate(one.words) if i not in top))
                wanted.append(" ".join(word for i, word in enumerate(one.words) if i in top))
    different = list(dict.fromkeys(wanted))  # many methods name the same words first
    chance = dict(zip(different, map(float, predict(different)), strict=True))
    shape = (len(attributions), -1, 1 + 2 * len(fractions))
    probability = np.array([chance[text] for text in wanted]).reshape(shape)
    predicted = probability[..., :1] >= 0.5
    probability = np.where(predicted, probability, 1 - probability)  # of the label predicted for the whole text
    fall = probability[..., :1] - probability[..., 1:]
    names = list(attributions)
    return Faithfulness(
        tuple(fractions),
        {name: fall[i, :, 0::2] for i, name in enumerate(names)},
        {name: fall[i, :, 1::2] for i, name in enumerate(names)},
    )


def rank_agreement(attributions: Attributions, reference: str = REFERENCE) -> dict[str, np.ndarray]:
    """Whether methods rank the words of a text alike: Kendall's tau-b with a reference, shape ``(texts,)``.

    Compared are magnitudes, because some methods have no sign. NaN where a method ranks all words alike.

    References
    ----------
    Jain and Wallace, Attention is not Explanation, 2019, section 4.1.
    """
    from scipy.stats import kendalltau

    if reference not in attributions:
        raise ArgumentError(f"reference={reference!r} is not among {', '.join(map(repr, attributions))}.")
    found = {}
    for name, explained in attributions.items():
        if name != reference:
            pairs = zip(explained, attributions[reference], strict=True)
            taus = [kendalltau(np.abs(a.effects), np.abs(b.effects)).statistic for a, b in pairs]
            found[name] = np.array(taus, dtype=float)
    return found
