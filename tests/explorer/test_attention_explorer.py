import numpy as np
import pytest
import traitlets

from sentiment_lib import AttentionExplorer, attention_maps, initialize_model_and_tokenizer, predict
from sentiment_lib.attention.maps import condense
from sentiment_lib.attention.silencing import silenced

REVIEWS = {"Good": "A good film, well acted.", "Bad": "A bad film."}
PAIRS = {"pair": ("A good film.", "A bad film.")}
CORPUS = [f"A film with {i} scenes, good ones and bad ones." for i in range(30)] + [
    "Never. Never. Never. Never. Ever, not."
]


@pytest.fixture
def explorer(tiny, tmp_path):
    return AttentionExplorer(*tiny, REVIEWS, pairs=PAIRS, corpus=CORPUS, folder=tmp_path)


def probability_of(text, tiny):
    return predict([text], *tiny, precision="float32")[0]


def test_it_starts_with_the_first_review(explorer, tiny):
    c, shown = explorer.controls, explorer.component
    assert shown.text == explorer.text == REVIEWS["Good"]
    assert shown.reviews == [["Good", REVIEWS["Good"]], ["Bad", REVIEWS["Bad"]]]
    assert shown.pairs == [["pair", "A good film.", "A bad film."]]
    assert (c["layer"].max, c["head"].max, c["play"].max) == (1, 1, 1)
    assert (shown.info["layers"], shown.info["heads"]) == (2, 2)
    assert explorer.maps.probability == pytest.approx(probability_of(explorer.text, tiny), abs=1e-6)


def test_sliders_and_picture_are_linked_in_the_browser_and_to_the_state(explorer):
    linked = {(link.source[0].__class__.__name__, link.target[1]) for link in explorer._links}
    assert linked == {("IntSlider", "layer"), ("IntSlider", "head"), ("Play", "value")}
    explorer.controls["layer"].value = 1
    assert explorer.layer == 1
    explorer.layer = 0
    assert explorer.controls["layer"].value == 0
    explorer.component.text = "Typed in the browser."
    assert explorer.text == "Typed in the browser."


def test_switching_a_head_off_changes_prediction_and_later_layers(explorer, tiny):
    before = explorer.maps
    explorer.component.silenced = [[0, 1]]  # as the browser sends it
    assert explorer.silenced == [(0, 1)]
    with silenced(tiny[0], [(0, 1)]):
        expected = probability_of(explorer.text, tiny)
    assert explorer.maps.probability == pytest.approx(expected, abs=1e-6)
    assert abs(expected - before.probability) > 1e-4
    np.testing.assert_array_equal(explorer.maps.weights[0], before.weights[0])
    assert np.abs(explorer.maps.weights[1] - before.weights[1]).max() > 0.01
    explorer.silenced = []
    assert explorer.maps.probability == before.probability


def test_all_heads_taken_from_another_text_give_its_prediction(explorer, tiny):
    """What is left of the text itself are its residual connections: so the first layer's words still count."""
    explorer.text, explorer.other, explorer.compare = *PAIRS["pair"], "second text"
    alone = explorer.maps.probability
    explorer.taken = [(layer, head) for layer in range(2) for head in range(2)]
    second = probability_of(explorer.other, tiny)
    assert abs(explorer.maps.probability - second) < abs(alone - second)
    assert explorer.figure().alt.startswith("review: Lines from")
    assert "good / bad" in explorer.page()._repr_html_()
    explorer.text = explorer.other
    assert explorer.maps.probability == pytest.approx(second, abs=1e-6)  # from an identical text, nothing changes


