import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from transformers import BertConfig

from sentiment_lib import evaluate, plots
from sentiment_lib.attention.attribution import WordEffects
from sentiment_lib.attention.maps import AttentionMaps
from sentiment_lib.evaluation.calibration import reliability
from sentiment_lib.evaluation.metrics import choose_threshold, precision_recall_curve, roc_curve

LABELS = [0, 1] * 10
PROBABILITIES = np.linspace(0.05, 0.95, 20)
HISTORY = pd.DataFrame(
    {
        "step": [0, 5, 10],
        "epoch": [0.0, 0.5, 1.0],
        "loss": [np.nan, 0.6, 0.3],
        "validation_loss": [0.7, np.nan, 0.4],
        "validation_accuracy": [0.5, np.nan, 0.8],
    }
)


@pytest.fixture
def maps():
    weights = np.random.default_rng(0).dirichlet(np.ones(5), (3, 4, 5)).astype("float32")
    return AttentionMaps(["[CLS]", "not", "<b>", "$5_x^2$", "[SEP]"], weights, 0.8)


TABLE = pd.DataFrame({"estimate": [0.7, 0.8], "low": [0.6, np.nan], "high": [0.8, np.nan]}, index=["a", "b & $x$"])
RUNS = pd.DataFrame({"method": list("aabb"), "train_size": [10, 100] * 2, "accuracy": [0.6, 0.7, 0.65, 0.8]})
SUMMARY = RUNS.rename(columns={"accuracy": "mean"}).assign(
    runs=3, low=[0.5, np.nan, 0.6, 0.7], high=[0.7, np.nan, 0.7, 0.9]
)


GRID = np.linspace(0, 1, 6).reshape(2, 3)
LEFT = pd.DataFrame({"silenced": [0, 3, 6], "accuracy": [0.9, 0.8, 0.5], "change": [0, -0.1, -0.4]})
LEFT = LEFT.assign(low=LEFT["change"] - 0.02, high=LEFT["change"] + 0.02)
WORDS = WordEffects(("$5", "film"), (1.0, -0.5), 0.6)
DELETION = pd.DataFrame({"method": list("aabb"), "fraction": [0.1, 0.5] * 2, "estimate": [0.1, 0.2, 0.3, 0.4]})
DELETION = DELETION.assign(low=DELETION["estimate"] - 0.05, high=DELETION["estimate"] + 0.05)
NO_LABELS = (
    "architecture",
    "head maps",
    "position map",
    "signed head maps",
    "overview",
    "reliability",
    "lines",
    "change of lines",
    "clusters",
    "side by side",
    "deletion",
)


