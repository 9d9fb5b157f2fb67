"""Which heads a prediction needs: each switched off alone, gradients, and more and more switched off (lesson 07)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike

from ..errors import ArgumentError
from ..evaluation.predictions import check_predictions
from ..evaluation.significance import holm, mcnemar
from ..evaluation.uncertainty import RESAMPLES, bootstrap_means
from ..model.encoder import first_token_only, layer_outputs_kept, layers_skipped
from ..model.inference import Classifier
from ..run.progress import progress_bar
from .maps import eager
from .silencing import all_heads, gated, silenced


@dataclass(frozen=True)
class HeadEffects:
    """What each head's absence does to the predictions for some texts.

    Attributes
    ----------
    labels : numpy.ndarray
        Shape ``(texts,)``.
    baseline : numpy.ndarray
        Logit of positive with all heads, shape ``(texts,)``.
    without : numpy.ndarray
        Logit of positive without a head, shape ``(layers, heads, texts)``.
    """

    labels: np.ndarray
    baseline: np.ndarray
    without: np.ndarray

    @property
    def margin_change(self) -> np.ndarray:
        """Change of the logit of the right label, shape ``(layers, heads, texts)``: below 0, the head had helped."""
        return (self.without - self.baseline) * np.where(self.labels == 1, 1, -1)

    @property
    def importance(self) -> np.ndarray:
        """Mean absolute change of the logit, shape ``(layers, heads)``: how much predictions depend on a head."""
        return np.abs(self.without - self.baseline).mean(axis=-1)

    def table(self, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
        """One row per head, the most needed first.

        Columns: ``layer``, ``head``; ``accuracy`` without it; ``change`` of the accuracy with its 95 % interval
        ``low`` and ``high`` (paired bootstrap); ``p_holm`` of an exact McNemar test, corrected for the number of
        heads; ``logit``, the mean change of the logit of the right label, with ``logit_low`` and ``logit_high``;
        ``moved``, the mean absolute change of the logit (:attr:`importance`).
        """
        layer, head = np.indices(self.without.shape[:2]).reshape(2, -1)
        logits = self.without.reshape(len(layer), -1)
        table = _accuracy_changes(self.baseline, logits, self.labels, resamples, seed)
        table["p_holm"] = holm(table.pop("p"))
        margins = self.margin_change.reshape(logits.shape)
        means = bootstrap_means(margins, self.labels, resamples=resamples, seed=seed)
        logit = dict(zip(("logit", "logit_low", "logit_high"), means, strict=True))
        moved = {"moved": self.importance.ravel()}
        frame = pd.DataFrame({"layer": layer, "head": head, **table, **logit, **moved})
        return frame.sort_values("logit", kind="stable", ignore_index=True)


def _right(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (logits >= 0) == (labels == 1)


def _accuracy_changes(
    baseline: np.ndarray, logits: np.ndarray, labels: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Sequence]:
    """Columns ``accuracy``, ``change``, ``low``, ``high``, ``p``: each row of `logits` against `baseline`, (texts,)."""
    before, after = _right(baseline, labels), _right(logits, labels)
    change, low, high = bootstrap_means(after.astype(float) - before, labels, resamples=resamples, seed=seed)
    lost, gained = (before & ~after).sum(axis=1), (~before & after).sum(axis=1)
    p = [mcnemar(*counts) for counts in zip(lost, gained, strict=True)]
    return {"accuracy": after.mean(axis=1), "change": change, "low": low, "high": high, "p": p}


def _checked(labels: ArrayLike, texts: Sequence[str]) -> np.ndarray:
    return check_predictions(labels, np.zeros(len(texts)))[0]


def silence_each(texts: Sequence[str], labels: ArrayLike, classifier: Classifier) -> HeadEffects:
    """Switch off each head alone and predict all texts, whose labels are 0 or 1, again.

    The method is that of Michel, Levy and Neubig (Are Sixteen Heads Really Better than One?, 2019, section 3.2).
    """
    labels, model = _checked(labels, texts), classifier.model
    heads = all_heads(model)
    baseline, *without = silence_sets([[], *([head] for head in heads)], texts, classifier)
    shape = model.config.num_hidden_layers, model.config.num_attention_heads, len(texts)
    return HeadEffects(labels, baseline, np.stack(without).reshape(shape))


def head_importance(texts: Sequence[str], labels: ArrayLike, classifier: Classifier) -> np.ndarray:
    """How much the loss depends on each head, from one pass with gradients instead of one pass per head.

    Shape ``(layers, heads)``, at least 0: the mean over the texts of the absolute derivative of a text's loss with
    respect to the head's gate, each layer divided by its norm (Michel et al. 2019, equation 2 and section 4.1).
    """
    labels, model, device = _checked(labels, texts), classifier.model, classifier.device
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
    order = np.argsort(importance, axis=None, kind="stable").tolist()
    return [divmod(i, importance.shape[1]) for i in order]


def silence_sets(sets: Sequence[Sequence[tuple[int, int]]], texts: Sequence[str], classifier: Classifier) -> np.ndarray:
    """The logit of positive for each text with each of some sets of heads ``(layer, head)`` switched off.

    Returns
    -------
    numpy.ndarray
        Shape ``(sets, texts)``.
    """
    model = classifier.model

    def without_each(batch):
        with layer_outputs_kept(model) as kept:
            complete = classifier.difference(batch)
        kept, found = dict(kept), []
        for heads in sets:
            if heads:  # layers below the first head are not computed again
                with layers_skipped(model, kept, min(layer for layer, _ in heads)), silenced(model, heads):
                    found.append(classifier.difference(batch))
            else:
                found.append(complete)
        bar.update(len(complete))
        return torch.stack(found, dim=1)

    with progress_bar(total=len(texts), desc="silencing", unit="text") as bar, first_token_only(model):
        return classifier.compute(without_each, len(sets), texts).T


def random_sets(
    heads: Sequence[tuple[int, int]], size: int, count: int, *, like: Sequence[tuple[int, int]] = (), seed: int = 0
) -> list[list[tuple[int, int]]]:
    """Sets of heads drawn at random, to compare a chosen set with.

    Parameters
    ----------
    heads : sequence of (layer, head)
        From which they are drawn, such as :func:`all_heads`.
    size, count : int
        How many heads a set has, and how many sets there are.
    like : sequence of (layer, head), optional
        A set whose number of heads in each layer every set should have; its size must be `size`.
    """
    rng = np.random.default_rng(seed)
    pools = {layer: [head for head in heads if head[0] == layer] for layer, _ in heads}
    wanted = Counter(layer for layer, _ in like)
    if like and (wanted.total() != size or any(n > len(pools.get(layer, ())) for layer, n in wanted.items())):
        raise ArgumentError(f"like has {len(like)} heads, not {size}, or more of a layer than there are.")
    if size > len(heads):
        raise ArgumentError(f"size={size} is more than the {len(heads)} heads that there are.")

    def draw(pool: Sequence[tuple[int, int]], n: int) -> list[tuple[int, int]]:
        return [pool[i] for i in rng.choice(len(pool), n, replace=False)]

    if like:
        return [[head for layer, n in wanted.items() for head in draw(pools[layer], n)] for _ in range(count)]
    return [draw(heads, size) for _ in range(count)]


def chance_of(found: float, by_chance: ArrayLike) -> float:
    """How often chance gives at least as much as was found: (1 + as many) / (1 + draws), one-sided.

    The found value counts as one of the draws, so the result is never 0 (Phipson and Smyth, Permutation p-values should
    never be zero, Statistical Applications in Genetics and Molecular Biology 2010).
    """
    draws = np.asarray(by_chance, dtype=float)
    return float((1 + (draws >= found).sum()) / (1 + draws.size))


def silence_in_order(
    order: Sequence[tuple[int, int]],
    counts: Sequence[int],
    texts: Sequence[str],
    labels: ArrayLike,
    classifier: Classifier,
) -> pd.DataFrame:
    """Switch off more and more heads and compare every step with the complete model.

    Parameters
    ----------
    order : sequence of (layer, head)
        The head to switch off first comes first.
    counts : sequence of int
        How many heads are off at each step.
    texts, labels
        As in :func:`silence_each`. The texts should differ from those the order was made on.

    Returns
    -------
    pandas.DataFrame
        One row per step: ``silenced``, ``accuracy``, ``change`` from the complete model with its 95 % interval
        ``low`` and ``high`` (paired bootstrap), ``p`` of an exact McNemar test.

    Raises
    ------
    ArgumentError
        If a count exceeds the number of heads in the order.
    """
    if max(counts) > len(order) or min(counts) < 0:
        raise ArgumentError(f"counts go from {min(counts)} to {max(counts)}; the order has {len(order)} heads.")
    labels = _checked(labels, texts)
    baseline, *logits = silence_sets([[], *(order[:count] for count in counts)], texts, classifier)
    return pd.DataFrame({"silenced": list(counts)} | _accuracy_changes(baseline, np.stack(logits), labels))
