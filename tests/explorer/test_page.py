"""The explorer as a page from disk, in headless Chromium without a network: the model runs in the page."""

import json
import re
import urllib.parse

import numpy as np
import pytest
from support.browser import HEADS_DRAWN, chromium_page, listen, serious
from support.hostile import HOSTILE, LISTEN

from sentiment_lib import Classifier, attention_maps
from sentiment_lib.attention import silence_sets
from sentiment_lib.errors import ModelError
from sentiment_lib.explorer import write_page
from sentiment_lib.settings import Encoding

REVIEWS = {"Good": "A good film, well acted.", "Bad": "A bad film."}
PAIRS = {"pair": ("A good film.", "A bad film.")}
CORPUS = ["A film with good scenes and bad scenes.", "Never. Never. Not ever.", "A good film."] * 4


def write(folder, tiny, **given):
    options = {"reviews": REVIEWS, "pairs": PAIRS, "corpus": CORPUS, "weights": "float16"} | given
    return write_page(folder, *tiny, **options)


class Explorer:
    """The explorer in a page, for a test."""

    def __init__(self, page):
        self.page, self.host = page, page.locator("#explorer")

    def wait(self, name="shown", **expected):
        self.page.wait_for_function(
            "([name, expected]) => { const state = JSON.parse(document.querySelector('#explorer').dataset[name] ?? '{}');"
            " return Object.entries(expected).every(([key, value]) => state[key] === value); }",
            arg=[name, expected],
        )

    @property
    def logit(self):
        return json.loads(self.host.get_attribute("data-shown"))["logit"]

    def button(self, name):
        return self.host.get_by_role("button", name=name)

    def label(self, name):
        return self.host.get_by_label(name, exact=True)


@pytest.fixture
def opened(tmp_path, tiny):
    """A function that opens a page with the tiny model; no request but for its own files, and no error."""
    with chromium_page(offline=True) as page:
        requested, errors = listen(page)

        def show(address="", width=None, **given):
            path = write(tmp_path / "page", tiny, **given)
            if width:
                page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{path.as_uri()}#{address}")
            page.wait_for_selector("[data-shown]")
            return Explorer(page)

        yield show
        assert [url for url in requested if not url.startswith(("file:", "blob:"))] == []
        assert errors == []


def logit_of(probability):
    return np.log(probability / (1 - probability))


@pytest.mark.browser
def test_the_page_computes_what_the_model_computes(opened, tiny):
    explorer = opened()
    explorer.wait(text=REVIEWS["Good"])
    assert explorer.logit == pytest.approx(logit_of(attention_maps(REVIEWS["Good"], *tiny).probability), abs=0.01)
    explorer.label("text of the review").fill("Something else, unheard of.")
    explorer.wait(text="Something else, unheard of.")
    alone = explorer.logit
    assert alone == pytest.approx(logit_of(attention_maps("Something else, unheard of.", *tiny).probability), abs=0.01)
    explorer.button(re.compile("^layer 0, head 0$")).focus()
    explorer.page.keyboard.press("ArrowRight")
    explorer.wait(head=1)
    explorer.page.keyboard.press("o")
    explorer.button("layer 0, head 1, switched off").wait_for()
    explorer.page.wait_for_function(
        "old => JSON.parse(document.querySelector('#explorer').dataset.shown).logit !== old", arg=alone
    )
    classifier = Classifier(*tiny, Encoding(64, "head+tail"), "float32")
    expected = silence_sets([[(0, 1)]], ["Something else, unheard of."], classifier)[0, 0]
    assert explorer.logit == pytest.approx(expected, abs=0.01)
    said = explorer.host.locator(".actions li").last
    assert said.text_content() == f"0·1 off: {'−' if expected < alone else '+'}{abs(explorer.logit - alone):.2f}"


@pytest.mark.browser
def test_everything_can_be_undone(opened):
    explorer = opened()
    first = explorer.logit
    explorer.label("reviews to choose from").select_option("pair")
    explorer.wait(text="A good film.")
    pair = explorer.logit
    assert explorer.label("text to compare with").input_value() == "A bad film."
    explorer.button(re.compile("^layer 1, head 0$")).first.click()
    explorer.page.keyboard.press("t")
    explorer.button("layer 1, head 0, taken from the second text").first.wait_for()
    explorer.page.keyboard.press("Control+z")
    explorer.button(re.compile("^layer 1, head 0$")).first.wait_for()
    explorer.page.wait_for_function(
        "old => JSON.parse(document.querySelector('#explorer').dataset.shown).logit === old", arg=pair
    )
    explorer.button("undo").click()
    explorer.wait(text=REVIEWS["Good"])
    assert explorer.logit == first
    assert explorer.label("text to compare with").input_value() == ""
    assert explorer.button("undo").is_disabled()


