"""The self-contained view: what it contains, and what it draws in a browser without a network."""

import base64
import json
import re
import shutil
import zlib
from dataclasses import replace

import numpy as np
import pytest
from support import CHECKOUT
from support.browser import HEADS_DRAWN, chromium_page, listen

from sentiment_lib import attention_maps, attention_view
from sentiment_lib.attention.maps import AttentionMaps, condense
from sentiment_lib.explorer.attention_explorer import ExplorerComponent
from sentiment_lib.explorer.view import front_end

HOSTILE = "<img src=x onerror=alert(1)>"


def maps_of(tokens, layers=2, heads=2, words=(), seed=0):
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(tokens)), (layers, heads, len(tokens)))
    return AttentionMaps(list(tokens), weights.astype("float32"), 0.7, tuple(words))


def data_of(view):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', view._repr_html_(), re.S)[1])


def test_weights_are_stored_to_four_thousandths():
    maps = maps_of("abc")
    panel = data_of(attention_view(maps))["panels"][0]
    codes = np.frombuffer(zlib.decompress(base64.b64decode(panel["packed"])), "u1").reshape(maps.weights.shape)
    np.testing.assert_allclose((codes / 255) ** 2, maps.weights, atol=0.004)
    assert (panel["tokens"], panel["layers"], panel["heads"]) == (["a", "b", "c"], 2, 2)
    assert (panel["word_texts"], panel["windows"]) == (["a", "b", "c"], [])


def test_it_is_compact(bundled):
    text = "A tearjerking, wonderful and never boring film about two old friends. " * 8
    maps = attention_maps(text, *bundled, max_length=64)
    assert len(maps.tokens) == 64
    assert len(attention_view(maps)._repr_html_()) < 500_000  # of the 1,000,000 that are allowed
    assert len(attention_view({"a": maps, "b": maps})._repr_html_()) < 1_000_000
    long = attention_maps(text * 20, *bundled, max_length=512)
    html = attention_view(long)._repr_html_()
    assert len(html) < 10_000_000
    assert data_of(attention_view(long))["panels"][0]["floor"] == 0.002


def test_it_loads_nothing():
    html = attention_view(maps_of("abc"))._repr_html_()
    for forbidden in ("src=", "href=", "@import", "require(", "import(", "fetch(", "XMLHttpRequest", "http:", "https:"):
        assert forbidden not in html, forbidden
    for forbidden in ("innerHTML", "insertAdjacentHTML", "document.write", "eval("):  # text goes in as text only
        assert forbidden not in front_end()


def test_a_text_cannot_break_out_of_the_data():
    html = attention_view(maps_of(["[CLS]", HOSTILE, "</script><script>alert(2)</script>"]))._repr_html_()
    assert HOSTILE not in html
    assert "alert(2)</script>" not in html
    assert data_of(attention_view(maps_of([HOSTILE, "b"])))["panels"][0]["tokens"][0] == HOSTILE


def test_the_same_view_is_the_same_html():
    assert attention_view(maps_of("abc"))._repr_html_() == attention_view(maps_of("abc"))._repr_html_()
    assert attention_view(maps_of("abc"))._repr_html_() != attention_view(maps_of("abc"), layer=1)._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"view": "3d"}, "view='3d' is not one of 'bipartite', 'heatmap', 'overview'"),
        ({"layer": 2}, "layer=2 is out of range; this model has layers 0 to 1"),
        ({"head": -1}, "head=-1 is out of range"),
        ({"more_heads": [0, 7]}, "head=7 is out of range"),
        ({"silenced": [(5, 0)]}, "layer=5 is out of range"),
    ],
)
def test_missing_views_layers_and_heads_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        attention_view(maps_of("abc"), **wrong)


def test_only_maps_of_the_same_tokens_compare():
    with pytest.raises(ValueError, match="different texts or models"):
        attention_view({"a": maps_of("abc"), "b": maps_of("abd")})
    with pytest.raises(ValueError, match="There are 3 maps, 'a', 'b', 'c'; the view compares two"):
        attention_view(dict.fromkeys("abc", maps_of("abc")))


def test_the_widget_runs_the_same_code():
    assert ExplorerComponent._esm.startswith(front_end())


