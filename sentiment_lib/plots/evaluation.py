"""Figures of lesson 04: counts, curves, thresholds, calibration."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import ArrayLike

from ..data.labels import LABEL_NAMES
from ..evaluation.metrics import ThresholdChoice
from .style import BLUE, GREEN, GREY, ORANGE, DescribedFigure, in_house_style, looks, new_figure


@in_house_style
def confusion_matrix(matrix: ArrayLike) -> DescribedFigure:
    """Counts and row shares of true against predicted labels; shape ``(2, 2)``, rows true, negative first."""
    counts = np.asarray(matrix)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = np.array([[f"{counts[i, j]:,}\n{share[i, j]:.1%}" for j in (0, 1)] for i in (0, 1)])
    figure, ((axis,),) = new_figure(5, 4.2)
    axis.grid(False)
    sns.heatmap(
        share, ax=axis, annot=text, fmt="", cmap="Blues", vmin=0, vmax=1, square=True, xticklabels=LABEL_NAMES,
        yticklabels=LABEL_NAMES, cbar_kws={"label": "share of the true label"},
    )  # fmt: skip
    axis.set(xlabel="predicted", ylabel="true", title=f"{counts.trace():,} of {counts.sum():,} right")
    figure.alt = (
        f"Confusion matrix. Of {counts[0].sum()} negative reviews {counts[0, 0]} were called negative and "
        f"{counts[0, 1]} positive; of {counts[1].sum()} positive ones {counts[1, 1]} positive and "
        f"{counts[1, 0]} negative."
    )
    return figure


@in_house_style
def probability_histogram(labels: ArrayLike, probabilities: ArrayLike) -> DescribedFigure:
    """Distribution of the predicted probabilities of negative and of positive reviews."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    figure, ((axis,),) = new_figure(6.4, 3.4)
    for label, color, hatch in ((0, ORANGE, "//"), (1, BLUE, "")):
        axis.hist(
            probabilities[labels == label], np.linspace(0, 1, 26), histtype="stepfilled", alpha=0.45, hatch=hatch,
            color=color, edgecolor=color, label=f"truly {LABEL_NAMES[label]}",
        )  # fmt: skip
    axis.axvline(0.5, color=GREY, ls="--")
    axis.set(xlabel="predicted probability of positive", ylabel="reviews", title="How sure is the model?")
    axis.legend(loc="upper center")
    unsure = float(np.mean((probabilities > 0.2) & (probabilities < 0.8)))
    figure.alt = f"Histogram of predicted probabilities by true label; {unsure:.0%} lie between 0.2 and 0.8."
    return figure


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


@in_house_style
def precision_recall_curve(
    curves: Mapping[str, pd.DataFrame], areas: Mapping[str, float], base_rate: float
) -> DescribedFigure:
    """Precision against recall of the positive class, one line per model, with lines of equal F1.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        Name of each model and its :func:`sentiment_lib.evaluation.precision_recall_curve`, the main one first.
    areas : mapping of str to float
        Average precision of each.
    base_rate : float
        Share of positive reviews: the precision of guessing.
    """
    figure, ((axis,),) = new_figure(6.6, 4.8)
    bottom = max(0.0, base_rate - 0.06)
    for f1 in (0.6, 0.7, 0.8, 0.9):
        recall = np.linspace(f1 / 2 + 0.001, 1, 200)
        axis.plot(recall, f1 * recall / (2 * recall - f1), color="#C8C8C8", lw=1, ls=":", zorder=1)
        end = f1 / (2 - f1)  # precision at recall 1
        if end > bottom:
            axis.annotate(
                f"F1 = {f1}", (1.0, end), xytext=(3, 0), textcoords="offset points", va="center", fontsize=9,
                color=GREY, annotation_clip=False,
            )  # fmt: skip
    for name, (color, _) in looks(curves).items():
        curve = curves[name]
        label = f"{name} (AP = {areas[name]:.3f})"
        axis.step(curve["recall"], curve["precision"], where="post", color=color, lw=2, label=label)
        at_half = curve[curve["threshold"] >= 0.5].head(1)
        axis.plot(at_half["recall"], at_half["precision"], "o", color=color, ms=7, mec="white", zorder=3)
    axis.axhline(base_rate, color=GREY, ls="--", label=f"guessing (AP = {base_rate:.3f})")
    axis.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1), ylim=(bottom, 1.02))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 0.13), fontsize=9.5, frameon=True, edgecolor="none")
    figure.alt = (
        f"Precision-recall curves of the positive class with lines of equal F1. Average precision: {_listed(areas)}; "
        f"guessing {base_rate:.3f}. A dot marks the threshold one half."
    )
    return figure