@pytest.mark.browser
def test_layers_of_the_second_text_can_be_dragged_or_pressed(opened):
    explorer = opened()
    explorer.label("reviews to choose from").select_option("pair")
    explorer.wait(text="A good film.")
    alone = explorer.logit
    take = explorer.button("take all heads of layer 1 into the review")
    take.drag_to(explorer.host.locator(".cells-grid").first)
    explorer.host.get_by_text("The heads taken over account for").wait_for()
    taken = explorer.logit
    assert taken != alone
    assert explorer.host.locator(".cells-grid").first.locator(".taken").count() == 2
    take.click()  # pressed again, it is given back
    explorer.page.wait_for_function(
        "old => JSON.parse(document.querySelector('#explorer').dataset.shown).logit === old", arg=alone
    )
    explorer.label("text to compare with").fill("A much longer film.")
    explorer.button("take it from the second text").click()
    explorer.host.get_by_text(re.compile("The two texts have 6 and [0-9]+ tokens")).wait_for()


@pytest.mark.browser
def test_what_cannot_be_computed_says_why_and_the_old_answer_looks_old(opened):
    explorer = opened("text=A+good+film.&other=A+much+longer+film.")
    for grid in explorer.host.locator(".cells-grid canvas").all():  # of both texts, also beside "nothing"
        assert grid.evaluate(HEADS_DRAWN, [2, 2]) == 4
    explorer.label("all heads by").select_option("patches")
    reason = explorer.host.locator(".message", has_text=re.compile("The two texts have 6 and [0-9]+ tokens"))
    reason.wait_for()
    explorer.label("text of the review").fill("A bad film.")
    explorer.wait(text="A bad film.")
    explorer.page.wait_for_timeout(300)
    reason.wait_for()  # a reading that works does not take it away
    explorer.button("take it from the second text").click()
    explorer.host.locator(".verdicts.old").wait_for()
    explorer.button("all heads as they were").click()
    explorer.host.locator(".verdicts:not(.old)").wait_for()
    effects = explorer.host.locator(".actions li").all_text_contents()
    assert not any(re.search(r"[+−]\d", effect) for effect in effects)  # nothing is known of what was not computed
    explorer.page.goto(explorer.page.url.partition("#")[0] + "#compare=before+fine-tuning&taken=[[0,0]]&text=Kept.")
    explorer.wait(text="Kept.")
    assert explorer.label("beside").input_value() == "nothing"


@pytest.mark.browser
def test_grid_words_and_search_ask_the_model(opened):
    explorer = opened(changed=np.array([[0.1, 0.2], [0.3, 0.4]]))
    explorer.label("all heads by").select_option("needs")
    explorer.wait("grid", kind="needs", layers=2)
    assert re.search(
        "switching it off changes the logit by [+−]", explorer.button("layer 1, head 1").get_attribute("aria-label")
    )
    explorer.label("all heads by").select_option("patches")
    explorer.host.get_by_text("Not shown: type a second text first.").wait_for()
    explorer.label("all heads by").select_option("changed")
    assert explorer.button("layer 1, head 1, changed by 0.400").count() == 1
    explorer.label("words coloured by").select_option("leaveOut")
    explorer.host.get_by_text("Blue words speak for positive").wait_for()
    assert explorer.host.locator(".word").all_text_contents() == REVIEWS["Good"].split()
    explorer.label("words coloured by").select_option("head")
    explorer.button("film").first.click()
    explorer.host.get_by_text("What “film” looks at in layer 0, head 0").wait_for()
    explorer.label("all heads by").select_option("maps")
    explorer.label("measure").select_option("norms")
    explorer.host.get_by_text(re.compile("a norm of [0-9.]+ or more")).wait_for()
    explorer.host.get_by_text("Search by head").click()
    explorer.button("search with layer 0, head 0").click()
    explorer.host.get_by_text("in 12 reviews. If each row's weights were shuffled").wait_for()
    rows = explorer.host.locator(".found tbody tr").count()
    assert 1 <= rows <= 12
    explorer.button("open review").first.click()
    explorer.page.wait_for_function(
        "list => list.includes(JSON.parse(document.querySelector('#explorer').dataset.shown).text)", arg=CORPUS
    )


@pytest.mark.browser
def test_the_address_leads_to_what_is_shown(opened):
    explorer = opened()
    explorer.label("text of the review").fill("Typed & typed = 100 %.")
    explorer.wait(text="Typed & typed = 100 %.")
    explorer.button(re.compile("^layer 1, head 1$")).click()
    explorer.page.keyboard.press("o")
    explorer.label("view").select_option("heatmap")
    explorer.page.wait_for_function("() => location.hash.includes('view=heatmap')")
    address = explorer.page.evaluate("location.hash").removeprefix("#")
    assert urllib.parse.parse_qs(address)["silenced"] == ["[[1,1]]"]
    again = opened(address)
    again.wait(text="Typed & typed = 100 %.", layer=1, head=1)
    assert again.button("layer 1, head 1, switched off").count() == 1
    assert again.label("view").input_value() == "heatmap"
    wrong = opened("layer=9&head=x&silenced=[[9,9]]&view=3d&special=1&text=Kept.&__proto__=1&taken=7&compare=nonsense")
    wrong.wait(text="Kept.", layer=0, head=0)
    assert wrong.host.locator(".off").count() == 0


