"""Figures of lessons 02, 04 and 07 that set models, slices, words or experiments side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREY, ORANGE, in_house_style, looks, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..attention.attribution import WordEffects


@in_house_style
def intervals(
    table: pd.DataFrame,
    *,
    title: str,
    xlabel: str,
    line: float | None = None,
    line_label: str = "",
    dots: Sequence[Sequence[float]] | None = None,
    pale: Sequence[bool] | None = None,
) -> Figure:
    """Estimates with their intervals, one a row, from top to bottom.

    Parameters
    ----------
    table : pandas.DataFrame
        Index: what a row is about. Columns ``estimate``, ``low``, ``high`` and, if there is one, ``count``.
    title, xlabel : str
    line : float, optional
        A value to compare with, drawn as a vertical line and named `line_label`.
    dots : sequence of sequences of float, optional
        Single runs behind each estimate.
    pale : sequence of bool, optional
        Rows drawn in grey, because they say too little.
    """
    figure, ((axis,),) = new_figure(7.6, 1.3 + 0.36 * len(table))
    place = np.arange(len(table))
    pale = np.zeros(len(table), dtype=bool) if pale is None else np.asarray(pale)
    for color, rows in ((BLUE, ~pale), (GREY, pale)):
        part = table[rows]
        spread = [part["estimate"] - part["low"], part["high"] - part["estimate"]]
        axis.errorbar(part["estimate"], place[rows], xerr=spread, fmt="o", color=color, capsize=3, lw=1.8, ms=6)
    for at, values in zip(place, dots if dots is not None else [], strict=False):
        axis.plot(values, np.full(len(values), at + 0.22), "|", color=ORANGE, ms=8, mew=1.6)
    if line is not None:
        axis.axvline(line, color=GREY, ls="--", lw=1.2, label=line_label)
        axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=9.5) if line_label else None
    names = [str(name) for name in table.index]
    if "count" in table:
        names = [f"{name}  (n = {count:,})" for name, count in zip(names, table["count"], strict=True)]
    axis.set_yticks(place, names)
    axis.set_ylim(len(table) - 0.4, -0.6)
    axis.grid(False, axis="y")
    axis.set_xlabel(xlabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    rows = "; ".join(
        f"{name} {row.estimate:.3f}" + ("" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]")
        for name, row in zip(names, table.itertuples(), strict=True)
    )
    figure.alt = f"{title} ({xlabel}), estimates with 95 % intervals: {rows}."
    return figure


@in_house_style
def agreement(table: pd.DataFrame) -> Figure:
    """How many texts the model of a row gets right that the model of a column gets wrong.

    Parameters
    ----------
    table : pandas.DataFrame
        Square; index and columns are models, values numbers of texts.
    """
    import seaborn as sns

    figure, ((axis,),) = new_figure(7.4, 4)
    axis.grid(False)
    counts = table.to_numpy()
    mask = np.eye(len(table), dtype=bool)
    sns.heatmap(
        table, ax=axis, annot=True, fmt=".0f", cmap="Blues", vmin=0, mask=mask, linewidths=1,
        cbar_kws={"label": "reviews"}, xticklabels=[textwrap.fill(str(name), 11) for name in table.columns],
    )  # fmt: skip
    axis.tick_params(axis="x", rotation=0, length=0, labelsize=9.5)
    axis.tick_params(axis="y", rotation=0, length=0)
    axis.set(xlabel="wrong", ylabel="right", title="The row is right where the column is wrong")
    most = np.unravel_index(int(np.where(mask, -1, counts).argmax()), counts.shape)
    figure.alt = (
        f"Table of {len(table)} models: how many reviews one gets right that another gets wrong. The largest "
        f"number is {counts[most]:.0f}: {table.index[most[0]]} right, {table.columns[most[1]]} wrong."
    )
    return figure


@in_house_style
def failure_rates(table: pd.DataFrame) -> Figure:
    """Failure rates of behavioural tests: a row a capability, a column a model, values from 0 to 1."""
    import seaborn as sns

    figure, ((axis,),) = new_figure(3.6 + 1.25 * table.shape[1], 1.6 + 0.34 * len(table))
    axis.grid(False)
    sns.heatmap(
        table, ax=axis, annot=True, fmt=".0%", cmap="Oranges", vmin=0, vmax=1, linewidths=1,
        xticklabels=[textwrap.fill(str(name), 14) for name in table.columns],
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
def word_effects(effects: WordEffects) -> Figure:
    """What each word of a text does to the logit of positive: blue speaks for positive, orange for negative."""
    figure, ((axis,),) = new_figure(6.4, 1.5 + 0.26 * len(effects.words))
    place = np.arange(len(effects.words))
    axis.barh(place, effects.effects, color=[BLUE if effect > 0 else ORANGE for effect in effects.effects])
    axis.axvline(0, color=GREY, lw=1)
    # a dollar sign would begin a formula
    axis.set_yticks(place, [word.replace("$", r"\$") for word in effects.words])
    axis.set_ylim(len(place) - 0.4, -0.6)
    axis.grid(False, axis="y")
    axis.set(
        xlabel="change of the logit of positive by this word",
        title=f"Probability of positive: {effects.probability:.3f}",
    )
    strongest = int(np.argmax(np.abs(effects.effects)))
    figure.alt = (
        f"Bars: what each of {len(effects.words)} words does to the logit of positive, found by leaving it out. The "
        f"strongest is {effects.words[strongest]!r} with {effects.effects[strongest]:+.2f}; the probability of "
        f"positive is {effects.probability:.3f}."
    )
    return figure


@in_house_style
def learning_curve(
    summary: pd.DataFrame, runs: pd.DataFrame, *, by: str, title: str, measure: str = "accuracy"
) -> Figure:
    """A measure against the number of training reviews, a line a method, with single runs as small dots.

    Parameters
    ----------
    summary : pandas.DataFrame
        From :func:`sentiment_lib.experiments.summarise`: `by`, ``train_size``, ``runs``, ``mean``, ``low``,
        ``high``.
    runs : pandas.DataFrame
        The single runs: `by`, ``train_size`` and `measure`.
    by : str
        Column that names the lines.
    title, measure : str
    """
    figure, ((axis,),) = new_figure(7.4, 4.6)
    # in the order in which the lines end, so that the legend reads as the figure does
    names = summary.sort_values("train_size").groupby(by)["mean"].last().sort_values(ascending=False).index
    for i, (name, (color, marker)) in enumerate(looks(names).items()):
        line = summary[summary[by] == name].sort_values("train_size")
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
    bottom = max(worst - 0.15, min(worst, summary["low"].min()) - 0.02)  # a very long interval may leave the picture
    axis.set(xlabel="training reviews", ylabel=f"{measure} on test", title=title, ylim=(max(0, bottom), None))
    axis.legend(loc="lower right")
    ends = summary.sort_values("train_size").groupby(by, sort=False)["mean"].agg(["first", "last"])
    said = "; ".join(f"{name} from {row['first']:.3f} to {row['last']:.3f}" for name, row in ends.iterrows())
    figure.alt = f"Learning curves, {measure} on test from {min(sizes):,} to {max(sizes):,} training reviews: {said}."
    return figure