def test_state_is_set_and_read_from_code(explorer):
    explorer.text, explorer.layer, explorer.view = "Set from code.", 1, "heatmap"
    explorer.special, explorer.words, explorer.more_heads = False, True, [1]
    explorer.silenced = [(1, 1), (0, 0), (0, 0)]
    explorer.measure, explorer.grid, explorer.chips = "norms", "needs", "leaveOut"
    shown = explorer.component
    assert (shown.text, explorer.controls["layer"].value, shown.view) == ("Set from code.", 1, "heatmap")
    assert (shown.special, shown.words, shown.more_heads) == (False, True, [1])
    assert (shown.measure, shown.grid, shown.chips) == ("norms", "needs", "leaveOut")
    assert shown.silenced == explorer.silenced == [(0, 0), (1, 1)]
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
        ("compare", "second text", "needs a second text: set explorer.other first"),
        ("taken", [(2, 0)], "layer=2 is out of range"),
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
    explorer.difference = True
    assert "now minus before fine-tuning" in explorer.figure().alt
    expected = attention_maps(explorer.text, other, tiny[1], max_length=64).weights
    np.testing.assert_array_equal(explorer.engine.maps(explorer.text, which="before").weights, expected)
    explorer.compare = "all heads on"
    explorer.silenced = [(0, 0)]
    assert "now minus all heads on" in explorer.figure().alt


def test_reviews_peculiar_for_a_head(explorer):
    table = explorer.peculiar(3)
    assert len(table) == 3
    assert table["text"].isin(CORPUS).all()
    assert table["score"].is_monotonic_decreasing


def test_a_search_that_stops_early_leaves_the_corpus_whole(explorer, monkeypatch):
    monkeypatch.setattr("sentiment_lib.explorer.kernel_engine.MOST", 1)
    monkeypatch.setattr("sentiment_lib.explorer.kernel_engine.SLICE", 4)
    explorer.peculiar()
    parts = [explorer.engine.answer("search", {"layer": 0, "head": 0})[0] for _ in range(2)]
    assert [part.get("read", part.get("texts")) for part in parts] == [4, 4]
    assert len(explorer.peculiar(len(CORPUS))) == len(CORPUS)


def test_without_a_corpus_there_is_nothing_to_search(tiny):
    explorer = AttentionExplorer(*tiny, REVIEWS)
    assert explorer.component.info["can"]["search"] == "the explorer was given no corpus"
    with pytest.raises(ValueError, match="There is no corpus to search"):
        explorer.peculiar()


def asked(explorer, kind, args):
    """What the browser would get for an answer: content and buffers."""
    sent = []
    explorer.component.send = lambda content, buffers: sent.append((content, buffers))
    explorer.component._handle_custom_msg({"id": "1", "kind": kind, "args": args}, [])
    ((content, buffers),) = sent
    assert content["id"] == "1"
    return content, buffers


def test_the_browser_gets_answers_and_errors(explorer):
    content, buffers = asked(explorer, "read", {"text": explorer.text, "off": [], "take": None, "layer": 0})
    assert content["answer"]["tokens"] == explorer.maps.tokens
    assert (content["names"], len(buffers)) == (["weights"], 1)
    content, _ = asked(explorer, "dance", {})
    assert "asked for 'dance'; it can ask for read, logit, layer, norms" in content["error"]
    take = {"text": "Much longer than that.", "heads": [[0, 0]]}
    content, _ = asked(explorer, "read", {"text": "Short.", "off": [], "take": take, "layer": 0})
    assert "The two texts have 4 and 7 tokens" in content["error"]


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
        answer, _ = asked(explorer, "save", {"kind": kind})
        assert answer["answer"]["said"].endswith(f"explorer_{view}_layer0_head0.{kind}")
        assert (tmp_path / f"explorer_{view}_layer0_head0.{kind}").is_file()
    with pytest.raises(ValueError, match=r"name='saved.gif' should end in .png or .html"):
        explorer.save("saved.gif")


def test_an_executed_notebook_shows_a_picture(explorer):
    bundle, metadata = explorer._repr_mimebundle_()
    assert metadata["image/png"]["alt"].startswith("Lines from")
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_an_empty_text_is_no_error(explorer):
    explorer.text = ""
    assert explorer.maps.tokens == ["[CLS]", "[SEP]"]
    explorer.special = False
    explorer.figure()  # nothing is left to draw, and that is no error either


def test_no_reviews_is_an_error(tiny):
    with pytest.raises(ValueError, match="reviews is empty"):
        AttentionExplorer(*tiny, {})
