"""Whether a probability of 0.8 means right in 8 of 10 cases, and how to mend it where it does not.

Taught in lesson 04. Everything is about the probability of the positive class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from .metrics import check_predictions, logit
from .uncertainty import RESAMPLES, Interval, bootstrap, metric_intervals

if TYPE_CHECKING:
    import pandas as pd

BINS = 15
STRATEGIES = ("width", "mass")


@dataclass(frozen=True)
class Calibration:
    """How well probabilities match what happened.

    Attributes
    ----------
    ece_width, ece_mass : Interval
        Expected calibration error with bins of equal width and with bins of equal numbers of texts.
    ece_width_by_chance, ece_mass_by_chance : float
        What a perfectly calibrated model with the same probabilities gets on average on so few texts: an
        error below or near this says nothing.
    p_width, p_mass : float
        How often such a model gets an error at least as large as this one.
    brier : Interval
        Mean squared distance of probability and label; 0 is perfect, 0.25 is always answering one half.
    log_loss : float
        Mean negative log probability of the true label, in nats.
    """

    ece_width: Interval
    ece_mass: Interval
    ece_width_by_chance: float
    ece_mass_by_chance: float
    p_width: float
    p_mass: float
    brier: Interval
    log_loss: float

    def to_dict(self) -> dict[str, Any]:
        """The measures as plain data, ready for JSON."""
        from dataclasses import asdict

        return asdict(self)


def reliability(
    labels: Sequence[int], probabilities: Sequence[float], bins: int = BINS, strategy: str = "width"
) -> pd.DataFrame:
    """Predicted against observed share of positives, a row a bin that holds texts.

    Parameters
    ----------
    labels, probabilities
        As in :func:`sentiment_lib.evaluate`.
    bins : int
    strategy : {"width", "mass"}
        Bins of equal width, or bins that hold equally many texts.

    Returns
    -------
    pandas.DataFrame
        ``count``, ``probability`` (mean of the predicted ones), ``observed`` (share of positives) and its
        95 % Wilson interval ``low``, ``high``.
    """
    import pandas as pd
    from statsmodels.stats.proportion import proportion_confint

    labels, probabilities = check_predictions(labels, probabilities)
    number = _bin_numbers(probabilities, bins, strategy)
    count = np.bincount(number, minlength=bins)
    filled = count > 0
    hits = np.bincount(number, labels, bins)[filled]
    mean = np.bincount(number, probabilities, bins)[filled] / count[filled]
    low, high = proportion_confint(hits, count[filled], method="wilson")
    columns = {"count": count[filled], "probability": mean, "observed": hits / count[filled], "low": low, "high": high}
    return pd.DataFrame(columns)


def expected_calibration_error(
    labels: Sequence[int], probabilities: Sequence[float], bins: int = BINS, strategy: str = "width"
) -> float:
    """Mean distance of predicted and observed share of positives over the bins, weighted by their counts.

    Guo et al. bin the confidence of the predicted label; here the probability of the positive class is
    binned, so that errors to both sides show apart. Parameters as in :func:`reliability`.

    References
    ----------
    Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015; Guo et al., On
    calibration of modern neural networks, ICML 2017.
    """
    table = reliability(labels, probabilities, bins, strategy)
    return float((table["count"] * (table["observed"] - table["probability"]).abs()).sum() / len(labels))


def calibration_report(
    labels: Sequence[int],
    probabilities: Sequence[float],
    bins: int = BINS,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Calibration:
    """All measures of calibration with their intervals.

    Resampling adds noise to each bin, and noise adds to the error. The interval of the calibration error is
    therefore the basic (reflected) bootstrap interval, ``2 estimate - percentiles``, cut at 0, and not the
    percentile interval, which would lie too high. It begins at 0 where a perfectly calibrated model would get
    such an error more often than ``(1 - level) / 2``.

    Parameters
    ----------
    labels, probabilities
        As in :func:`sentiment_lib.evaluate`.
    bins : int
    resamples, level, seed
        As in :func:`sentiment_lib.evaluation.metric_intervals`.
    """
    from sklearn.metrics import log_loss

    labels, probabilities = check_predictions(labels, probabilities)
    found: dict[str, Any] = {}
    for strategy in STRATEGIES:
        estimate = expected_calibration_error(labels, probabilities, bins, strategy)
        member = _membership(probabilities, bins, strategy)

        def statistic(weights: np.ndarray, member=member) -> np.ndarray:
            return _gap(weights, member * (labels - probabilities)[:, None])

        resampled = bootstrap(statistic, labels, resamples, seed)[:, 0]
        low, high = 2 * estimate - np.quantile(resampled, [(1 + level) / 2, (1 - level) / 2])
        chance = _by_chance(probabilities, member, seed)
        p_value = float((1 + (chance >= estimate).sum()) / (1 + len(chance)))
        low = float(low) if p_value <= (1 - level) / 2 else 0.0
        found[f"ece_{strategy}"] = Interval(estimate, max(0.0, low), max(estimate, float(high)))
        found |= {f"ece_{strategy}_by_chance": float(chance.mean()), f"p_{strategy}": p_value}
    brier = metric_intervals(labels, probabilities, resamples=resamples, level=level, seed=seed)["brier"]
    kept = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return Calibration(**found, brier=brier, log_loss=float(log_loss(labels, kept)))


def fit_temperature(labels: Sequence[int], probabilities: Sequence[float]) -> float:
    """The temperature that makes the probabilities most likely; fit it on the validation split.

    Above 1 the model was too sure of itself. It changes neither the order of the texts nor, at the threshold
    0.5, any decision.

    References
    ----------
    Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    labels, probabilities = check_predictions(labels, probabilities)
    signed = (2 * labels - 1) * logit(probabilities)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x))


