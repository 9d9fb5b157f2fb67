"""Every figure: data in, :class:`matplotlib.figure.Figure` out. Nothing is computed here.

Each figure carries its alternative text as ``figure.alt``; :func:`show` puts figure and text into a notebook
and keeps the picture as a file.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .data import LABEL_NAMES
from .files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import Image
    from matplotlib.figure import Figure

    from .attention import AttentionMaps
    from .metrics import Evaluation

# Okabe and Ito's colours, told apart by people with any kind of colour blindness.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"
DPI = 150
_STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
}


def _in_house_style(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """`draw` with the workbook's style, which other figures of the same process do not see."""

    @functools.wraps(draw)
    def styled(*args, **kwargs) -> Figure:
        import matplotlib

        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """An empty figure (inches) and its axes, shape ``(rows, columns)``; pyplot's state is not touched."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show(figure: Figure, path: Path | None = None) -> Image:
    """The figure as a picture with alternative text for a notebook; kept as a PNG file where `path` is given."""
    from IPython.display import Image

    png = to_png(figure)
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(png)
    # a picture of 150 dots an inch, shown at 96, is sharp on a fine screen too
    return Image(data=png, alt=figure.alt, width=round(figure.get_figwidth() * 96))


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None, "Description": figure.alt})
    return buffer.getvalue()


@_in_house_style
def review_lengths(lengths: dict[str, Sequence[int]], max_length: int) -> Figure:
    """Histogram of review lengths in tokens, a line a split, with the limit where reviews are cut."""
    figure, ((axis,),) = _figure(7, 3.8)
    longest = max(max(values) for values in lengths.values())
    bins = np.histogram_bin_edges([0, min(longest, 6 * max_length)], bins=40)
    for (split, values), color in zip(lengths.items(), (BLUE, ORANGE, GREEN), strict=False):
        weights = np.full(len(values), 100 / len(values))
        clipped = np.minimum(values, bins[-1])
        axis.hist(clipped, bins, weights=weights, histtype="step", lw=2, color=color, label=split)
    axis.axvline(max_length, color=GREY, ls="--")
    axis.annotate(
        f"limit: {max_length} tokens",
        (max_length, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0) if max_length > bins[-1] / 2 else (6, 0),
        textcoords="offset points",
        ha="right" if max_length > bins[-1] / 2 else "left",
        va="top",
        color=GREY,
    )
    axis.set(xlabel="length of a review (tokens)", ylabel="share of the split (%)", title="How long are the reviews?")
    if longest > bins[-1]:
        axis.set_xlabel(f"length of a review (tokens; longer than {bins[-1]:.0f} counted in the last bar)")
    axis.legend(loc="center right")
    cut = 100 * np.mean(np.concatenate([np.asarray(v) for v in lengths.values()]) > max_length)
    medians = ", ".join(f"{split} {np.median(v):.0f}" for split, v in lengths.items())
    figure.alt = (
        f"Histogram of review lengths. Median tokens: {medians}. {cut:.1f} % of all reviews are longer than "
        f"the limit of {max_length} tokens."
    )
    return figure


@_in_house_style
def training_curve(
    history: pd.DataFrame, majority_accuracy: float | None = None, untrained_accuracy: float | None = None
) -> Figure:
    """Training and validation loss, and validation accuracy, against epochs.

    Parameters
    ----------
    history : pandas.DataFrame
        From :class:`sentiment_lib.training.TrainingResult`.
    majority_accuracy : float, optional
        What always guessing the most frequent label reaches, drawn as the line to beat.
    untrained_accuracy : float, optional
        What the model reached before training, drawn at epoch 0.
    """
    figure, ((left, right),) = _figure(9, 3.8, columns=2)
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
    right.legend(loc="lower right")
    last = validation.iloc[-1]
    figure.alt = (
        f"Training curves. Training loss falls from {train['loss'].iloc[0]:.2f} to {train['loss'].iloc[-1]:.2f}; "
        f"after {last['epoch']:g} epochs validation loss is {last['validation_loss']:.2f} and validation "
        f"accuracy {last['validation_accuracy']:.3f}."
    )
    return figure


@_in_house_style
def confusion_matrix(matrix: Sequence[Sequence[int]]) -> Figure:
    """Counts and row shares of true against predicted labels; shape ``(2, 2)``, rows true, negative first."""
    import seaborn as sns

    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    text = np.array([[f"{matrix[i, j]:,}\n{share[i, j]:.1%}" for j in (0, 1)] for i in (0, 1)])
    figure, ((axis,),) = _figure(5, 4.2)
    axis.grid(False)
    options = {"annot": text, "fmt": "", "cmap": "Blues", "vmin": 0, "vmax": 1, "square": True}
    bar = {"label": "share of the true label"}
    sns.heatmap(share, ax=axis, xticklabels=LABEL_NAMES, yticklabels=LABEL_NAMES, cbar_kws=bar, **options)
    axis.set(xlabel="predicted", ylabel="true", title=f"{matrix.trace():,} of {matrix.sum():,} right")
    figure.alt = (
        f"Confusion matrix. Of {matrix[0].sum()} negative reviews {matrix[0, 0]} were called negative and "
        f"{matrix[0, 1]} positive; of {matrix[1].sum()} positive ones {matrix[1, 1]} positive and "
        f"{matrix[1, 0]} negative."
    )
    return figure


@_in_house_style
def precision_recall_curve(curve: pd.DataFrame, evaluation: Evaluation, base_rate: float) -> Figure:
    """Precision against recall of the positive class, with the threshold in use and the line of chance.

    Parameters
    ----------
    curve : pandas.DataFrame
        From :func:`sentiment_lib.metrics.precision_recall_curve`.
    evaluation : Evaluation
        Of the same predictions.
    base_rate : float
        Share of positive reviews: the precision of guessing.
    """
    figure, ((axis,),) = _figure(5.6, 4.2)
    label = f"fine-tuned BERT (AP = {evaluation.average_precision:.3f})"
    axis.step(curve["recall"], curve["precision"], where="post", color=BLUE, lw=2, label=label)
    axis.plot(
        evaluation.recall, evaluation.precision, "o", color=ORANGE, ms=8, label=f"threshold {evaluation.threshold:g}"
    )
    axis.axhline(base_rate, color=GREY, ls="--", label=f"guessing (AP = {base_rate:.3f})")
    axis.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1.02))
    axis.set_ylim(max(0, min(base_rate, curve["precision"].min()) - 0.05), 1.02)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 0.08))
    figure.alt = (
        f"Precision-recall curve of the positive class, average precision {evaluation.average_precision:.3f}, "
        f"against {base_rate:.3f} for guessing. At the threshold {evaluation.threshold:g} precision is "
        f"{evaluation.precision:.3f} and recall {evaluation.recall:.3f}."
    )
    return figure


@_in_house_style
def probability_histogram(labels: Sequence[int], probabilities: Sequence[float]) -> Figure:
    """How the predicted probabilities of negative and of positive reviews are spread."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    figure, ((axis,),) = _figure(6.4, 3.4)
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


@_in_house_style
def attention_heatmap(maps: AttentionMaps, layer: int, head: int) -> Figure:
    """The weights of one head for one text: who (row) looks at whom (column)."""
    import seaborn as sns

    n = len(maps.tokens)
    size = min(14.0, max(4.0, 1.8 + 0.26 * n))
    figure, ((axis,),) = _figure(size + 0.8, size)
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


@_in_house_style
def attention_overview(maps: AttentionMaps) -> Figure:
    """Every head of every layer as a small picture: a row a layer, a column a head."""
    figure, axes = _figure(0.75 * maps.heads + 0.6, 0.8 * maps.layers + 0.6, maps.layers, maps.heads)
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
