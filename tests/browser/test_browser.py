"""The lessons in JupyterLab as a learner uses them, on loopback and in headless Chromium."""

import os
import re
from pathlib import Path

import pytest
from support import CHECKOUT
from support.browser import chromium_page, jupyterlab, listen, run_all_cells

from sentiment_lib.course.exercises import exercises
from sentiment_lib.course.quizzes import questions


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with jupyterlab(tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture
def page():
    with chromium_page() as tab:
        yield tab


def keep_screenshot(page, name):
    folder = Path(os.environ.get("SENTIMENT_LIB_SCREENSHOTS") or CHECKOUT / "results" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


def test_the_prediction_browser_filters_in_jupyterlab(lab, page, quick_run):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    run_all_cells(page, lab.format("05_find_the_failures"))
    caption = "[...document.querySelectorAll('.jp-OutputArea-output table caption')].at(-1)"
    page.wait_for_function(f"() => /^[0-9]+ of 1,902 reviews; shown are 1 to 8$/.test({caption}?.textContent)")
    before = page.evaluate(f"{caption}.textContent")
    page.locator(".jp-OutputArea-output input[placeholder*='such as not']").last.fill("never")
    page.wait_for_function(f"old => {caption}.textContent !== old", arg=before)
    rows = "[...document.querySelectorAll('.jp-OutputArea-output table:has(caption) tbody tr')]"
    page.wait_for_function(  # the rows of the old table may still be there when the caption has changed
        f"() => {rows}.length > 0 && {rows}.every(row => row.textContent.toLowerCase().includes('never'))"
    )
    assert page.evaluate(f"{rows}.length") <= 8
    page.locator(".jp-OutputArea-output select").first.select_option("right")
    page.wait_for_function(f"() => {rows}.every(row => row.textContent.includes('✓'))")
    page.evaluate(f"{caption}.scrollIntoView({{block: 'center'}})")
    keep_screenshot(page, "prediction_browser")
    assert not errors


def test_the_explorer_answers_in_jupyterlab(lab, page, quick_run):
    requested, errors = listen(page)
    run_all_cells(page, lab.format("06_explore_attention"))
    use_the_explorer(page, errors)
    assert [url for url in requested if not url.startswith(("http://127.0.0.1", "data:", "blob:"))] == []


def test_the_explorer_answers_in_notebook_7(page, quick_run, tmp_path):
    requested, errors = listen(page)
    with jupyterlab(tmp_path, "notebook") as address:
        run_all_cells(page, address.format("06_explore_attention"))
        use_the_explorer(page, errors)
    assert [url for url in requested if not url.startswith(("http://127.0.0.1", "data:", "blob:"))] == []


def use_the_explorer(page, errors):
    """All that a learner does with it, in JupyterLab or in Notebook 7."""
    page.locator("[data-shown]").wait_for()
    errors.clear()  # Notebook 7 has one of its own while it starts
    explorer = page.locator("[data-shown]").last
    widget = page.locator(".jp-OutputArea-output:has(.noUi-handle)").last
    explorer.scroll_into_view_if_needed()
    state(page, layer=5, head=11)
    verdict = explorer.locator(".verdict").first
    sliders = widget.locator(".noUi-handle")

    sliders.nth(0).focus()
    page.keyboard.press("ArrowLeft")
    state(page, layer=4, head=11)
    sliders.nth(1).scroll_into_view_if_needed()
    box, track = sliders.nth(1).bounding_box(), widget.locator(".noUi-base").nth(1).bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(track["x"] + 2, box["y"] + 5, steps=12)  # dragged from head 11 to head 0
    page.mouse.up()
    state(page, layer=4, head=0)
    play = widget.locator(".widget-play button")
    play.first.click()  # steps through the heads, without the kernel
    state(page, layer=4, head=1)
    play.nth(1).click()
    state(page, layer=4, head=0)  # stop returns to the first head

    explorer.get_by_label("text of the review").fill("An absolutely wonderful film that I will watch again.")
    state(page, text="An absolutely wonderful film that I will watch again.")
    assert verdict.get_attribute("aria-label").startswith("positive")
    keep_screenshot(page, "explorer")

    explorer.get_by_role("button", name=re.compile("^layer 4, head 0")).focus()
    page.keyboard.press("o")
    explorer.get_by_role("button", name="layer 4, head 0, switched off").wait_for()
    page.wait_for_function(
        "() => /4·0 off: [+−]\\d/.test([...document.querySelectorAll('[data-shown]')].at(-1).shadowRoot.querySelector('.actions').textContent)"
    )
    assert "without changes" in verdict.get_attribute("aria-label")
    page.keyboard.press("Control+z")
    explorer.get_by_role("button", name=re.compile("^layer 4, head 0$")).wait_for()

    explorer.get_by_label("all heads by").select_option("needs")
    grid(page, kind="needs", layers=6)
    assert "changes the logit by" in explorer.get_by_role("button", name="layer 5, head 3").get_attribute("aria-label")
    explorer.get_by_label("words coloured by").select_option("leaveOut")
    explorer.get_by_text("Blue words speak for positive").wait_for()
    explorer.get_by_label("measure").select_option("norms")
    keep_screenshot(page, "explorer_needs")

    explorer.get_by_label("reviews to choose from").select_option("pair: really / not boring")
    explorer.get_by_role("button", name="take all heads of layer 5 into the review").click()
    explorer.get_by_text("The heads taken over account for").wait_for()
    keep_screenshot(page, "explorer_pair")
    explorer.get_by_role("button", name="all heads as they were").click()
    explorer.get_by_label("beside").select_option("before fine-tuning")
    explorer.get_by_role("region", name="before fine-tuning").wait_for()

    explorer.get_by_text("Search by head").click()
    explorer.get_by_role("button", name="search with layer").click()
    explorer.get_by_role("button", name="open review").first.click()
    explorer.get_by_role("button", name="save HTML").click()
    explorer.get_by_text("saved ").wait_for()
    assert not errors


def state(page, **expected):
    """Wait until the explorer shows this."""
    wait_for(page, "shown", expected)


def grid(page, **expected):
    wait_for(page, "grid", expected)


def wait_for(page, name, expected):
    page.wait_for_function(
        "([name, expected]) => { const all = [...document.querySelectorAll('[data-shown]')];"
        " const state = JSON.parse(all.at(-1)?.dataset[name] ?? '{}');"
        " return Object.entries(expected).every(([key, value]) => state[key] === value); }",
        arg=[name, expected],
    )


def test_exercises_and_questions_answer_in_jupyterlab(lab, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    run_all_cells(page, lab.format("01_prepare_data"))
    page.get_by_text("○ Exercise 01.1: not attempted yet.").scroll_into_view_if_needed()
    first = exercises("01")[0]
    wrong = f"{first.answer.replace(', ', ' = ')} = 0.5"
    for source, verdict in ((wrong, "✗ Exercise 01.1"), (first.solution, "✓ Exercise 01.1")):
        page.locator(".jp-CodeCell", has_text='check("01.1"').locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(f'{source}\ncheck("01.1", {first.answer})')
        page.keyboard.press("Shift+Enter")
        page.get_by_text(verdict).wait_for()
    keep_screenshot(page, "exercise")

    question = questions("01")[0]
    form = page.locator(".jp-OutputArea-output:has(.widget-radio-box, .widget-checkbox)").first
    form.scroll_into_view_if_needed()
    boxes = form.locator("input")
    assert boxes.count() == len(question.options)
    boxes.first.focus()
    wrong = next(i for i, (_, right, _) in enumerate(question.options) if not right)
    boxes.nth(wrong).check()
    form.get_by_role("button", name="Answer").press("Enter")  # by keyboard
    form.get_by_text("Not right yet.").wait_for()
    assert form.get_by_text(question.options[wrong][2]).count() == 1
    keep_screenshot(page, "question")
    assert not errors
    folded = page.locator("details", has_text="Options and answers").first
    folded.locator("summary").click()
    assert folded.get_by_text(question.options[0][2]).is_visible()
    page.locator("img[alt*='flow of data']").first.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector(\"img[alt*='flow of data']\").naturalWidth > 400")
    keep_screenshot(page, "head_of_a_lesson")


def test_key_terms_lead_to_their_entries_in_jupyterlab(lab, page):
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # JupyterLab draws a large notebook bit by bit

    page.goto(lab.format("03_fine_tune"))
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle")
    page.locator("a[href*='glossary.ipynb'][href$='#cell-id=warm-up']").first.click()
    shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(shown.locator("h2[data-jupyter-id='warm-up']")).to_be_in_viewport()
    shown.locator(
        ".jp-Cell:has(h2[data-jupyter-id='warm-up']) a", has_text="learning rate"
    ).click()  # from entry to entry
    expect(shown.locator("h2[data-jupyter-id='learning-rate']")).to_be_in_viewport()
    keep_screenshot(page, "glossary")