def every_figure(maps):
    evaluation, curve = evaluate(LABELS, PROBABILITIES), precision_recall_curve(LABELS, PROBABILITIES)
    bins = reliability(LABELS, PROBABILITIES, 5)
    return {
        "lengths": plots.review_lengths({"train": [5, 9, 80], "test": [7, 8]}, 64),
        "training": plots.training_curve(HISTORY, 0.52),
        "architecture": plots.architecture(BertConfig(num_labels=2), 7),
        "confusion": plots.confusion_matrix([[3, 2], [1, 4]]),
        "curve": plots.precision_recall_curve({"BERT": curve}, {"BERT": evaluation.average_precision}, 0.5),
        "roc": plots.roc_curve({"BERT": roc_curve(LABELS, PROBABILITIES)}, {"BERT": evaluation.roc_auc}),
        "thresholds": plots.thresholds(curve, [choose_threshold(LABELS, PROBABILITIES)]),
        "probabilities": plots.probability_histogram(LABELS, PROBABILITIES),
        "reliability": plots.reliability_diagram({"before": bins, "after": bins}, {"before": 0.1, "after": 0.05}),
        "intervals": plots.intervals(
            TABLE, title="All", xlabel="accuracy", line=0.75, dots=[[0.7], []], pale=[False, True]
        ),
        "agreement": plots.agreement(pd.DataFrame([[0, 3], [5, 0]], index=["a", "b"], columns=["a", "b"])),
        "failures": plots.failure_rates(pd.DataFrame({"BERT": [0.1, 0.9]}, index=["irony", "praise"])),
        "words": plots.word_effects(WordEffects(("$5", "film"), (1.0, -0.5), 0.6)),
        "learning": plots.learning_curve(SUMMARY, RUNS, by="method", title="Learning"),
        "heatmap": plots.attention(maps, layer=1, head=2),
        "overview": plots.attention(maps, "overview", silenced=[(1, 2)]),
        "lines": plots.attention(maps, "bipartite", layer=1, head=2, more_heads=[0]),
        "change": plots.attention({"before": maps, "after": maps}, layer=1, difference=True),
        "change of lines": plots.attention({"before": maps, "after": maps}, "bipartite", difference=True),
        "two": plots.attention({"before": maps, "after": maps}, layer=2),
        "head maps": plots.head_maps({"entropy": GRID, "share": GRID}, decimals=1),
        "position map": plots.position_map(GRID - 0.5, [f"$t{i}" for i in range(GRID.shape[1])]),
        "signed head maps": plots.head_maps({"change": GRID - 0.5}, signed=True),
        "heads left": plots.heads_left({"by ablation": LEFT, "by gradient": LEFT}, 6, {3: [0.7, 0.8]}),
        "side by side": plots.words_side_by_side({"attention": WORDS.without_signs(), "leave one out": WORDS}),
        "deletion": plots.deletion_curves(DELETION, DELETION),
    }


def test_every_figure_has_labels_and_alternative_text_and_is_drawn(maps, tmp_path):
    for name, figure in every_figure(maps).items():
        assert len(figure.alt) > 40, name
        assert "nan" not in figure.alt, name
        picture = Image.open(io.BytesIO(plots.to_png(figure)))
        assert min(picture.size) > 250, name
        assert np.asarray(picture.convert("L")).std() > 5, name
        if name not in NO_LABELS:  # panels that share their labels, and lines between words
            for axis in figure.axes:
                assert axis.get_ylabel() or axis.get_xlabel(), name


def test_figures_say_which_layers_have_local_attention(maps):
    local = replace(maps, windows=(None, 7, 7))
    assert "local attention: 7 tokens" in plots.attention(local, layer=1).axes[0].get_title("left")
    assert "local" not in plots.attention(local, layer=0).axes[0].get_title("left")
    overview = plots.attention(local, "overview")
    assert local.note in overview.alt
    assert "Layers 1, 2 (2 of 3): local attention" in overview.get_supxlabel()
    assert plots.attention(maps, "overview").get_supxlabel() == ""
    figure = plots.head_maps({"a": GRID}, note="Layer 1 (1 of 2): local attention.")
    assert figure.alt.endswith("Layer 1 (1 of 2): local attention.")
    assert "local" in figure.get_supxlabel()
    assert plots.head_maps({"a": GRID}).get_supxlabel() == ""


def test_the_same_figure_is_the_same_file(maps):
    first, second = (plots.to_png(plots.attention(maps, layer=0, head=0)) for _ in range(2))
    assert first == second


