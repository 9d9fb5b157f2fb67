"""Figures of lessons 01 and 03: lengths of reviews, and training."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .style import BLUE, GREEN, GREY, ORANGE, DescribedFigure, in_house_style, new_figure


@in_house_style
def review_lengths(lengths: Mapping[str, ArrayLike], max_length: int) -> DescribedFigure:
    """Histogram of review lengths in tokens, one line per split, with the limit where reviews are cut."""
    figure, ((axis,),) = new_figure(7, 3.8)
    tokens = {split: np.asarray(values) for split, values in lengths.items()}
    everything = np.concatenate(list(tokens.values()))
    bins = np.histogram_bin_edges([0, min(everything.max(), 6 * max_length)], bins=40)
    for (split, values), color in zip(tokens.items(), (BLUE, ORANGE, GREEN), strict=False):
        weights = np.full(len(values), 100 / len(values))
        clipped = np.minimum(values, bins[-1])
        axis.hist(clipped, bins, weights=weights, histtype="step", lw=2, color=color, label=split)
    axis.axvline(max_length, color=GREY, ls="--")
    left = max_length > bins[-1] / 2  # on the side of the line that has more room
    axis.annotate(
        f"limit: {max_length} tokens", (max_length, 0.97), xycoords=("data", "axes fraction"),
        xytext=(-6 if left else 6, 0), textcoords="offset points", ha="right" if left else "left", va="top", color=GREY,
    )  # fmt: skip
    axis.set(xlabel="length of a review (tokens)", ylabel="share of the split (%)", title="How long are the reviews?")
    if everything.max() > bins[-1]:
        axis.set_xlabel(f"length of a review (tokens; longer than {bins[-1]:.0f} counted in the last bar)")
    axis.legend(loc="center right")
    cut = 100 * np.mean(everything > max_length)
    medians = ", ".join(f"{split} {np.median(values):.0f}" for split, values in tokens.items())
    figure.alt = (
        f"Histogram of review lengths. Median tokens: {medians}. {cut:.1f} % of all reviews are longer than "
        f"the limit of {max_length} tokens."
    )
    return figure


@in_house_style
def training_curve(
    history: pd.DataFrame, majority_accuracy: float | None = None, untrained_accuracy: float | None = None
) -> DescribedFigure:
    """Training and validation loss, and validation accuracy, against epochs.

    Parameters
    ----------
    history : pandas.DataFrame
        From :class:`sentiment_lib.model.TrainingResult`.
    majority_accuracy : float, optional
        Accuracy of always guessing the most frequent label, drawn as the line to beat.
    untrained_accuracy : float, optional
        The model's accuracy before training, drawn at epoch 0.
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
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.12))
    last = validation.iloc[-1]
    figure.alt = (
        f"Training curves. Training loss falls from {train['loss'].iloc[0]:.2f} to {train['loss'].iloc[-1]:.2f}; "
        f"after {last['epoch']:g} epochs validation loss is {last['validation_loss']:.2f} and validation "
        f"accuracy {last['validation_accuracy']:.3f}."
    )
    return figure
