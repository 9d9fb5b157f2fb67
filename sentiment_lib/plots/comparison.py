"""Figures of lessons 02, 04 and 08 that compare models, slices, words or experiments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import ArrayLike

from .style import BLUE, GREY, ORANGE, DescribedFigure, in_house_style, looks, new_figure

if TYPE_CHECKING:
    from ..attention.attribution import WordEffects  # needs torch


@in_house_style
def intervals(
    table: pd.DataFrame,
    *,
    title: str,
    xlabel: str,
    line: float | None = None,
    line_label: str = "",
    dots: Sequence[Sequence[float]] | None = None,
    pale: ArrayLike | None = None,
) -> DescribedFigure:
    """Estimates with their intervals, one per row, from top to bottom.

    Parameters
    ----------
    table : pandas.DataFrame
        Index: the rows' names. Columns ``estimate``, ``low``, ``high`` and optionally ``count``.
    line : float, optional
        A value to compare with, drawn as a vertical line with the label `line_label`.
    dots : sequence of sequences of float, optional
        Single runs behind each estimate.
    pale : array of bool, optional
        Rows drawn in grey, because they say too little.
    """
    figure, ((axis,),) = new_figure(7.6, 1.3 + 0.36 * len(table))
    y = np.arange(len(table))
    grey = np.zeros(len(table), dtype=bool) if pale is None else np.asarray(pale)
    for color, rows in ((BLUE, ~grey), (GREY, grey)):
        part = table[rows]
        spread = [part["estimate"] - part["low"], part["high"] - part["estimate"]]
        axis.errorbar(part["estimate"], y[rows], xerr=spread, fmt="o", color=color, capsize=3, lw=1.8, ms=6)
    for height, values in zip(y, dots if dots is not None else [], strict=False):
        axis.plot(values, np.full(len(values), height + 0.22), "|", color=ORANGE, ms=8, mew=1.6)
    if line is not None:
        axis.axvline(line, color=GREY, ls="--", lw=1.2, label=line_label)
        if line_label:
            axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=9.5)
    names = [str(name) for name in table.index]
    if "count" in table:
        names = [f"{name}  (n = {count:,})" for name, count in zip(names, table["count"], strict=True)]
    _name_rows(axis, names)
    axis.set_xlabel(xlabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    named = "; ".join(
        f"{name} {row.estimate:.3f}" + ("" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]")
        for name, row in zip(names, table.itertuples(), strict=True)
    )
    figure.alt = f"{title} ({xlabel}), estimates with 95 % intervals: {named}."
    return figure


def _name_rows(axis: Any, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(False, axis="y")


def _wrapped(names: Iterable[Any], width: int) -> list[str]:
    return [textwrap.fill(str(name), width) for name in names]


@in_house_style
def agreement(table: pd.DataFrame) -> DescribedFigure:
    """How many texts the model of a row gets right that the model of a column gets wrong.

    Parameters
    ----------
    table : pandas.DataFrame
        Square; index and columns are models, values numbers of texts.
    """
    figure, ((axis,),) = new_figure(7.4, 4)
    axis.grid(False)
    counts = table.to_numpy()
    mask = np.eye(len(table), dtype=bool)
    sns.heatmap(
        table, ax=axis, annot=True, fmt=".0f", cmap="Blues", vmin=0, mask=mask, linewidths=1,
        cbar_kws={"label": "reviews"}, xticklabels=_wrapped(table.columns, 11),
    )  # fmt: skip
    axis.tick_params(axis="x", rotation=0, length=0, labelsize=9.5)
    axis.tick_params(axis="y", rotation=0, length=0)
    axis.set(xlabel="wrong", ylabel="right", title="The row is right where the column is wrong")
    row, column = np.unravel_index(int(np.where(mask, -1, counts).argmax()), counts.shape)
    figure.alt = (
        f"Table of {len(table)} models: how many reviews one gets right that another gets wrong. The largest "
        f"number is {counts[row, column]:.0f}: {table.index[row]} right, {table.columns[column]} wrong."
    )
    return figure


@in_house_style
def failure_rates(table: pd.DataFrame) -> DescribedFigure:
    """Failure rates of behavioural tests: one row per capability, one column per model, values from 0 to 1."""
    figure, ((axis,),) = new_figure(3.6 + 1.25 * table.shape[1], 1.6 + 0.34 * len(table))
    axis.grid(False)
    sns.heatmap(
        table, ax=axis, annot=True, fmt=".0%", cmap="Oranges", vmin=0, vmax=1, linewidths=1,
        xticklabels=_wrapped(table.columns, 14),
        cbar_kws={"label": "failure rate", "format": lambda value, _: f"{value:.0%}"},
    )  # fmt: skip
    axis.tick_params(axis="x", rotation=0, length=0)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.tick_top()
    axis.set(xlabel="", ylabel="capability")
    worst = "; ".join(f"{name}: {table[name].idxmax()} ({table[name].max():.0%})" for name in table)
    figure.alt = (
        f"Failure rates of {len(table)} behavioural tests for {table.shape[1]} models. Worst of each model: {worst}."
    )
    return figure


@in_house_style
def word_effects(effects: WordEffects) -> DescribedFigure:
    """What each word of a text does to the logit of positive: blue supports positive, orange negative."""
    figure, ((axis,),) = new_figure(6.4, 1.5 + 0.26 * len(effects.words))
    values = np.array(effects.effects)
    axis.barh(range(len(values)), values, color=np.where(values > 0, BLUE, ORANGE))
    axis.axvline(0, color=GREY, lw=1)
    _name_rows(axis, effects.words)
    axis.set_xlabel("change of the logit of positive by this word")
    axis.set_title(f"Probability of positive: {effects.probability:.3f}")
    strongest = int(np.abs(values).argmax())
    figure.alt = (
        f"Bars: what each of {len(effects.words)} words does to the logit of positive, found by leaving it out. The "
        f"strongest is {effects.words[strongest]!r} with {values[strongest]:+.2f}; the probability of "
        f"positive is {effects.probability:.3f}."
    )
    return figure


@in_house_style
def learning_curve(
    summary: pd.DataFrame, runs: pd.DataFrame, *, by: str, title: str, measure: str = "accuracy"
) -> DescribedFigure:
    """A measure against the number of training reviews, one line per method, with single runs as small dots.

    Parameters
    ----------
    summary : pandas.DataFrame
        From :func:`sentiment_lib.experiments.summarise`: `by`, ``train_size``, ``runs``, ``mean``, ``low``,
        ``high``.
    runs : pandas.DataFrame
        The single runs: `by`, ``train_size`` and `measure`.
    by : str
        Column that names the lines.
    """
    figure, ((axis,),) = new_figure(7.4, 4.6)
    summary = summary.sort_values("train_size")
    # sorted by where the lines end, so that the legend has the order of the figure
    names = summary.groupby(by)["mean"].last().sort_values(ascending=False).index
    for i, (name, (color, marker)) in enumerate(looks(names).items()):
        line = summary[summary[by] == name]
        shift = 1.04 ** (i - len(names) / 2 + 0.5)  # so that intervals at one size do not hide each other
        x = line["train_size"] * shift
        axis.plot(x, line["mean"], color=color, marker=marker, ms=6, lw=2, label=name)
        known = line["low"].notna()
        spread = [(line["mean"] - line["low"])[known], (line["high"] - line["mean"])[known]]
        axis.errorbar(x[known], line["mean"][known], yerr=spread, fmt="none", ecolor=color, capsize=3, lw=1.2)
        points = runs[runs[by] == name]
        axis.plot(points["train_size"] * shift, points[measure], ".", color=color, ms=4, alpha=0.5)
    sizes = sorted(set(summary["train_size"]))
    axis.set_xscale("log")
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axis.minorticks_off()
    worst = runs[measure].min()
    bottom = max(worst - 0.15, min(worst, summary["low"].min()) - 0.02)  # a very long interval may leave the figure
    axis.set(xlabel="training reviews", ylabel=f"{measure} on test", title=title, ylim=(max(0, bottom), None))
    axis.legend(loc="lower right")
    ends = summary.groupby(by, sort=False)["mean"].agg(["first", "last"])
    named = "; ".join(f"{name} from {row['first']:.3f} to {row['last']:.3f}" for name, row in ends.iterrows())
    figure.alt = f"Learning curves, {measure} on test from {min(sizes):,} to {max(sizes):,} training reviews: {named}."
    return figure
