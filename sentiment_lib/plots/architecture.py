"""The figure of lesson 03 that follows one text through a model."""

from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from transformers import PreTrainedConfig

from .style import BLUE, GREEN, GREY, ORANGE, DescribedFigure, in_house_style, new_figure

_WIDTH, _LEFT = 5.2, 1.2  # of the boxes; a box is 0.7 high and 1.1 above the one below


@in_house_style
def architecture(config: PreTrainedConfig, tokens: int) -> DescribedFigure:
    """An encoder with its classification head as a stack of boxes, and the shapes of one text at each stage.

    Parameters
    ----------
    config : transformers.PreTrainedConfig
        Of a sequence classifier; sizes are read from it.
    tokens : int
        Length of the text in tokens, special ones included.
    """
    layers, heads, size = config.num_hidden_layers, config.num_attention_heads, config.hidden_size
    inner = next((getattr(config, name) for name in ("intermediate_size", "hidden_dim") if hasattr(config, name)), None)
    pooler = [("pooler", f"(1, {size})", ORANGE)] if config.model_type == "bert" else []
    stages = [
        ("text", "one sentence", GREY),
        ("tokenizer", f"ids  (1, {tokens})", GREY),
        ("embeddings", f"vectors  (1, {tokens}, {size})", GREEN),
        (f"attention: {heads} heads of {size // heads}", f"(1, {tokens}, {size})", BLUE),
        (f"feed-forward: {size} → {inner} → {size}" if inner else "feed-forward", f"(1, {tokens}, {size})", BLUE),
        ("[CLS], the first vector", f"(1, {size})", ORANGE),
        *pooler,
        ("classification head", f"logits  (1, {config.num_labels})", ORANGE),
        ("softmax", f"probabilities  (1, {config.num_labels})", ORANGE),
        ("cross-entropy with the label", "loss: one number", ORANGE),
    ]
    figure, ((axis,),) = new_figure(7.2, 0.73 * len(stages))
    axis.set(xlim=(0, 10.4), ylim=(-0.3, 1.1 * len(stages)))
    axis.set_axis_off()
    for i, (name, shape, color) in enumerate(stages):
        axis.add_patch(_frame(_LEFT, 1.1 * i, _WIDTH, 0.7, facecolor=f"{color}22", edgecolor=color))
        axis.text(_LEFT + _WIDTH / 2, 1.1 * i + 0.35, name, ha="center", va="center")
        axis.text(_LEFT + _WIDTH + 0.75, 1.1 * i + 0.35, shape, va="center", fontsize=11)
        if i:
            ends = ((_LEFT + _WIDTH / 2, 1.1 * i - 0.4), (_LEFT + _WIDTH / 2, 1.1 * i))
            axis.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=12, color=GREY))
    axis.add_patch(
        _frame(_LEFT - 0.3, 3.3 - 0.17, _WIDTH + 0.6, 1.8 + 0.34, fill=False, edgecolor=BLUE, linestyle="--")
    )
    axis.text(_LEFT - 0.5, 3.3 + 0.9, f"{layers} layers", va="center", ha="right", rotation=90, color=BLUE)
    steps = "; ".join(f"{name}: {shape}" for name, shape, _ in stages)
    figure.alt = (
        f"The stages of the model from bottom to top, with shapes. {steps}. Attention and feed-forward are one "
        f"layer; there are {layers}."
    )
    return figure


def _frame(left: float, bottom: float, width: float, height: float, **look: Any) -> FancyBboxPatch:
    return FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.12", lw=1.3, **look)
