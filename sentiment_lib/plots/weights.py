"""Figures of lesson 05: attention weights of one text, as the attention view shows them, but for paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREY, ORANGE, in_house_style, new_figure, signed_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..attention.maps import AttentionMaps

_FAINT = 0.01  # lines below this weight are not drawn


def _head_color(head: int, heads: int) -> np.ndarray:
    """The colour that the attention view gives to a head: hues around the circle, some darker or lighter."""
    from colorsys import hls_to_rgb

    hue = round(360 * head / heads)
    lightness = 0.32 if 35 < hue < 200 else 0.57 if 205 < hue < 295 else 0.46
    return np.array([*hls_to_rgb(hue / 360, lightness, 0.8), 1.0])


@in_house_style
def attention(
    maps: AttentionMaps | Mapping[str, AttentionMaps],
    view: str = "heatmap",
    *,
    layer: int = 0,
    head: int = 0,
    more_heads: Sequence[int] = (),
    difference: bool = False,
    silenced: Sequence[tuple[int, int]] = (),
) -> Figure:
    """What :func:`sentiment_lib.explorer.attention_view` shows, as a figure.

    Parameters
    ----------
    maps : AttentionMaps or mapping of str to AttentionMaps
        One, or two of the same tokens with their titles. What :func:`sentiment_lib.attention.condense` makes of
        them can be drawn, too.
    view : {"heatmap", "bipartite", "overview"}
    layer, head, more_heads, difference, silenced
        As in :func:`sentiment_lib.explorer.attention_view`.
    """
    named = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    drawn = {title: one.weights for title, one in named.items()}
    signed = difference and len(named) == 2
    if signed:
        (before, first), (after, second) = drawn.items()
        drawn = {f"{after} minus {before}": second - first}
    one = next(iter(named.values()))
    tokens = one.tokens
    draw = {"heatmap": _heatmap, "bipartite": _bipartite, "overview": _overview}[view]
    width, height = {
        "heatmap": (2.4 + 0.26 * len(tokens), 1.8 + 0.26 * len(tokens)),
        "bipartite": (4.2, 1.0 + 0.22 * len(tokens)),
        "overview": (0.75 * one.heads + 0.6, 0.8 * one.layers + 0.6),
    }[view]
    width, height = np.clip([width, height], 4, 14)
    figure, (axes,) = new_figure(min(20, width * len(drawn)), height, 1, len(drawn))
    heads = [head, *(h for h in more_heads if h != head)] if view == "bipartite" else [head]
    off = {"layer": layer, "heads": heads, "signed": signed}
    marked = {tuple(pair) for pair in silenced}
    alts = []
    for axis, (title, weights) in zip(axes, drawn.items(), strict=True):
        off["silenced"] = marked if axis is axes[-1] else set()  # of two maps, the second has heads switched off
        axis.grid(False)
        where = f"Layer {layer}, head{'s' * (len(heads) > 1)} {', '.join(map(str, heads))}"
        where += " (switched off)" if (layer, head) in off["silenced"] and view != "overview" else ""
        said = [title, where if view != "overview" else ""]
        axis.set_title("\n".join(part for part in said if part), parse_math=False)
        if not tokens:  # a text of special tokens only, and these are left out
            axis.set_axis_off()
            alts.append("There is no token to show.")
            continue
        alts.append((f"{title}: " if title else "") + draw(figure, axis, weights, tokens, **off))
    figure.alt = " ".join(alts)
    return figure


def _plain(tokens: Sequence[str]) -> list[str]:
    """Tokens as matplotlib writes them as they are: a dollar sign would begin a formula."""
    return [token.replace("$", r"\$") for token in tokens]


def _scale(signed: bool, top: float) -> dict:
    return {"cmap": signed_colors() if signed else "viridis", "vmin": -top if signed else 0, "vmax": top}


def _heatmap(figure, axis, weights, tokens, *, layer, heads, silenced, signed) -> str:
    import seaborn as sns

    values, n, labels = weights[layer, heads[0]], len(tokens), _plain(tokens)
    top = max(0.05 if signed else 0.3, float(np.abs(values).max()))
    look = _scale(signed, top)
    step = -(-n // 64)  # of long texts every so many tokens are named
    names = {"xticklabels": step, "yticklabels": step} if step > 1 else {"xticklabels": labels, "yticklabels": labels}
    label = "change of the weight" if signed else "attention weight"
    sns.heatmap(values, ax=axis, square=True, cbar_kws={"label": label, "shrink": 0.7}, **names, **look)
    if step > 1:
        for set_labels in (axis.set_xticklabels, axis.set_yticklabels):
            set_labels(labels[::step])
    axis.tick_params(axis="x", rotation=90)
    axis.tick_params(axis="y", rotation=0)
    axis.set(xlabel="looked at (key)", ylabel="looking (query)")
    query, key = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    return (
        f"Attention weights of layer {layer}, head {heads[0]} for {n} tokens. The strongest is "
        f"{values[query, key]:.2f}, from {tokens[query]} to {tokens[key]}."
    )


def _bipartite(figure, axis, weights, tokens, *, layer, heads, silenced, signed) -> str:
    from matplotlib.collections import LineCollection

    n = len(tokens)
    for place, head in enumerate(heads):
        values = weights[layer, head]
        queries, keys = np.nonzero(np.abs(values) >= _FAINT)
        strength = values[queries, keys]
        base = _head_color(head, weights.shape[1])
        colors = np.tile(base, (len(strength), 1))
        if signed:
            from matplotlib.colors import to_rgba

            colors = np.array([to_rgba(BLUE if s > 0 else ORANGE) for s in strength]).reshape(-1, 4)
        colors[:, 3] = np.minimum(1, 0.03 + 1.2 * np.abs(strength))
        shift = (place - (len(heads) - 1) / 2) * 0.1
        lines = np.stack([np.c_[np.zeros(len(keys)), queries + shift], np.c_[np.ones(len(keys)), keys + shift]], axis=1)
        axis.add_collection(LineCollection(lines, colors=colors, linewidths=0.5 + 2.2 * np.abs(strength)))
        if not signed:
            axis.plot([], [], color=base, lw=3, label=f"head {head}")
    for i, token in enumerate(_plain(tokens)):
        axis.text(-0.03, i, token, ha="right", va="center", fontsize=9)
        axis.text(1.03, i, token, ha="left", va="center", fontsize=9)
    axis.set(xlim=(-0.6, 1.6), ylim=(n - 0.5, -0.5), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if len(heads) > 1 and not signed:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(6, len(heads)), fontsize=9)
    flat = np.abs(weights[layer, heads]).max(axis=0)
    query, key = np.unravel_index(int(flat.argmax()), flat.shape)
    return (
        f"Lines from {n} tokens on the left to those they look at on the right, layer {layer}, heads "
        f"{', '.join(map(str, heads))}. The strongest is {flat[query, key]:.2f}, from {tokens[query]} to {tokens[key]}."
    )


def _overview(figure, axis, weights, tokens, *, layer, heads, silenced, signed) -> str:
    """All heads as one mosaic: a row a layer, a column a head."""
    layers, count, n, _ = weights.shape
    gap = max(1, n // 12)
    mosaic = np.full((layers * (n + gap) - gap, count * (n + gap) - gap), np.nan)
    for at in range(layers):
        for head in range(count):
            square = mosaic[at * (n + gap) :, head * (n + gap) :][:n, :n]
            square[:] = np.nan if (at, head) in silenced else weights[at, head]
    image = axis.imshow(mosaic, interpolation="nearest", **_scale(signed, 0.5))
    for at, head in silenced:
        axis.text(head * (n + gap) + n / 2, at * (n + gap) + n / 2, "off", ha="center", va="center", color=GREY)
    axis.set_xticks([head * (n + gap) + (n - 1) / 2 for head in range(count)], range(count))
    axis.set_yticks([at * (n + gap) + (n - 1) / 2 for at in range(layers)], range(layers))
    axis.tick_params(length=0)
    axis.xaxis.tick_top()
    axis.spines[:].set_visible(False)
    axis.set(xlabel="head (column)", ylabel="layer (row)")
    axis.xaxis.set_label_position("top")
    figure.colorbar(
        image, ax=axis, shrink=0.7, label="change of the weight" if signed else "weight, 0.5 or more: yellow"
    )
    return (
        f"Overview of the attention maps of {layers} layers with {count} heads each for {n} tokens; bright columns "
        "are tokens that the whole text looks at, bright diagonals are heads that look at a neighbour."
    )
