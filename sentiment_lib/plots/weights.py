"""Figures of lesson 06: attention weights of one text, as the attention view shows them, but for paper."""

from collections.abc import Iterable, Mapping, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from ..attention.maps import AttentionMaps
from .style import BLUE, GREY, ORANGE, DescribedFigure, add_note, in_house_style, new_figure, signed_colors

_FAINT = 0.01  # lines below this weight are not drawn


def _head_color(head: int, heads: int) -> tuple[float, ...]:
    """The colour that the attention view gives to a head: hues around the circle, some darker or lighter."""
    hue = round(360 * head / heads)
    lightness = 0.32 if 35 < hue < 200 else 0.57 if 205 < hue < 295 else 0.46
    return (*hls_to_rgb(hue / 360, lightness, 0.8), 1.0)


@in_house_style
def attention(
    maps: AttentionMaps | Mapping[str, AttentionMaps],
    view: str = "heatmap",
    *,
    layer: int = 0,
    head: int = 0,
    more_heads: Sequence[int] = (),
    difference: bool = False,
    silenced: Iterable[tuple[int, int]] = (),
) -> DescribedFigure:
    """What :func:`sentiment_lib.explorer.attention_view` shows, as a figure.

    Parameters
    ----------
    maps : AttentionMaps or mapping of str to AttentionMaps
        One, or two of the same tokens with their titles; :func:`sentiment_lib.attention.condense` may have changed
        them.
    view : {"heatmap", "bipartite", "overview"}
    layer, head, more_heads, difference, silenced
        As in :func:`sentiment_lib.explorer.attention_view`.
    """
    named = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    drawn = {title: panel.weights for title, panel in named.items()}
    signed = difference and len(named) == 2
    if signed:
        (before, first), (after, second) = drawn.items()
        drawn = {f"{after} minus {before}": second - first}
    any_maps = next(iter(named.values()))
    tokens = any_maps.tokens
    draw, width, height = {
        "heatmap": (_heatmap, 2.4 + 0.26 * len(tokens), 1.8 + 0.26 * len(tokens)),
        "bipartite": (_bipartite, 4.2, 1.0 + 0.22 * len(tokens)),
        "overview": (_overview, 0.75 * any_maps.heads + 0.6, 0.8 * any_maps.layers + 0.6),
    }[view]
    width, height = np.clip([width, height], 4, 14)
    figure, (axes,) = new_figure(min(20, width * len(drawn)), height, 1, len(drawn))
    heads = [head, *(h for h in more_heads if h != head)] if view == "bipartite" else [head]
    largest = max(float(np.abs(weights[layer, head]).max(initial=0)) for weights in drawn.values())
    meaning = "change of the weight" if signed else "attention weight" if len(drawn) == 1 else "the same scale in both"
    alts = []
    for axis, (title, weights) in zip(axes, drawn.items(), strict=True):
        off = {(i, j) for i, j in silenced} if axis is axes[-1] else set()  # of two maps, in the second
        axis.grid(False)
        shown = f"Layer {layer}, head{'s' * (len(heads) > 1)} {', '.join(map(str, heads))}"
        shown += " (switched off)" if (layer, head) in off else ""
        if any_maps.windows and any_maps.windows[layer] is not None:
            shown += f"\n(local attention: {any_maps.windows[layer]} tokens to each side)"
        axis.set_title("\n".join(filter(None, [title, shown if view != "overview" else ""])))
        if not tokens:  # a text of special tokens only, and these are left out
            axis.set_axis_off()
            alts.append("There is no token to show.")
            continue
        panel = _Panel(axis, weights, tokens, layer, heads, off, signed, largest, meaning)
        alts.append((f"{title}: " if title else "") + draw(panel))
    figure.alt = " ".join(alts)
    if view == "overview":
        add_note(figure, any_maps.note)
    return figure


@dataclass(frozen=True)
class _Panel:
    """One set of weights, and what of it is drawn on which axis. The functions below return its description."""

    axis: Any
    weights: np.ndarray  # (layers, heads, tokens, tokens)
    tokens: list[str]
    layer: int
    heads: list[int]
    silenced: set[tuple[int, int]]
    signed: bool
    largest: float  # weight of this head on all axes
    meaning: str  # of the colours of a heatmap

    def scale(self, top: float) -> dict[str, Any]:
        """The colours of weights up to `top`."""
        return {"cmap": signed_colors() if self.signed else "viridis", "vmin": -top if self.signed else 0, "vmax": top}

    def strongest(self, values: np.ndarray) -> str:
        """The largest of some weights, shape ``(tokens, tokens)``, and its tokens."""
        query, key = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        return f"The strongest is {values[query, key]:.2f}, from {self.tokens[query]} to {self.tokens[key]}."