@pytest.fixture
def open_view(tmp_path):
    """Opens a saved view in Chromium without a network; fails on any request or error."""
    with chromium_page(offline=True) as page:
        requested, errors = listen(page)

        def show(view):
            path = view.save(tmp_path / "view.html")
            requested.clear()
            page.goto(path.as_uri())
            page.wait_for_selector("[data-drawn]")
            return page

        yield show
        assert [url for url in requested if not url.startswith("file:")] == []
        assert errors == []


def numbers(page):
    """The weights written beside the tokens, as shares; 0 where none is written."""
    found = page.locator(".number").all_text_contents()
    return [float(text.strip().removesuffix("%")) / 100 if text.strip() else 0.0 for text in found]


PIECES = maps_of(["[CLS]", "un", "##even", "film", "[SEP]"], words=(-1, 0, 0, 1, -1))


@pytest.mark.browser
@pytest.mark.parametrize(("words", "special"), [(False, True), (True, True), (False, False), (True, False)])
def test_the_browser_shows_the_numbers_that_python_computes(open_view, words, special):
    page = open_view(attention_view(PIECES, layer=1, head=1, words=words, special=special))
    expected = condense(PIECES, words=words, special=special)
    assert page.locator(".from .token").all_text_contents() == expected.tokens
    for row in range(len(expected.tokens)):
        page.locator(".from .token").nth(row).hover()
        np.testing.assert_allclose(numbers(page), expected.weights[1, 1, row], atol=0.011)
    assert (
        "divided by its sum" in page.locator("[data-drawn]").text_content() + page.locator(".note").first.text_content()
    ) != special


@pytest.mark.browser
def test_words_and_local_attention_are_shown_as_the_maps_have_them(open_view):
    tokens, words = ["<s>", "😀", "😀", "film", "</s>"], ("<s>", "😀", "😀", "film", "</s>")
    maps = replace(maps_of(tokens, words=(-1, 0, 0, 1, -1)), word_texts=words, windows=(None, 4))
    page = open_view(attention_view(maps, words=True))
    assert page.locator(".from .token").all_text_contents() == ["<s>", "😀", "film", "</s>"]
    about = page.locator(".note").first
    assert "local" not in about.text_content()
    page.get_by_role("slider", name="layer").fill("1")
    assert "local attention in layer 1: a token sees at most 4 tokens to each side" in about.text_content()
    page.get_by_label("view").select_option("overview")
    assert "local attention in layer 1: a token" in about.text_content()


@pytest.mark.browser
def test_all_views_are_drawn_without_a_network(open_view):
    page = open_view(attention_view(PIECES))
    drawn = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    assert page.locator(".lines canvas").evaluate(drawn) > 5
    page.get_by_label("view").select_option("heatmap")
    assert page.locator(".cells canvas").evaluate(drawn) > 5
    page.locator(".cells canvas").hover(position={"x": 30, "y": 5})
    assert re.search(r"“\[CLS\]” looks at “un” with \d", page.get_by_role("status").text_content())
    page.get_by_label("view").select_option("overview")
    assert page.locator(".grid button").count() == 4
    assert page.locator(".grid canvas").evaluate(HEADS_DRAWN, [2, 2]) == 4
    page.get_by_role("button", name="open layer 1, head 0").click()
    assert json.loads(page.locator("[data-drawn]").get_attribute("data-drawn"))["view"] == "heatmap"
    assert "layer 1, head 0" in page.locator(".cells canvas").get_attribute("aria-label")


@pytest.mark.browser
def test_controls_and_several_heads(open_view):
    page = open_view(attention_view(PIECES))
    page.get_by_role("button", name="show head 1").click()
    page.locator(".from .token").nth(1).hover()
    assert page.locator(".number .color").count() >= 6  # two heads' numbers beside the tokens
    page.get_by_role("slider", name="layer").fill("1")
    assert page.locator(".note").first.text_content().startswith("Layer 1, heads 0, 1")
    page.get_by_label("whole words").check()
    assert "uneven" in page.locator(".from").text_content()
    page.get_by_label("without special tokens").check()
    assert page.locator(".from .token").count() == 2


@pytest.mark.browser
def test_by_keyboard_alone(open_view):
    page = open_view(attention_view(PIECES))
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.shadowRoot?.activeElement?.classList.contains('token')"):
            break
    page.keyboard.press("ArrowDown")
    assert "“un” looks at" in page.get_by_role("status").text_content()
    assert sum(numbers(page)) > 0.9
    page.keyboard.press("Escape")
    assert sum(numbers(page)) == 0
    focusable = page.locator(".from button[tabindex='0']").count()
    assert focusable == 1  # one stop of the tab key for the whole list


