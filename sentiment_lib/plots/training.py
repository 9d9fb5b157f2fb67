"""Figures of lessons 01 and 03: lengths of reviews, and training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREEN, GREY, ORANGE, in_house_style, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@in_house_style
def review_lengths(lengths: dict[str, Sequence[int]], max_length: int) -> Figure:
    """Histogram of review lengths in tokens, a line a split, with the limit where reviews are cut."""
    figure, ((axis,),) = new_figure(7, 3.8)
    longest = max(max(values) for values in lengths.values())
    bins = np.histogram_bin_edges([0, min(longest, 6 * max_length)], bins=40)
    for (split, values), color in zip(lengths.items(), (BLUE, ORANGE, GREEN), strict=False):
        weights = np.full(len(values), 100 / len(values))
        clipped = np.minimum(values, bins[-1])
        axis.hist(clipped, bins, weights=weights, histtype="step", lw=2, color=color, label=split)
    axis.axvline(max_length, color=GREY, ls="--")
    axis.annotate(
        f"limit: {max_length} tokens",
        (max_length, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0) if max_length > bins[-1] / 2 else (6, 0),
        textcoords="offset points",
        ha="right" if max_length > bins[-1] / 2 else "left",
        va="top",
        color=GREY,
    )
    axis.set(xlabel="length of a review (tokens)", ylabel="share of the split (%)", title="How long are the reviews?")
    if longest > bins[-1]:
        axis.set_xlabel(f"length of a review (tokens; longer than {bins[-1]:.0f} counted in the last bar)")
    axis.legend(loc="center right")
    cut = 100 * np.mean(np.concatenate([np.asarray(v) for v in lengths.values()]) > max_length)
    medians = ", ".join(f"{split} {np.median(v):.0f}" for split, v in lengths.items())
    figure.alt = (
        f"Histogram of review lengths. Median tokens: {medians}. {cut:.1f} % of all reviews are longer than "
        f"the limit of {max_length} tokens."
    )
    return figure


@in_house_style
def training_curve(
    history: pd.DataFrame, majority_accuracy: float | None = None, untrained_accuracy: float | None = None
) -> Figure:
    """Training and validation loss, and validation accuracy, against epochs.

    Parameters
    ----------
    history : pandas.DataFrame
        From :class:`sentiment_lib.model.TrainingResult`.
    majority_accuracy : float, optional
        What always guessing the most frequent label reaches, drawn as the line to beat.
    untrained_accuracy : float, optional
        What the model reached before training, drawn at epoch 0.
    """
    figure, ((left, right),) = new_figure(9, 3.8, columns=2)
    train, validation = history.dropna(subset="loss"), history.dropna(subset="validation_loss")
    left.plot(train["epoch"], train["loss"], color=BLUE, lw=2, label="training")
    left.plot(validation["epoch"], validation["validation_loss"], "o-", color=ORANGE, lw=2, label="validation")
    left.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="Loss", ylim=(0, None))
    left.legend()
    epochs, accuracy = validation["epoch"].tolist(), validation["validation_accuracy"].tolist()
    if untrained_accuracy is not None:
        epochs, accuracy = [0, *epochs], [untrained_accuracy, *accuracy]
    right.plot(epochs, accuracy, "o-", color=ORANGE, lw=2, label="validation")
    if majority_accuracy is not None:
        right.axhline(majority_accuracy, color=GREY, ls="--", label="always the same answer")
    right.set(xlabel="epoch", ylabel="accuracy", title="Accuracy", ylim=(min(0.45, right.get_ylim()[0]), 1))
    right.legend(loc="lower right")
    last = validation.iloc[-1]
    figure.alt = (
        f"Training curves. Training loss falls from {train['loss'].iloc[0]:.2f} to {train['loss'].iloc[-1]:.2f}; "
        f"after {last['epoch']:g} epochs validation loss is {last['validation_loss']:.2f} and validation "
        f"accuracy {last['validation_accuracy']:.3f}."
    )
    return figure