def _heatmap(panel: _Panel) -> str:
    axis, head, n = panel.axis, panel.heads[0], len(panel.tokens)
    values, labels = panel.weights[panel.layer, head], panel.tokens
    top = max(0.05 if panel.signed else 0.3, panel.largest)
    step = -(-n // 64)  # in long texts, only some tokens are named
    names = step if step > 1 else labels
    bar = {"label": panel.meaning, "shrink": 0.7}
    sns.heatmap(values, ax=axis, square=True, cbar_kws=bar, xticklabels=names, yticklabels=names, **panel.scale(top))
    if step > 1:
        axis.set_xticklabels(labels[::step])
        axis.set_yticklabels(labels[::step])
    axis.tick_params(axis="x", rotation=90)
    axis.tick_params(axis="y", rotation=0)
    axis.set(xlabel="looked at (key)", ylabel="looking (query)")
    return f"Attention weights of layer {panel.layer}, head {head} for {n} tokens. {panel.strongest(values)}"


def _bipartite(panel: _Panel) -> str:
    axis, heads, n = panel.axis, panel.heads, len(panel.tokens)
    weights = panel.weights[panel.layer]
    for i, head in enumerate(heads):
        queries, keys = np.nonzero(np.abs(weights[head]) >= _FAINT)
        strength = weights[head][queries, keys]
        color = _head_color(head, len(weights))
        colors = np.tile(color, (len(strength), 1))
        if panel.signed:
            colors = np.where(strength[:, None] > 0, to_rgba(BLUE), to_rgba(ORANGE))
        colors[:, 3] = np.minimum(1, 0.03 + 1.2 * np.abs(strength))
        shift = (i - (len(heads) - 1) / 2) * 0.1
        lines = [((0, query + shift), (1, key + shift)) for query, key in zip(queries, keys, strict=True)]
        axis.add_collection(LineCollection(lines, colors=colors, linewidths=0.5 + 2.2 * np.abs(strength)))
        if not panel.signed:
            axis.plot([], [], color=color, lw=3, label=f"head {head}")
    for i, token in enumerate(panel.tokens):
        axis.text(-0.03, i, token, ha="right", va="center", fontsize=9)
        axis.text(1.03, i, token, ha="left", va="center", fontsize=9)
    axis.set(xlim=(-0.6, 1.6), ylim=(n - 0.5, -0.5), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if len(heads) > 1 and not panel.signed:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(6, len(heads)), fontsize=9)
    return (
        f"Lines from {n} tokens on the left to those they look at on the right, layer {panel.layer}, heads "
        f"{', '.join(map(str, heads))}. {panel.strongest(np.abs(weights[heads]).max(axis=0))}"
    )


def _overview(panel: _Panel) -> str:
    """All heads as one mosaic: one row per layer, one column per head."""
    axis, (layers, heads, n, _) = panel.axis, panel.weights.shape
    step = n + max(1, n // 12)  # from one map to the next
    mosaic = np.full((layers, step, heads, step), np.nan)
    mosaic[:, :n, :, :n] = panel.weights.transpose(0, 2, 1, 3)
    for layer, head in panel.silenced:
        mosaic[layer, :, head] = np.nan
        axis.text(head * step + n / 2, layer * step + n / 2, "off", ha="center", va="center", color=GREY)
    mosaic = mosaic.reshape(layers * step, heads * step)[: n - step, : n - step]
    image = axis.imshow(mosaic, interpolation="nearest", **panel.scale(0.5))
    axis.set_xticks([head * step + (n - 1) / 2 for head in range(heads)], range(heads))
    axis.set_yticks([layer * step + (n - 1) / 2 for layer in range(layers)], range(layers))
    axis.tick_params(length=0)
    axis.xaxis.tick_top()
    axis.spines[:].set_visible(False)
    axis.set(xlabel="head (column)", ylabel="layer (row)")
    axis.xaxis.set_label_position("top")
    label = "change of the weight" if panel.signed else "weight, 0.5 or more: yellow"
    axis.figure.colorbar(image, ax=axis, shrink=0.7, label=label)
    return (
        f"Overview of the attention maps of {layers} layers with {heads} heads each for {n} tokens; bright columns "
        "are tokens that the whole text looks at, bright diagonals are heads that look at a neighbour."
    )