@in_house_style
def roc_curve(curves: Mapping[str, pd.DataFrame], areas: Mapping[str, float]) -> DescribedFigure:
    """ROC curves, one line per model, and the diagonal of guessing.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        Name of each model and its :func:`sentiment_lib.evaluation.roc_curve`.
    areas : mapping of str to float
        Area under each curve.
    """
    figure, ((axis,),) = new_figure(5.2, 4.8)
    for name, (color, _) in looks(curves).items():
        rates = curves[name]["false_positive_rate"], curves[name]["true_positive_rate"]
        axis.plot(*rates, color=color, lw=2, label=f"{name} ({areas[name]:.3f})")
    axis.plot([0, 1], [0, 1], color=GREY, ls="--", label="guessing (0.500)")
    axis.set(xlabel="negatives wrongly called positive (share)", ylabel="positives found (share)", title="ROC")
    axis.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    axis.legend(loc="lower right", fontsize=9.5, title="area under the curve", title_fontsize=9.5)
    figure.alt = f"ROC curves. Area under the curve: {_listed(areas)}; guessing 0.500."
    return figure


@in_house_style
def thresholds(curve: pd.DataFrame, choices: Sequence[ThresholdChoice]) -> DescribedFigure:
    """Precision, recall and F1 against the threshold, with the chosen thresholds.

    Parameters
    ----------
    curve : pandas.DataFrame
        From :func:`sentiment_lib.evaluation.precision_recall_curve`, of the validation split.
    """
    figure, ((axis,),) = new_figure(6.8, 4)
    curve = curve.dropna()
    f1 = 2 * curve["precision"] * curve["recall"] / (curve["precision"] + curve["recall"])
    lines = {"precision": (curve["precision"], BLUE), "recall": (curve["recall"], ORANGE), "F1": (f1, GREEN)}
    for name, (values, color) in lines.items():
        axis.plot(curve["threshold"], values, color=color, lw=2, label=name)
    for height, choice in zip((0.02, 0.1, 0.18), choices, strict=False):
        axis.axvline(choice.threshold, color=GREY, ls="--", lw=1.2)
        axis.annotate(
            f" {choice.aim}: {choice.threshold:.2f} ", (choice.threshold, height), xycoords=("data", "axes fraction"),
            ha="right" if choice.threshold > 0.5 else "left", fontsize=9.5, color="#444444",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    axis.set(xlabel="threshold", ylabel="on the validation split", title="What a threshold trades", xlim=(0, 1))
    axis.set_ylim(min(0.4, curve["precision"].min() - 0.02), 1.01)
    axis.legend(loc="lower center", ncols=3, bbox_to_anchor=(0.5, 0.25))
    named = "; ".join(f"{choice.aim} at {choice.threshold:.3f}" for choice in choices)
    figure.alt = f"Precision, recall and F1 on the validation split against the threshold. Chosen: {named}."
    return figure


@in_house_style
def reliability_diagram(tables: Mapping[str, pd.DataFrame], errors: Mapping[str, float]) -> DescribedFigure:
    """Observed against predicted share of positives with 95 % intervals, and below it the number of texts per bin.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        For each panel its title and a table from :func:`sentiment_lib.evaluation.reliability`.
    errors : mapping of str to float
        Expected calibration error of each.
    """
    figure, axes = new_figure(3.7 * len(tables) + 0.4, 4.8, 2, len(tables), height_ratios=[3, 1])
    for (upper, lower), (name, table) in zip(axes.T, tables.items(), strict=True):
        upper.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="perfect")
        spread = [table["observed"] - table["low"], table["high"] - table["observed"]]
        upper.errorbar(
            table["probability"], table["observed"], np.clip(spread, 0, None), fmt="o-", color=BLUE, capsize=2, lw=1.5,
            ms=5, label="this model",
        )  # fmt: skip
        upper.set(title=f"{name}: error {errors[name]:.3f}", xlim=(0, 1), ylim=(-0.02, 1.02))
        upper.legend(loc="upper left")
        lower.bar(table["probability"], table["count"], width=0.03, color=BLUE)
        for top in zip(table["probability"], table["count"], strict=True):
            lower.annotate(f"{top[1]}", top, xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
        lower.set(xlim=(0, 1), xlabel="predicted probability of positive", ylim=(0, 1.25 * table["count"].max()))
    axes[0, 0].set_ylabel("observed share of positives")
    axes[1, 0].set_ylabel("reviews")
    figure.alt = (
        f"Reliability diagrams with the number of reviews a bin. Expected calibration error: {_listed(errors)}."
    )
    return figure
