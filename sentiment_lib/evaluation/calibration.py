"""Whether a probability of 0.8 for positive means right in 8 of 10 cases, and how to correct it (lesson 04)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from ..errors import ArgumentError, check_choice
from .predictions import PlainData, check_predictions, logit
from .uncertainty import RESAMPLES, Interval, bootstrap, metric_intervals, share_intervals

BINS = 15
STRATEGIES = ("width", "mass")


@dataclass(frozen=True)
class Calibration(PlainData):
    """How well probabilities match what happened.

    Attributes
    ----------
    ece_width, ece_mass : Interval
        Expected calibration error with bins of equal width and with bins of equal numbers of texts.
    ece_width_by_chance, ece_mass_by_chance : float
        Mean error that a perfectly calibrated model with the same probabilities would get on as few texts. An
        error near or below this says nothing.
    p_width, p_mass : float
        How often such a model would get an error at least as large as this one.
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


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS, strategy: str = "width") -> pd.DataFrame:
    """Predicted against observed share of positives: one row per bin that holds texts.

    Labels and probabilities are those of :func:`sentiment_lib.evaluate`. The strategy is "width", for bins of equal
    width, or "mass", for bins that hold equally many texts. Columns: ``count``, ``probability`` (mean of the
    predicted ones), ``observed`` (share of positives) and its 95 % Wilson interval ``low``, ``high``.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    index = _bin_indices(probabilities, bins, strategy)
    count = np.bincount(index, minlength=bins)
    filled = count > 0
    hits = np.bincount(index, labels, bins)[filled]
    mean = np.bincount(index, probabilities, bins)[filled] / count[filled]
    low, high = share_intervals(hits, count[filled])
    columns = {"count": count[filled], "probability": mean, "observed": hits / count[filled], "low": low, "high": high}
    return pd.DataFrame(columns)


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS, strategy: str = "width"
) -> float:
    """Mean distance of predicted and observed share of positives over the bins, weighted by their counts.

    The error is that of Naeini et al. (Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015).
    Guo et al. (On calibration of modern neural networks, ICML 2017) bin the confidence of the predicted label; here
    the probability of the positive class is binned, so that errors in both directions show separately. Parameters as
    in :func:`reliability`.
    """
    table = reliability(labels, probabilities, bins, strategy)
    return float((table["count"] * (table["observed"] - table["probability"]).abs()).sum() / table["count"].sum())


def calibration_report(
    labels: ArrayLike,
    probabilities: ArrayLike,
    bins: int = BINS,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Calibration:
    """All measures of calibration with their intervals.

    Resampling adds noise to each bin, and noise adds to the error. The interval of the calibration error is
    therefore the basic (reflected) bootstrap interval, ``2 estimate - percentiles``, cut at 0, and not the
    percentile interval, which would be too high. It begins at 0 if a perfectly calibrated model would get such an
    error more often than ``(1 - level) / 2``. Parameters as in :func:`sentiment_lib.evaluation.metric_intervals`.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    found: dict[str, Any] = {}
    for strategy in STRATEGIES:
        estimate = expected_calibration_error(labels, probabilities, bins, strategy)
        member = np.eye(bins)[_bin_indices(probabilities, bins, strategy)]  # (n, bins), 0 or 1
        signed = member * (labels - probabilities)[:, None]

        def error(weights: np.ndarray, signed: np.ndarray = signed) -> np.ndarray:
            return np.abs(weights @ signed).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)

        resampled = bootstrap(error, labels, resamples, seed)
        low, high = 2 * estimate - np.quantile(resampled, [(1 + level) / 2, (1 - level) / 2])
        by_chance = _errors_by_chance(probabilities, member, seed)
        p_value = float((1 + (by_chance >= estimate).sum()) / (1 + len(by_chance)))
        low = max(0.0, float(low)) if p_value <= (1 - level) / 2 else 0.0
        found[f"ece_{strategy}"] = Interval(estimate, low, max(estimate, float(high)))
        found |= {f"ece_{strategy}_by_chance": float(by_chance.mean()), f"p_{strategy}": p_value}
    brier = metric_intervals(labels, probabilities, resamples=resamples, level=level, seed=seed)["brier"]
    return Calibration(**found, brier=brier, log_loss=_log_loss(labels, logit(probabilities)))


def _errors_by_chance(probabilities: np.ndarray, member: np.ndarray, seed: int, draws: int = 1000) -> np.ndarray:
    """Errors, shape ``(draws,)``, when labels are drawn from the probabilities (Bröcker and Smith 2007)."""
    rng = np.random.default_rng(seed)
    drawn = (rng.random(len(probabilities)) < probabilities for _ in range(draws))
    return np.array([np.abs((labels - probabilities) @ member).sum() / len(labels) for labels in drawn])


def _log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    return float(np.logaddexp(0, (1 - 2 * labels) * logits).mean())


def fit_temperature(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The temperature that makes the labels most likely (Guo et al. 2017, section 4.2); fit it on validation data.

    Above 1, the model was too confident. A temperature does not change the order of the texts or, at the threshold
    0.5, any decision.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    logits = logit(probabilities)

    def loss(log_temperature: float) -> float:
        return _log_loss(labels, logits / np.exp(log_temperature))

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x))


def apply_temperature(probabilities: ArrayLike, temperature: float) -> np.ndarray:
    """The probabilities after the logits are divided by `temperature`."""
    if not temperature > 0 or not np.isfinite(temperature):
        raise ArgumentError(f"temperature={temperature} must be a positive number; 1 changes nothing.")
    return apply_platt(probabilities, 1 / temperature, 0)


def fit_platt(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Slope and shift of the logit that make the labels most likely; fit them on validation data.

    The slope is one over a temperature. The shift corrects a model that leans to one label, and changes decisions
    (Platt, Probabilistic outputs for support vector machines, 1999).
    """
    labels, probabilities = check_predictions(labels, probabilities)
    fitted = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(logit(probabilities)[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def apply_platt(probabilities: ArrayLike, slope: float, shift: float) -> np.ndarray:
    """The probabilities after each logit becomes ``slope * logit + shift``."""
    return 0.5 * (1 + np.tanh((slope * logit(probabilities) + shift) / 2))


def _bin_indices(probabilities: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    """The bin of each probability, counted from 0; the bins are those of scikit-learn's calibration_curve."""
    check_choice("strategy", strategy, STRATEGIES)
    if bins < 1:
        raise ArgumentError(f"bins={bins} must be at least 1; 10 to 20 are usual.")
    shares = np.linspace(0, 1, bins + 1)
    edges = shares if strategy == "width" else np.quantile(probabilities, shares)
    return np.searchsorted(edges[1:-1], probabilities)
