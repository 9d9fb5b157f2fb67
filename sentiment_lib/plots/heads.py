"""Figures of lesson 07: what heads do, which of them are needed, and which words explanations name."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps

from ..attention.attribution import WordEffects
from . import style
from .style import DescribedFigure, add_note, in_house_style, looks, new_figure


@in_house_style
def head_maps(
    maps: Mapping[str, np.ndarray],
    *,
    columns: int = 3,
    signed: bool = False,
    decimals: int | None = None,
    note: str = "",
) -> DescribedFigure:
    """Values of every head, each as a small map: one row per layer, one column per head.

    Parameters
    ----------
    maps : mapping of str to array of float, shape (layers, heads)
        The maps with their titles; each has its own colour scale.
    columns : int
        Maps next to each other.
    signed : bool
        Blue above 0, orange below.
    decimals : int, optional
        Also write the values into the cells.
    note : str
        A sentence below the maps, such as that of :attr:`sentiment_lib.attention.HeadStatistics.note`.
    """
    layers, heads = next(iter(maps.values())).shape
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    cell = 0.42 if decimals is not None else 0.19
    figure, axes = new_figure(columns * (1.2 + cell * heads), rows * max(2.2, 0.9 + 0.28 * layers), rows, columns)
    for axis in axes.flat[len(maps) :]:
        axis.set_visible(False)
    strongest = []
    for axis, (title, values) in zip(axes.flat, maps.items(), strict=False):
        top = max(float(np.abs(values).max()), 1e-9)
        scale = {"cmap": style.signed_colors(), "vmin": -top, "vmax": top} if signed else {"cmap": "viridis"}
        image = axis.imshow(values, aspect="auto", **scale)
        if decimals is not None:
            for (layer, head), value in np.ndenumerate(values):
                color = "white" if image.norm(value) < 0.55 and not signed else "black"
                shown = f"{round(float(value), decimals) + 0:.{decimals}f}".replace("-", "−")  # no minus zero
                axis.text(head, layer, shown, ha="center", va="center", fontsize=7, color=color)
        axis.grid(False)
        axis.set_xticks(range(0, heads, max(1, heads // 6)))
        axis.set_yticks(range(layers))
        axis.set(title=title, xlabel="head", ylabel="layer")
        figure.colorbar(image, ax=axis, shrink=0.9)
        layer, head = np.unravel_index(int((np.abs(values) if signed else values).argmax()), values.shape)
        strongest.append(f"{title}: most in layer {layer}, head {head} ({values[layer, head]:.2f})")
    figure.alt = f"Maps of {layers} layers with {heads} heads each. {'; '.join(strongest)}."
    add_note(figure, note)
    return figure


@in_house_style
def position_map(values: np.ndarray, tokens: Sequence[str], *, label: str = "share of the way back") -> DescribedFigure:
    """What was found at each token before each layer: one row per layer, one column per token.

    Parameters
    ----------
    values : array of float, shape (layers, tokens)
        Blue above 0, orange below.
    tokens : sequence of str
        Written below the columns.
    label : str
        What the values are.
    """
    layers, count = values.shape
    figure, ((axis,),) = new_figure(2.2 + 0.62 * count, 1.5 + 0.36 * layers)
    top = max(float(np.abs(values).max()), 1e-9)
    image = axis.imshow(values, aspect="auto", cmap=style.signed_colors(), vmin=-top, vmax=top)
    for (layer, token), value in np.ndenumerate(values):
        color = "white" if abs(value) > 0.7 * top else "black"
        shown = f"{round(float(value), 2) + 0:.2f}".replace("-", "−")  # no minus zero
        axis.text(token, layer, shown, ha="center", va="center", fontsize=7, color=color)
    axis.grid(False)
    axis.set_xticks(range(count), tokens, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(layers), [f"before layer {layer}" for layer in range(layers)])
    figure.colorbar(image, ax=axis, shrink=0.9, label=label)
    layer, token = (int(place) for place in np.unravel_index(int(np.abs(values).argmax()), values.shape))
    figure.alt = (
        f"A map of {layers} layers and {count} tokens ({' '.join(tokens)}): {label}. The largest value is "
        f"{values[layer, token]:.2f}, at {tokens[token]!r} before layer {layer}."
    )
    return figure


@in_house_style
def heads_left(
    curves: Mapping[str, pd.DataFrame], total: int, random: Mapping[int, Sequence[float]] | None = None
) -> DescribedFigure:
    """Accuracy against the number of heads that are left, one line per order, random sets as grey dots.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        From :func:`sentiment_lib.attention.silence_in_order`, by the name of the order.
    total : int
        Number of heads of the model.
    random : mapping of int to sequence of float, optional
        By the number of heads that are off, the accuracies with as many random heads off.
    """
    figure, ((axis,),) = new_figure(7.4, 4.6)
    for i, (off, reached) in enumerate((random or {}).items()):
        label = "random sets" if i == 0 else None
        axis.plot([total - off] * len(reached), reached, ".", color=style.GREY, alpha=0.35, label=label)
    ends = []
    for name, (color, marker) in looks(curves).items():
        curve = curves[name]
        left, accuracy = total - curve["silenced"], curve["accuracy"]
        start = accuracy - curve["change"]
        axis.plot(left, accuracy, color=color, marker=marker, ms=5, lw=2, label=name)
        axis.fill_between(left, start + curve["low"], start + curve["high"], color=color, alpha=0.15, lw=0)
        half = len(curve) // 2
        some = f"{accuracy.iloc[half]:.3f} with {left.iloc[half]} heads left"
        ends.append(f"{name}: {accuracy.iloc[0]:.3f} with all, {some}")
    axis.invert_xaxis()
    axis.set(xlabel="heads left", ylabel="accuracy")
    axis.set_title("Heads switched off one after the other, the least needed first")
    axis.legend(loc="lower left")
    figure.alt = f"Accuracy against heads left. {'; '.join(ends)}."
    return figure


@in_house_style
def words_side_by_side(attributions: Mapping[str, WordEffects]) -> DescribedFigure:
    """One row per word of a text and one column per method, with what the method gives to the word.

    Blue supports positive, orange negative; for methods without a sign, darker is more. Each column is divided by
    its largest magnitude.
    """
    first = next(iter(attributions.values()))
    values = np.array([effects.effects for effects in attributions.values()]).T
    values = values / np.maximum(np.abs(values).max(axis=0, keepdims=True), 1e-12)
    figure, ((axis,),) = new_figure(2.2 + 0.95 * len(attributions), 1.9 + 0.26 * len(first.words))
    colors = style.signed_colors()((values + 1) / 2)
    unsigned = [not effects.signed for effects in attributions.values()]
    colors[:, unsigned] = colormaps["Greys"](0.7 * values[:, unsigned])
    axis.imshow(colors, aspect="auto")
    axis.grid(False)
    axis.set_xticks(range(len(attributions)), [name.replace(" ", "\n") for name in attributions], fontsize=9)
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(first.words)), first.words)
    axis.tick_params(length=0)
    for column in range(1, len(attributions)):
        axis.axvline(column - 0.5, color="white", lw=3)
    axis.spines[:].set_visible(False)
    figure.suptitle(f"Probability of positive: {first.probability:.3f}", x=0.01, ha="left", fontsize=12)
    strongest = zip(attributions, np.abs(values).argmax(axis=0), strict=True)
    named = "; ".join(f"{name}: {first.words[row]}" for name, row in strongest)
    figure.alt = (
        f"What {len(attributions)} methods give to {len(first.words)} words. The strongest word of each: {named}."
    )
    return figure


@in_house_style
def deletion_curves(without: pd.DataFrame, alone: pd.DataFrame) -> DescribedFigure:
    """Fall of the probability when a method's first words are removed (left) or only they are kept (right).

    Parameters
    ----------
    without, alone : pandas.DataFrame
        From :meth:`sentiment_lib.attention.Faithfulness.curve`.
    """
    figure, (axes,) = new_figure(10.4, 4.4, 1, 2, sharey=True)
    titles = "taken away: high is good", "only these kept: low is good"
    for axis, table, title in zip(axes, (without, alone), titles, strict=True):
        for name, (color, marker) in looks(without["method"].unique()).items():
            line = table[table["method"] == name]
            axis.plot(line["fraction"], line["estimate"], color=color, marker=marker, ms=5, lw=1.8, label=name)
            axis.fill_between(line["fraction"], line["low"], line["high"], color=color, alpha=0.12, lw=0)
        axis.axhline(0, color=style.GREY, lw=1)
        axis.set(xlabel="share of the words, those named first", title=title)
    axes[0].set_ylabel("fall of the probability")
    axes[1].legend(fontsize=9, loc="upper right")
    last = without[without["fraction"] == without["fraction"].max()]
    named = ", ".join(f"{row.method} {row.estimate:.2f}" for row in last.itertuples())
    most = f"{last['fraction'].iloc[0]:.0%}"
    figure.alt = (
        f"Fall of the probability against the share of words taken away or kept. With {most} taken away: {named}."
    )
    return figure
