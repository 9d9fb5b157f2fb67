"""Which heads a prediction needs: one switched off at a time, gradients, and more and more of them.

Taught in lesson 06.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..evaluation.metrics import check_predictions
from ..evaluation.significance import holm
from ..evaluation.uncertainty import bootstrap_means
from ..model.inference import Classifier
from ..run.progress import progress_bar
from .maps import eager
from .silencing import all_heads, gated, silenced

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HeadEffects:
    """What each head's absence does to the predictions for some texts.

    Attributes
    ----------
    labels : numpy.ndarray
        Shape ``(texts,)``.
    whole : numpy.ndarray
        Logit of positive with all heads, shape ``(texts,)``.
    without : numpy.ndarray
        Logit of positive without a head, shape ``(layers, heads, texts)``.
    """

    labels: np.ndarray
    whole: np.ndarray
    without: np.ndarray

    @property
    def margin_change(self) -> np.ndarray:
        """Change of the logit of the right label, shape ``(layers, heads, texts)``: below 0, the head had helped."""
        return (self.without - self.whole) * np.where(self.labels == 1, 1, -1)

    @property
    def importance(self) -> np.ndarray:
        """Mean absolute change of the logit, shape ``(layers, heads)``: how much predictions depend on a head."""
        return np.abs(self.without - self.whole).mean(axis=-1)

    @property
    def accuracy(self) -> np.ndarray:
        """Accuracy without each head, shape ``(layers, heads)``."""
        return ((self.without >= 0) == (self.labels == 1)).mean(axis=-1)

    def table(self, resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """A row a head, the most needed first.

        Columns: ``layer``, ``head``; ``accuracy`` without it; ``change`` of the accuracy with its 95 % interval
        ``low`` and ``high`` (paired bootstrap); ``p_holm`` of an exact McNemar test, corrected for the number of
        heads; ``logit`` the mean change of the logit of the right label, with ``logit_low`` and ``logit_high``.
        """
        import pandas as pd

        layers, heads, n = self.without.shape
        right = (self.whole >= 0) == (self.labels == 1)
        still = ((self.without >= 0) == (self.labels == 1)).reshape(-1, n)
        change, low, high, p = _accuracy_changes(right, still, self.labels, resamples, seed)
        logit, logit_low, logit_high = bootstrap_means(
            self.margin_change.reshape(-1, n), self.labels, resamples=resamples, seed=seed
        )
        place = np.indices((layers, heads)).reshape(2, -1)
        table = pd.DataFrame(
            {"layer": place[0], "head": place[1], "accuracy": self.accuracy.ravel(), "change": change}
            | {"low": low, "high": high, "p_holm": holm(p)}
            | {"logit": logit, "logit_low": logit_low, "logit_high": logit_high}
        )
        return table.sort_values("logit", kind="stable").reset_index(drop=True)


def _accuracy_changes(right, still, labels, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    """Change of accuracy from `right`, shape (texts,), to each row of `still`: mean, interval, exact McNemar p."""
    from scipy.stats import binomtest

    change, low, high = bootstrap_means(still.astype(float) - right, labels, resamples=resamples, seed=seed)
    lost, won = (right & ~still).sum(axis=1), (~right & still).sum(axis=1)
    p = [binomtest(int(a), int(a + b)).pvalue if a + b else 1.0 for a, b in zip(lost, won, strict=True)]
    return change, low, high, np.array(p)


def silence_each(
    texts: Sequence[str],
    labels: Sequence[int],
    classifier: Classifier,
) -> HeadEffects:
    """Switch off each head alone and predict all texts again.

    Parameters
    ----------
    texts, labels
        The texts and their labels, 0 or 1.
    classifier : Classifier

    Returns
    -------
    HeadEffects

    References
    ----------
    Michel, Levy and Neubig, Are Sixteen Heads Really Better than One?, 2019, section 3.2.
    """
    labels, _ = check_predictions(labels, np.zeros(len(texts)))
    whole = classifier.logits(texts)
    model = classifier.model
    without = np.empty((model.config.num_hidden_layers, model.config.num_attention_heads, len(texts)))
    for layer, head in progress_bar(all_heads(model), desc="silencing", unit="head"):
        with silenced(model, [(layer, head)]):
            without[layer, head] = classifier.logits(texts)
    return HeadEffects(labels, whole, without)


def head_importance(
    texts: Sequence[str],
    labels: Sequence[int],
    classifier: Classifier,
) -> np.ndarray:
    """How much the loss depends on each head, from one pass with gradients instead of one pass a head.

    The mean over the texts of the absolute derivative of a text's loss by the head's gate, each layer divided
    by its norm (Michel et al. 2019, equation 2 and section 4.1).

    Parameters
    ----------
    texts, labels, classifier
        As in :func:`silence_each`.

    Returns
    -------
    numpy.ndarray
        Shape ``(layers, heads)``, at least 0.
    """
    import torch

    labels, _ = check_predictions(labels, np.zeros(len(texts)))
    model, device = classifier.model, classifier.device
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    total = np.zeros((layers, heads))
    for rows, batch in classifier.batches(texts):
        gates = {layer: torch.ones(len(rows), heads, device=device, requires_grad=True) for layer in range(layers)}
        with eager(model), gated(model, gates), torch.enable_grad():
            logits = model(**batch).logits.float()
            wanted = torch.tensor(labels[rows], device=device)
            loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
            slopes = torch.autograd.grad(loss, list(gates.values()))
        total += torch.stack([slope.abs().sum(dim=0) for slope in slopes]).cpu().numpy()
    norm = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, norm, out=np.zeros_like(total), where=norm > 0)


def least_first(importance: np.ndarray) -> list[tuple[int, int]]:
    """Heads as ``(layer, head)``, ordered by an importance of shape ``(layers, heads)``, the least important first."""
    places = np.unravel_index(np.argsort(importance, axis=None, kind="stable"), importance.shape)
    return [(int(layer), int(head)) for layer, head in zip(*places, strict=True)]


def silence_in_order(
    order: Sequence[tuple[int, int]],
    counts: Sequence[int],
    texts: Sequence[str],
    labels: Sequence[int],
    classifier: Classifier,
) -> pd.DataFrame:
    """Switch off more and more heads and compare every step with the whole model.

    Parameters
    ----------
    order : sequence of (layer, head)
        The head that goes first, first.
    counts : sequence of int
        How many heads are off at each step.
    texts, labels, classifier
        As in :func:`silence_each`. The texts should be others than those the order was made on.

    Returns
    -------
    pandas.DataFrame
        A row a step: ``silenced``, ``accuracy``, ``change`` from the whole model with its 95 % interval ``low``
        and ``high`` (paired bootstrap), ``p`` of an exact McNemar test.

    Raises
    ------
    ArgumentError
        For a count above the number of heads in the order.
    """
    import pandas as pd

    if max(counts) > len(order) or min(counts) < 0:
        raise ArgumentError(f"counts go from {min(counts)} to {max(counts)}; the order has {len(order)} heads.")
    labels, _ = check_predictions(labels, np.zeros(len(texts)))
    right = (classifier.logits(texts) >= 0) == (labels == 1)
    still = np.empty((len(counts), len(texts)), dtype=bool)
    steps = progress_bar(zip(still, counts, strict=True), total=len(counts), desc="silencing", unit="step")
    for row, count in steps:
        with silenced(classifier.model, order[:count]):
            row[:] = (classifier.logits(texts) >= 0) == (labels == 1)
    change, low, high, p = _accuracy_changes(right, still, labels, resamples=10_000, seed=0)
    columns = {"silenced": list(counts), "accuracy": still.mean(axis=1), "change": change}
    return pd.DataFrame(columns | {"low": low, "high": high, "p": p})


def heads_without_loss(curve: pd.DataFrame, level: float = 0.05) -> int:
    """How many heads go before the first step of :func:`silence_in_order` whose accuracy is lower and `p` < level.

    That a loss is not significant does not say that there is none: with more texts, fewer heads go.
    """
    lost = (curve["change"] < 0) & (curve["p"] < level)
    before = curve["silenced"][: int(lost.to_numpy().argmax())] if lost.any() else curve["silenced"]
    return int(before.max()) if len(before) else 0
