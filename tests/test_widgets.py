import base64
import io
import re

import numpy as np
import pytest
import traitlets
from PIL import Image

from sentiment_lib import AttentionExplorer, attention_maps, predict
from sentiment_lib.attention import AttentionMaps
from sentiment_lib.widgets import render_heatmap, render_prediction, render_tokens

REVIEWS = {"Good": "A good film, well acted.", "Bad": "A bad film."}


@pytest.fixture
def explorer(tiny):
    return AttentionExplorer(*tiny, REVIEWS)


def controls(explorer):
    """Dropdown, textarea, layer slider, head slider, and the three things shown."""
    choose, write, sliders, *shown = explorer.children
    return choose, write, *sliders.children, *shown


def test_it_starts_with_the_first_review(explorer, tiny):
    _choose, write, layer, head, prediction, tokens, heatmap = controls(explorer)
    assert write.value == explorer.text == REVIEWS["Good"]
    assert f"{predict([explorer.text], *tiny)[0]:.3f}" in prediction.value
    assert "Layer 0, head 0" in heatmap.value
    assert "acted" in tokens.value
    assert (layer.max, head.max) == (1, 1)


def test_the_sliders_change_the_picture_and_not_the_prediction(explorer):
    _, _, layer, head, prediction, tokens, heatmap = controls(explorer)
    before = prediction.value, tokens.value, heatmap.value
    layer.value, head.value = 1, 1
    assert (explorer.layer, explorer.head) == (1, 1)
    assert prediction.value == before[0]
    assert tokens.value != before[1]
    assert heatmap.value != before[2]
    assert "Layer 1, head 1" in heatmap.value


def test_choosing_and_typing_change_prediction_and_picture(explorer, tiny):
    choose, write, _, _, prediction, _, heatmap = controls(explorer)
    choose.value = REVIEWS["Bad"]
    assert write.value == "A bad film."
    chosen = prediction.value
    write.value = "Something else entirely, and quite long, too."
    assert explorer.text == write.value
    assert choose.label == "(a text of your own)"  # the list no longer claims that one of its reviews is shown
    assert prediction.value != chosen
    assert "entirely" in heatmap.value
    assert f"{predict([write.value], *tiny)[0]:.3f}" in prediction.value


def test_state_is_set_and_read_from_code(explorer):
    _, write, layer, *_ = controls(explorer)
    explorer.text, explorer.layer = "Set from code.", 1
    assert (write.value, layer.value) == ("Set from code.", 1)
    assert explorer.maps.tokens == ["[CLS]", "set", "from", "code", ".", "[SEP]"]
    assert repr(explorer) == "AttentionExplorer(layer=1, head=0, text='Set from code.')"


@pytest.mark.parametrize(("name", "value"), [("layer", 2), ("head", -1)])
def test_a_layer_or_head_that_is_not_there(explorer, name, value):
    with pytest.raises(traitlets.TraitError, match=f"{name}={value} is out of range; this model has {name}s 0 to 1"):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == 0


def test_an_emptied_text_is_no_error(explorer):
    _, write, *_ = controls(explorer)
    write.value = ""
    assert explorer.maps.tokens == ["[CLS]", "[SEP]"]


def test_no_reviews_is_an_error(tiny):
    with pytest.raises(ValueError, match="reviews is empty"):
        AttentionExplorer(*tiny, {})


def test_the_picture_holds_the_weights(tiny):
    maps = attention_maps("A good film, well acted.", *tiny)
    svg = render_heatmap(maps, 1, 0)
    png = base64.b64decode(re.search(r"base64,([^\"]+)", svg)[1])
    pixels = np.asarray(Image.open(io.BytesIO(png))).astype(int)
    assert pixels.shape == (*maps.weights.shape[2:], 3)
    # viridis grows brighter with the weight: the order of the cells is that of their weights
    green = pixels[..., 1].ravel()
    order = np.argsort(maps.weights[1, 0].ravel())
    assert (np.diff(green[order]) >= 0).all()


def test_text_is_shown_and_never_run():
    evil = "<img src=x onerror=alert(1)>"
    weights = np.full((1, 1, 3, 3), 1 / 3, "float32")
    maps = AttentionMaps(["[CLS]", evil, "</text><script>"], weights, 0.5)
    for html in (render_heatmap(maps, 0, 0), render_tokens(maps, 0, 0)):
        assert "<img src=x" not in html
        assert "<script" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_the_shading_is_the_mean_attention_received():
    weights = np.array([[[[0.0, 1.0], [0.5, 0.5]]]], "float32")
    html = render_tokens(AttentionMaps(["one", "##two"], weights, 0.5), 0, 0)
    assert re.findall(r'title="([\d.]+)%', html) == ["25.0", "75.0"]
    assert ">two<" in html


def test_64_tokens_are_sent_in_few_bytes(bundled):
    maps = attention_maps("word " * 100, *bundled, max_length=64)
    assert len(render_heatmap(maps, 0, 0)) < 40_000


@pytest.mark.parametrize(("probability", "label"), [(0.9, "positive"), (0.1, "negative"), (0.5, "positive")])
def test_the_prediction_is_said_in_words(probability, label):
    assert "<b style" in render_prediction(probability)
    assert f'aria-label="{label}, probability of positive {probability:.3f}"' in render_prediction(probability)
