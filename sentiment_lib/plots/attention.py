"""Figures of lesson 05: attention weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import in_house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..attention import AttentionMaps


@in_house_style
def attention_heatmap(maps: AttentionMaps, layer: int, head: int) -> Figure:
    """The weights of one head for one text: who (row) looks at whom (column)."""
    import seaborn as sns

    n = len(maps.tokens)
    size = min(14.0, max(4.0, 1.8 + 0.26 * n))
    figure, ((axis,),) = new_figure(size + 0.8, size)
    axis.grid(False)
    weights = maps.weights[layer, head]
    bar = {"label": "attention weight", "shrink": 0.7}
    sns.heatmap(
        weights, ax=axis, cmap="viridis", vmin=0, vmax=max(0.3, weights.max()), square=True, cbar_kws=bar,
        xticklabels=maps.tokens, yticklabels=maps.tokens,
    )  # fmt: skip
    axis.tick_params(axis="x", rotation=90)
    axis.tick_params(axis="y", rotation=0)
    axis.set(xlabel="looked at (key)", ylabel="looking (query)", title=f"Layer {layer}, head {head}")
    strongest = np.unravel_index(int(weights.argmax()), weights.shape)
    figure.alt = (
        f"Attention weights of layer {layer}, head {head} for {n} tokens. The strongest is {weights.max():.2f}, "
        f"from {maps.tokens[strongest[0]]} to {maps.tokens[strongest[1]]}."
    )
    return figure


@in_house_style
def attention_overview(maps: AttentionMaps) -> Figure:
    """Every head of every layer as a small picture: a row a layer, a column a head."""
    figure, axes = new_figure(0.75 * maps.heads + 0.6, 0.8 * maps.layers + 0.6, maps.layers, maps.heads)
    for layer, row in enumerate(axes):
        for head, axis in enumerate(row):
            axis.imshow(maps.weights[layer, head], cmap="viridis", vmin=0, vmax=0.5, interpolation="nearest")
            axis.grid(False)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if layer == 0:
                axis.set_title(head, fontsize=9, loc="center")
            if head == 0:
                axis.set_ylabel(layer, fontsize=9, rotation=0, ha="right", va="center")
    figure.supxlabel("head (column); bright: a weight of 0.5 or more", fontsize=10)
    figure.supylabel("layer (row)", fontsize=10)
    figure.alt = (
        f"Overview of the attention maps of {maps.layers} layers with {maps.heads} heads each for "
        f"{len(maps.tokens)} tokens; bright columns are tokens that the whole text looks at, bright diagonals "
        "are heads that look at a neighbour."
    )
    return figure