def test_what_the_figures_show_is_what_they_were_given(maps):
    figure = plots.confusion_matrix([[3, 2], [1, 4]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["3\n60.0%", "2\n40.0%", "1\n20.0%", "4\n80.0%"]
    assert "Of 5 negative reviews 3 were called negative and 2 positive" in figure.alt
    heatmap = plots.attention(maps, layer=1, head=2)
    assert np.allclose(heatmap.axes[0].collections[0].get_array(), maps.weights[1, 2])
    assert [t.get_text().replace(r"\$", "$") for t in heatmap.axes[0].get_yticklabels()] == maps.tokens
    curve = plots.training_curve(HISTORY).axes[1].lines[0]
    assert curve.get_ydata().tolist() == [0.5, 0.8]


def test_the_figures_of_the_comparisons_show_their_tables(maps):
    figures = every_figure(maps)
    assert "a 0.700 [0.600, 0.800]; b & $x$ 0.800." in figures["intervals"].alt
    assert "b right, a wrong" in figures["agreement"].alt
    assert "BERT: praise (90%)" in figures["failures"].alt
    assert "a from 0.600 to 0.700; b from 0.650 to 0.800" in figures["learning"].alt
    points = figures["reliability"].axes[0].lines[1]
    assert points.get_xdata().tolist() == reliability(LABELS, PROBABILITIES, 5)["probability"].tolist()
    bars = [bar.get_height() for bar in figures["reliability"].axes[2].patches]
    assert sum(bars) == len(LABELS)
    assert [bar.get_width() for bar in figures["words"].axes[0].patches] == [1.0, -0.5]


def test_the_figures_of_heads_and_words_show_their_numbers(maps):
    figures = every_figure(maps)
    assert "entropy: most in layer 1, head 2 (1.00)" in figures["head maps"].alt
    assert [text.get_text() for text in figures["head maps"].axes[0].texts] == [
        "0.0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1.0",
    ]
    assert "The largest value is -0.50, at '$t0' before layer 0." in figures["position map"].alt
    left = figures["heads left"].axes[0]
    assert [line.get_xdata().tolist() for line in left.lines if len(line.get_xdata()) == 3] == [[6, 3, 0]] * 2
    assert [line.get_ydata().tolist() for line in left.lines if len(line.get_xdata()) == 3] == [[0.9, 0.8, 0.5]] * 2
    (dots,) = [line for line in left.lines if len(line.get_xdata()) == 2]  # three heads off: random sets
    assert (list(dots.get_xdata()), list(dots.get_ydata())) == ([3, 3], [0.7, 0.8])
    colors = figures["side by side"].axes[0].images[0].get_array()
    assert len({*colors[0, 0, :3]}) == 1  # attention has no sign: grey
    assert colors[0, 1, 2] > colors[0, 1, 0]  # speaks for positive: blue
    assert colors[1, 1, 0] > colors[1, 1, 2]  # speaks for negative: orange
    lines = figures["lines"].axes[0].collections
    assert len(lines) == 2
    assert len(lines[0].get_segments()) == (maps.weights[1, 2] >= 0.01).sum()
    mosaic = figures["overview"].axes[0].images[0].get_array()
    assert np.ma.filled(mosaic, np.nan)[:5, :5] == pytest.approx(maps.weights[0, 0])
    assert [text.get_text() for text in figures["overview"].axes[0].texts] == ["off"]
    assert not figures["change"].axes[0].collections[0].get_array().any()  # nothing changed


def test_names_are_drawn_as_they_are_and_there_may_be_more_than_looks():
    names = [f"$\\frac{{$ {i}" for i in range(9)]
    table = pd.DataFrame([[0.5, 0.4, 0.6]] * 9, index=names, columns=["estimate", "low", "high"])
    figure = plots.intervals(table, title="a $b$ c$", xlabel="$x$")
    assert plots.to_png(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    many = pd.concat(DELETION.assign(method=name) for name in names)
    assert len(plots.deletion_curves(many, many).axes[1].get_legend().get_texts()) == 9


def test_a_figure_of_any_size_is_drawn_straight():
    """A size that is not a whole number of dots once sheared the picture."""
    figure = plots.head_maps({str(i): GRID for i in range(3)})
    figure.set_size_inches(5.0999, 2.0333)
    picture = Image.open(io.BytesIO(plots.to_png(figure)))
    assert abs(picture.width - 5.0999 * 150) <= 1


def test_show_keeps_the_file_and_the_alternative_text(maps, tmp_path):
    path = tmp_path / "new" / "a.png"
    image = plots.show(plots.attention(maps, layer=0, head=1), path)
    assert path.read_bytes() == image.data
    assert image.alt.startswith("Attention weights of layer 0, head 1")
    assert Image.open(path).info["Description"] == image.alt
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_pyplot_is_left_alone(maps):
    import matplotlib.pyplot as plt

    plots.attention(maps, layer=0, head=0)
    assert plt.get_fignums() == []