def apply_temperature(probabilities: Sequence[float], temperature: float) -> np.ndarray:
    """The probabilities as they are when the logits are divided by `temperature`."""
    if not temperature > 0 or not np.isfinite(temperature):
        raise ArgumentError(f"temperature={temperature} must be a positive number; 1 changes nothing.")
    return apply_platt(probabilities, 1 / temperature, 0)


def fit_platt(labels: Sequence[int], probabilities: Sequence[float]) -> tuple[float, float]:
    """Slope and shift of the logit that make the probabilities most likely; fit them on the validation split.

    The slope is one over a temperature. The shift mends a model that leans to one label, and changes decisions.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines, 1999.
    """
    from sklearn.linear_model import LogisticRegression

    labels, probabilities = check_predictions(labels, probabilities)
    fitted = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(logit(probabilities)[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def apply_platt(probabilities: Sequence[float], slope: float, shift: float) -> np.ndarray:
    """The probabilities as they are when each logit becomes ``slope * logit + shift``."""
    return 0.5 * (1 + np.tanh((slope * logit(probabilities) + shift) / 2))


def _bin_numbers(probabilities: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    """The bin of each probability, counted from 0; the bins are those of scikit-learn's calibration_curve."""
    if strategy not in STRATEGIES:
        raise ArgumentError(f"strategy={strategy!r} is not one of {', '.join(map(repr, STRATEGIES))}.")
    if bins < 1:
        raise ArgumentError(f"bins={bins} must be at least 1; 10 to 20 are usual.")
    shares = np.linspace(0, 1, bins + 1)
    edges = shares if strategy == "width" else np.quantile(probabilities, shares)
    return np.searchsorted(edges[1:-1], probabilities)


def _membership(probabilities: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    """Which text is in which bin, shape ``(n, bins)``, 0 or 1."""
    return np.eye(bins)[_bin_numbers(probabilities, bins, strategy)]


def _gap(weights: np.ndarray, signed: np.ndarray) -> np.ndarray:
    """Calibration error from each text's signed distance in its bin; weights ``(rows, n)`` to ``(rows, 1)``."""
    return np.abs(weights @ signed).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)


def _by_chance(probabilities: np.ndarray, member: np.ndarray, seed: int, draws: int = 1000) -> np.ndarray:
    """Errors, shape ``(draws,)``, when labels are drawn from the probabilities (Bröcker and Smith 2007)."""
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(draws):
        labels = rng.random(len(probabilities)) < probabilities
        errors.append(np.abs((labels - probabilities) @ member).sum() / len(probabilities))
    return np.array(errors)
