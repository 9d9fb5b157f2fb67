import zlib

import numpy as np
import pytest
import traitlets

from sentiment_lib import AttentionExplorer, attention_maps, initialize_model_and_tokenizer, predict
from sentiment_lib.attention.maps import condense
from sentiment_lib.attention.silencing import silenced
from sentiment_lib.explorer.rendering import render_prediction

REVIEWS = {"Good": "A good film, well acted.", "Bad": "A bad film."}
CORPUS = [f"A film with {i} scenes, good ones and bad ones." for i in range(30)] + [
    "Never. Never. Never. Never. Ever, not."
]


@pytest.fixture
def explorer(tiny, tmp_path):
    return AttentionExplorer(*tiny, REVIEWS, corpus=CORPUS, folder=tmp_path)


def probability_of(text, tiny):
    return predict([text], *tiny, precision="float32")[0]


def shown_weights(explorer, panel=-1):
    """The weights that the browser receives, unpacked."""
    packed = explorer.canvas.panels[panel]
    n = len(packed["tokens"])
    codes = np.frombuffer(zlib.decompress(packed["packed"]), "u1").reshape(packed["layers"], packed["heads"], n, n)
    return (codes / 255) ** 2


def test_it_starts_with_the_first_review(explorer, tiny):
    c = explorer.controls
    assert c["text"].value == explorer.text == REVIEWS["Good"]
    assert f"{probability_of(explorer.text, tiny):.3f}" in explorer._prediction.value
    assert (c["layer"].max, c["head"].max, c["play"].max) == (1, 1, 1)
    np.testing.assert_allclose(shown_weights(explorer), explorer.maps.weights, atol=0.004)
    assert explorer.canvas.panels[0]["tokens"] == explorer.maps.tokens


def test_sliders_and_picture_are_linked_in_the_browser_and_to_the_state(explorer):
    linked = {(link.source[0].description, link.target[1]) for link in explorer._links}
    assert linked == {("layer", "layer"), ("head", "head"), ("", "value")}
    explorer.controls["layer"].value = 1
    assert explorer.layer == 1
    explorer.layer = 0
    assert explorer.controls["layer"].value == 0


def test_choosing_and_typing_change_prediction_and_picture(explorer, tiny):
    c = explorer.controls
    c["review"].value = REVIEWS["Bad"]
    assert c["text"].value == "A bad film."
    chosen = explorer._prediction.value
    c["text"].value = "Something else entirely, and quite long, too."
    assert explorer.text == c["text"].value
    assert c["review"].label == "(a text of your own)"  # the list no longer claims that one of its reviews is shown
    assert explorer._prediction.value != chosen
    assert "entirely" in explorer.canvas.panels[0]["tokens"]
    assert f"{probability_of(explorer.text, tiny):.3f}" in explorer._prediction.value


def test_switching_a_head_off_changes_prediction_and_later_layers(explorer, tiny):
    baseline, before = explorer.maps.probability, shown_weights(explorer)
    explorer.head = 1
    explorer.controls["off"].value = True
    assert explorer.silenced == [(0, 1)]
    with silenced(tiny[0], [(0, 1)]):
        expected = probability_of(explorer.text, tiny)
    assert explorer.maps.probability == pytest.approx(expected, abs=1e-6)
    assert abs(expected - baseline) > 1e-4
    assert f"with all heads on {baseline:.3f}" in explorer._prediction.value
    after = shown_weights(explorer)
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[1] - before[1]).max() > 0.01
    assert "layer 0 head 1" in explorer._message.value
    explorer.head = 0
    assert explorer.controls["off"].value is False  # the button is about the head that is shown
    explorer.head = 1
    assert explorer.controls["off"].value is True
    explorer.buttons["all on"].click()
    assert explorer.silenced == []
    assert explorer.maps.probability == baseline
    assert explorer.controls["off"].value is False


