"""Figures of lesson 06: what heads do, which are needed, and which words explanations name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..attention.attribution import UNSIGNED
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW, in_house_style, looks, new_figure, signed_colors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..attention.attribution import WordEffects


@in_house_style
def head_maps(
    maps: Mapping[str, np.ndarray], *, columns: int = 3, signed: bool = False, decimals: int | None = None
) -> Figure:
    """Values of every head, each as a small map: a row a layer, a column a head.

    Parameters
    ----------
    maps : mapping of str to array of float, shape (layers, heads)
        The maps with their titles; each has a colour scale of its own.
    columns : int
        Maps beside each other.
    signed : bool
        Blue above 0, orange below.
    decimals : int, optional
        Write the values into the cells, too.
    """
    layers, heads = next(iter(maps.values())).shape
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    wide = 0.42 if decimals is not None else 0.19
    figure, axes = new_figure(columns * (1.2 + wide * heads), rows * max(2.2, 0.9 + 0.28 * layers), rows, columns)
    for axis in axes.flat[len(maps) :]:
        axis.set_visible(False)
    said = []
    for axis, (title, values) in zip(axes.flat, maps.items(), strict=False):
        top = max(float(np.abs(values).max()), 1e-9)
        look = {"cmap": signed_colors(), "vmin": -top, "vmax": top} if signed else {"cmap": "viridis"}
        image = axis.imshow(values, aspect="auto", **look)
        if decimals is not None:
            for (layer, head), value in np.ndenumerate(values):
                dark = image.norm(value) < 0.55 and not signed
                color = "white" if dark else "black"
                axis.text(head, layer, f"{value:.{decimals}f}", ha="center", va="center", fontsize=7, color=color)
        axis.grid(False)
        axis.set_xticks(range(0, heads, max(1, heads // 6)))
        axis.set_yticks(range(layers))
        axis.set(title=title, xlabel="head", ylabel="layer")
        figure.colorbar(image, ax=axis, shrink=0.9)
        strongest = np.abs(values) if signed else values
        layer, head = np.unravel_index(int(strongest.argmax()), values.shape)
        said.append(f"{title}: most in layer {layer}, head {head} ({values[layer, head]:.2f})")
    figure.alt = f"Maps of {layers} layers with {heads} heads each. {'; '.join(said)}."
    return figure


@in_house_style
def head_clusters(points: np.ndarray, kinds: np.ndarray) -> Figure:
    """Heads as points: near each other where they look alike. Colour: what a head does; number: its layer.

    Parameters
    ----------
    points : array of float, shape (layers * heads, 2)
    kinds : array of str, shape (layers, heads)
    """
    figure, ((axis,),) = new_figure(7.4, 5.2)
    layers = np.repeat(np.arange(kinds.shape[0]), kinds.shape[1])
    flat = kinds.ravel()
    colors = {"mixed": GREY, "[CLS]": BLUE, "[SEP]": ORANGE, "broad": YELLOW, "itself": PURPLE}
    colors |= {"previous token": GREEN, "next token": SKY}
    for kind in dict.fromkeys(flat):
        rows = flat == kind
        axis.scatter(*points[rows].T, s=170, color=colors[kind], alpha=0.35, label=f"{kind} ({rows.sum()})")
    for (x, y), layer in zip(points, layers, strict=True):
        axis.text(x, y, layer, ha="center", va="center", fontsize=8)
    axis.set(title="Heads that look alike lie together (number: layer)", xticks=[], yticks=[])
    axis.legend(title="what a head does", loc="center left", bbox_to_anchor=(1, 0.5))
    counts = ", ".join(f"{kind} {int((flat == kind).sum())}" for kind in dict.fromkeys(flat))
    figure.alt = f"Map of {len(flat)} heads by how differently they look, coloured by what they do: {counts}."
    return figure


@in_house_style
def heads_left(curves: Mapping[str, pd.DataFrame], total: int, random: Sequence[pd.DataFrame] = ()) -> Figure:
    """Accuracy against the number of heads that are left, an order a line, random orders in grey.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        From :func:`sentiment_lib.attention.silence_in_order`, by the name of the order.
    total : int
        Number of heads of the model.
    random : sequence of pandas.DataFrame
        The same for random orders.
    """
    figure, ((axis,),) = new_figure(7.4, 4.6)
    for i, curve in enumerate(random):
        left = total - curve["silenced"]
        axis.plot(left, curve["accuracy"], color=GREY, lw=1.2, ls=":", label="random orders" if not i else None)
    for name, (color, marker) in looks(curves).items():
        curve = curves[name]
        left, start = total - curve["silenced"], curve["accuracy"] - curve["change"]
        axis.plot(left, curve["accuracy"], color=color, marker=marker, ms=5, lw=2, label=name)
        axis.fill_between(left, start + curve["low"], start + curve["high"], color=color, alpha=0.15, lw=0)
    axis.invert_xaxis()
    axis.set(
        xlabel="heads left", ylabel="accuracy", title="Heads switched off one after the other, the least needed first"
    )
    axis.legend(loc="lower left")
    ends = "; ".join(
        f"{name}: {curve['accuracy'].iloc[0]:.3f} with all, {curve['accuracy'].iloc[len(curve) // 2]:.3f} with "
        f"{total - curve['silenced'].iloc[len(curve) // 2]} heads left"
        for name, curve in curves.items()
    )
    figure.alt = f"Accuracy against heads left. {ends}."
    return figure


@in_house_style
def words_side_by_side(attributions: Mapping[str, WordEffects]) -> Figure:
    """One text's words, a row each, and what every method gives them: a column a method.

    Blue speaks for positive, orange for negative; of methods without a sign, dark is much. Each column is divided
    by its largest magnitude.
    """
    from matplotlib import colormaps

    first = next(iter(attributions.values()))
    values = np.array([one.effects for one in attributions.values()]).T
    values = values / np.maximum(np.abs(values).max(axis=0, keepdims=True), 1e-12)
    figure, ((axis,),) = new_figure(2.2 + 0.95 * len(attributions), 1.9 + 0.26 * len(first.words))
    colors = signed_colors()((values + 1) / 2)
    unsigned = [name in UNSIGNED for name in attributions]
    colors[:, unsigned] = colormaps["Greys"](0.7 * values[:, unsigned])
    axis.imshow(colors, aspect="auto")
    axis.grid(False)
    axis.set_xticks(range(len(attributions)), [name.replace(" ", "\n") for name in attributions], fontsize=9)
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(first.words)), [word.replace("$", r"\$") for word in first.words])
    axis.tick_params(length=0)
    for column in range(1, len(attributions)):
        axis.axvline(column - 0.5, color="white", lw=3)
    axis.spines[:].set_visible(False)
    figure.suptitle(f"Probability of positive: {first.probability:.3f}", x=0.01, ha="left", fontsize=12)
    said = "; ".join(
        f"{name}: {first.words[int(np.abs(column).argmax())]}"
        for name, column in zip(attributions, values.T, strict=True)
    )
    figure.alt = (
        f"What {len(attributions)} methods give to {len(first.words)} words. The strongest word of each: {said}."
    )
    return figure


@in_house_style
def deletion_curves(without: pd.DataFrame, alone: pd.DataFrame) -> Figure:
    """Fall of the probability when a method's first words are taken away (left) or only they are kept (right).

    Parameters
    ----------
    without, alone : pandas.DataFrame
        From :meth:`sentiment_lib.attention.Faithfulness.curve`.
    """
    figure, (axes,) = new_figure(10.4, 4.4, 1, 2, sharey=True)
    titles = "taken away: high is good", "only these kept: low is good"
    style = looks(dict.fromkeys(without["method"]))
    for axis, table, title in zip(axes, (without, alone), titles, strict=True):
        for name, (color, marker) in style.items():
            line = table[table["method"] == name]
            axis.plot(line["fraction"], line["estimate"], color=color, marker=marker, ms=5, lw=1.8, label=name)
            axis.fill_between(line["fraction"], line["low"], line["high"], color=color, alpha=0.12, lw=0)
        axis.axhline(0, color=GREY, lw=1)
        axis.set(xlabel="share of the words, those named first", title=title)
    axes[0].set_ylabel("fall of the probability")
    axes[1].legend(fontsize=9, loc="upper right")
    last = without[without["fraction"] == without["fraction"].max()].set_index("method")["estimate"]
    said = ", ".join(f"{name} {value:.2f}" for name, value in last.items())
    figure.alt = f"Fall of the probability against the share of words taken away or kept. Half taken away: {said}."
    return figure