@pytest.mark.browser
def test_pictures_and_pages_can_be_kept(opened, tmp_path):
    from PIL import Image

    explorer = opened()
    for kind in ("PNG", "HTML"):
        with explorer.page.expect_download() as download:
            explorer.button(f"save {kind}").click()
        download.value.save_as(tmp_path / f"kept.{kind.lower()}")
    picture = Image.open(tmp_path / "kept.png")
    assert min(picture.size) > 300
    assert len(picture.convert("RGB").getcolors(1_000_000)) > 20
    explorer.page.goto((tmp_path / "kept.html").as_uri())
    explorer.page.get_by_label("view").select_option("overview")
    assert explorer.page.locator(".grid canvas").evaluate(HEADS_DRAWN, [2, 2]) == 4


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(tmp_path, tiny, scheme, width):
    path = write(tmp_path / "page", tiny)
    state = "text=A+good+film.&other=A+bad+film.&compare=second+text&grid=needs&silenced=[[0,0]]&view=heatmap"
    with chromium_page(offline=True, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 900})
        for address in (state, "chips=leaveOut", "view=overview&measure=norms"):
            page.goto("about:blank")
            page.goto(f"{path.as_uri()}#{address}")
            page.wait_for_selector("[data-shown]")
            page.wait_for_timeout(500)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert serious(page) == []


@pytest.mark.browser
def test_all_of_it_can_be_reached_by_keyboard(opened):
    explorer = opened()
    reached = set()
    for _ in range(40):
        explorer.page.keyboard.press("Tab")
        reached.add(
            explorer.page.evaluate("""() => {
            let at = document.activeElement;
            while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
            return at ? at.getAttribute('aria-label') || at.textContent.trim().slice(0, 40) : '';
        }""")
        )
    wanted = {"reviews to choose from", "text of the review", "text to compare with", "words coloured by", "all heads by", "layer 0, head 0",
              "switch this head off", "view", "measure", "beside", "[CLS]", "save PNG", "save HTML", "copy link"}  # fmt: skip
    assert wanted <= reached
    assert any(name.startswith("Search by head") for name in reached)


@pytest.mark.browser
def test_hostile_texts_are_shown_and_never_run(tmp_path, tiny):
    pairs = {text: (text, text) for text in HOSTILE[:3]}
    path = write(
        tmp_path / "page",
        tiny,
        reviews={text: text for text in HOSTILE},
        pairs=pairs,
        corpus=HOSTILE * 3,
        title=HOSTILE[0],
    )
    with chromium_page(offline=True) as page:
        _, errors = listen(page)
        page.add_init_script(LISTEN)
        page.goto(path.as_uri())
        page.wait_for_selector("[data-shown]")
        explorer = Explorer(page)
        for text in HOSTILE[:12]:
            explorer.label("text of the review").fill(text)
            explorer.label("text to compare with").fill(text)
            page.wait_for_timeout(250)
        explorer.host.get_by_text("Search by head").click()
        explorer.button("search with layer 0, head 0").click()
        explorer.host.get_by_text("If each row's weights were shuffled").wait_for()
        explorer.label("words coloured by").select_option("leaveOut")
        page.wait_for_timeout(500)
        with page.expect_download() as download:
            explorer.button("save HTML").click()
        download.value.save_as(tmp_path / "kept.html")
        page.goto((tmp_path / "kept.html").as_uri())
        page.wait_for_selector("[data-drawn]")
        for address in (f"text={urllib.parse.quote(HOSTILE[3])}", urllib.parse.quote(HOSTILE[5])):
            page.goto(f"{path.as_uri()}#{address}")
            page.wait_for_selector("[data-shown]")
        assert page.evaluate("window.ran") == []
        assert errors == []


@pytest.mark.browser
def test_a_page_without_its_model_says_so(tmp_path, tiny):
    path = write(tmp_path / "page", tiny)
    (path.parent / "model.js").unlink()
    with chromium_page(offline=True) as page:
        page.goto(path.as_uri())
        page.get_by_text("model.js should lie beside this page").wait_for()


def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, tiny):
    tiny[0].config.hidden_act, kept = "relu", tiny[0].config.hidden_act
    try:
        with pytest.raises(ModelError, match="relu"):
            write(tmp_path / "page", tiny)
    finally:
        tiny[0].config.hidden_act = kept
    assert not (tmp_path / "page").exists()


def test_the_files_of_a_page_stand_alone(tmp_path, tiny):
    path = write(tmp_path / "page", tiny)
    assert {file.name for file in path.parent.iterdir()} == {"index.html", "explorer.js", "model.js"}
    assert not re.search(r'(src|href)="(?!explorer\.js|model\.js)', path.read_text())