def test_state_is_set_and_read_from_code(explorer):
    explorer.text, explorer.layer, explorer.view = "Set from code.", 1, "heatmap"
    explorer.special, explorer.words, explorer.more_heads = False, True, [1]
    explorer.silenced = [(1, 1), (0, 0), (0, 0)]
    c = explorer.controls
    assert (c["text"].value, c["layer"].value, c["view"].value) == ("Set from code.", 1, "heatmap")
    assert (explorer.canvas.view, explorer.canvas.special, explorer.canvas.words) == ("heatmap", False, True)
    assert explorer.canvas.silenced == explorer.silenced == [(0, 0), (1, 1)]
    assert explorer.maps.tokens == ["[CLS]", "set", "from", "code", ".", "[SEP]"]
    assert repr(explorer) == "AttentionExplorer(layer=1, head=0, text='Set from code.', silenced=[(0, 0), (1, 1)])"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layer", 2, "layer=2 is out of range; this model has layers 0 to 1"),
        ("head", -1, "head=-1 is out of range; this model has heads 0 to 1"),
        ("more_heads", [5], "head=5 is out of range"),
        ("silenced", [(0, 9)], "head=9 is out of range"),
        ("compare", "before fine-tuning", r"needs the other model: AttentionExplorer\(..., before=model\)"),
        ("view", "3d", "3d"),
    ],
)
def test_an_impossible_state_is_refused(explorer, name, value, message):
    before = getattr(explorer, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_before_and_after_fine_tuning(tiny, tiny_checkpoint, tmp_path):
    import torch

    other, _ = initialize_model_and_tokenizer(str(tiny_checkpoint))
    with torch.no_grad():
        other.bert.encoder.layer[0].attention.self.query.weight.neg_()
    explorer = AttentionExplorer(*tiny, REVIEWS, before=other, folder=tmp_path)
    explorer.compare = "before fine-tuning"
    assert [panel["title"] for panel in explorer.canvas.panels] == ["before fine-tuning", "now"]
    expected = attention_maps(explorer.text, other, tiny[1], max_length=64).weights
    np.testing.assert_allclose(shown_weights(explorer, 0), expected, atol=0.004)
    explorer.difference = True
    assert "now minus before fine-tuning" in explorer.figure().alt
    explorer.compare = "all heads on"
    explorer.silenced = [(0, 0)]
    assert [panel["title"] for panel in explorer.canvas.panels] == ["all heads on", "now"]
    assert np.abs(shown_weights(explorer, 1) - shown_weights(explorer, 0)).max() > 0.01


def test_reviews_peculiar_for_a_head(explorer):
    table = explorer.peculiar(3)
    assert len(table) == 3
    assert table["text"].isin(CORPUS).all()
    assert table["score"].is_monotonic_decreasing
    explorer.layer = 1
    explorer.buttons["peculiar"].click()
    assert explorer.text == explorer.peculiar(1)["text"][0]
    assert explorer.controls["review"].label.startswith("peculiar for 1·0")


def test_without_a_corpus_there_is_no_such_button(tiny):
    explorer = AttentionExplorer(*tiny, REVIEWS)
    assert explorer.buttons["peculiar"].layout.display == "none"
    with pytest.raises(ValueError, match="There is no corpus to search"):
        explorer.peculiar()


@pytest.mark.parametrize("view", ["bipartite", "heatmap", "overview"])
def test_what_is_shown_can_be_saved(explorer, view, tmp_path):
    from PIL import Image

    explorer.view, explorer.words, explorer.special, explorer.silenced = view, True, False, [(1, 0)]
    picture = Image.open(explorer.save("saved.png"))
    assert min(picture.size) > 300
    assert str(len(condense(explorer.maps, special=False).tokens)) in picture.info["Description"]
    page = explorer.save("saved.html").read_text()
    assert '"silenced": [[1, 0]]' in page
    assert f'"view": "{view}"' in page
    assert {path.name for path in tmp_path.iterdir()} == {"saved.png", "saved.html"}
    for kind in ("png", "html"):
        explorer.buttons[kind].click()
        assert (tmp_path / f"explorer_{view}_layer0_head0.{kind}").is_file()
    assert "saved " in explorer._message.value
    with pytest.raises(ValueError, match=r"name='saved.gif' should end in .png or .html"):
        explorer.save("saved.gif")


def test_an_executed_notebook_shows_a_picture(explorer):
    bundle, metadata = explorer._repr_mimebundle_()
    assert metadata["image/png"]["alt"].startswith("Lines from")
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_an_empty_text_is_no_error(explorer):
    explorer.controls["text"].value = ""
    assert explorer.maps.tokens == ["[CLS]", "[SEP]"]
    explorer.special = False
    explorer.figure()  # nothing is left to draw, and that is no error either


def test_no_reviews_is_an_error(tiny):
    with pytest.raises(ValueError, match="reviews is empty"):
        AttentionExplorer(*tiny, {})


@pytest.mark.parametrize(("probability", "label"), [(0.9, "positive"), (0.1, "negative"), (0.5, "positive")])
def test_the_prediction_is_stated_in_words(probability, label):
    assert "<b style" in render_prediction(probability)
    assert f'aria-label="{label}, probability of positive {probability:.3f}"' in render_prediction(probability)
    compared = render_prediction(probability, 0.5)
    assert "with all heads on 0.500" in compared
    assert f"by {np.log(probability / (1 - probability)):+.2f}" in compared