@pytest.mark.browser
def test_everything_has_a_name(open_view):
    page = open_view(attention_view({"before": PIECES, "after": maps_of(PIECES.tokens, words=PIECES.words, seed=1)}))
    for view in ("bipartite", "heatmap", "overview"):
        page.get_by_label("view").select_option(view)
        nameless = page.evaluate(
            "() => [...document.querySelector('[data-drawn]').shadowRoot.querySelectorAll('button, select, input, canvas[role=img]')]"
            ".filter(e => !(e.ariaLabel || e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label'))).length"
        )
        assert nameless == 0
        assert page.get_by_role("region").count() == 2
    page.get_by_label("difference").check()
    page.get_by_label("view").select_option("heatmap")
    assert page.get_by_role("region", name="after minus before").count() == 1


@pytest.mark.browser
def test_hostile_text_is_shown_and_not_run(open_view):
    tokens = ["[CLS]", HOSTILE, "</script><script>alert(2)</script>", "<svg onload=alert(3)>", "&lt;b&gt;", "[SEP]"]
    page = open_view(attention_view(maps_of(tokens, words=(-1, 0, 1, 2, 3, -1))))
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for view in ("bipartite", "heatmap", "overview"):
        page.get_by_label("view").select_option(view)
        if view != "overview":
            assert page.locator(".from .token, .left .token").all_text_contents() == tokens
            page.locator(".from .token, .left .token").nth(1).hover()
            assert HOSTILE in page.get_by_role("status").text_content()
    page.wait_for_timeout(200)
    assert dialogs == []
    assert page.locator("img").count() == 0


@pytest.mark.browser
def test_512_tokens_do_not_freeze_it(open_view):
    tokens = ["[CLS]", *(f"w{i}" for i in range(510)), "[SEP]"]
    weights = np.zeros((6, 12, 512, 512), "float32")
    weights[:] = np.eye(512, k=-1) * 0.9 + 0.1 / 512
    page = open_view(attention_view(AttentionMaps(tokens, weights, 0.5)))
    for view in ("bipartite", "heatmap", "overview"):
        page.get_by_label("view").select_option(view)
        spent = json.loads(page.locator("[data-drawn]").get_attribute("data-drawn"))["ms"]
        print(f"512 tokens, {view}: {spent} ms")
        assert spent < 5000  # a frozen page would take minutes; the figure is in the benchmark
    page.get_by_label("view").select_option("heatmap")
    page.locator(".left .token").nth(400).focus()
    assert "“w399” looks at w398 90 %" in page.get_by_role("status").text_content()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(scheme, tmp_path):
    path = attention_view(PIECES).save(tmp_path / "view.html")
    with chromium_page(color_scheme=scheme) as page:
        page.goto(path.as_uri())
        page.wait_for_selector("[data-drawn]")
        color = page.locator(".from .token").first.evaluate("e => getComputedStyle(e).color")
        light = sum(map(int, re.findall(r"\d+", color)[:3])) > 380
        assert light == (scheme == "dark")


@pytest.mark.browser
def test_a_lesson_exported_as_a_page_asks_the_network_for_nothing(tmp_path):
    """nbconvert's page of lesson 06, offline: the view works, and the explorer is a picture."""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(CHECKOUT / "notebooks" / "06_explore_attention.ipynb", as_version=4)
    notebook.metadata.pop("widgets", None)  # with it, nbconvert's page asks a CDN for the widget manager
    page_of = HTMLExporter(mathjax_url="", require_js_url="", widget_renderer_url="")
    shutil.copytree(CHECKOUT / "notebooks" / "images", tmp_path / "images")
    path = tmp_path / "lesson.html"
    path.write_text(page_of.from_notebook_node(notebook)[0], encoding="utf-8")
    with chromium_page(offline=True) as page:
        requested, errors = listen(page)
        page.goto(path.as_uri())
        page.wait_for_selector("[data-drawn]")
        page.get_by_label("view").first.select_option("overview")  # the second one shows a pair of texts
        assert page.locator(".grid button").count() == 72
        assert page.locator(".grid canvas").first.evaluate(HEADS_DRAWN, [6, 12]) == 72
        picture = page.locator(".jp-Cell", has_text="corpus = [text for text").locator("img")
        assert picture.count() == 1
        assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
        assert errors == []
