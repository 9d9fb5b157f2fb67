"""The lessons in JupyterLab as a learner uses them, on loopback and in headless Chromium."""

import os
from pathlib import Path

import pytest
from support import CHECKOUT
from support.browser import chromium_page, drawn, jupyterlab, run_all_cells

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
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    run_all_cells(page, lab.format("06_explore_attention"))
    drawn(page, view="heatmap", layer=5, head=11)
    assert page.locator("[data-drawn]").count() == 3  # two views without a kernel stand above the explorer
    view = page.locator("[data-drawn]").last
    widget = page.locator(".jp-OutputArea-output:has(.noUi-handle)").last
    prediction = widget.locator("[aria-label*='probability of positive']")
    sliders = widget.locator(".noUi-handle")

    sliders.nth(0).focus()
    page.keyboard.press("ArrowLeft")
    drawn(page, layer=4, head=11)
    assert "layer 4, head 11" in view.locator("canvas[role=img]").get_attribute("aria-label")
    box, track = sliders.nth(1).bounding_box(), widget.locator(".noUi-base").nth(1).bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(track["x"] + 2, box["y"] + 5, steps=12)  # dragged from head 11 to head 0
    page.mouse.up()
    drawn(page, layer=4, head=0)

    play = widget.locator(".widget-play button")
    play.first.click()  # steps through the heads, without the kernel
    drawn(page, layer=4, head=1)
    play.nth(1).click()
    drawn(page, layer=4, head=0)  # stop returns to the first head

    first_prediction = prediction.get_attribute("aria-label")
    area = widget.locator("textarea")
    area.fill("An absolutely wonderful film that I will watch again.")
    page.wait_for_function(
        "old => [...document.querySelectorAll('[aria-label*=\"probability of positive\"]')].at(-1).ariaLabel !== old",
        arg=first_prediction,
    )
    assert prediction.get_attribute("aria-label").startswith("positive")
    view.get_by_role("button", name="absolutely").wait_for()
    area.scroll_into_view_if_needed()
    keep_screenshot(page, "explorer_heatmap")

    widget.get_by_role("combobox").nth(1).select_option("all heads")
    drawn(page, view="overview")
    before = prediction.get_attribute("aria-label")
    pictures = "e => [...e.shadowRoot.querySelectorAll('canvas')].map(c => c.toDataURL())"
    weights = view.evaluate(pictures)
    widget.get_by_role("button", name="switch this head off").click()
    prediction.and_(page.locator("[aria-label*='with all heads on']")).wait_for()
    assert prediction.get_attribute("aria-label") != before
    off = view.get_by_role("button", name="open layer 4, head 0 (switched off)")
    off.wait_for()
    assert view.evaluate(pictures) != weights  # the attention of later layers has changed
    widget.get_by_role("combobox").nth(2).select_option("all heads on")
    view.get_by_role("region", name="now").wait_for()
    keep_screenshot(page, "explorer_all_heads")
    off.last.click()
    drawn(page, view="heatmap", layer=4, head=0)
    widget.get_by_role("combobox").nth(2).select_option("before fine-tuning")
    widget.get_by_label("as difference").check()
    view.get_by_role("region", name="now minus before fine-tuning").wait_for()
    keep_screenshot(page, "explorer_difference")
    widget.get_by_role("button", name="all heads on").click()
    prediction.and_(page.locator(":not([aria-label*='with all heads on'])")).wait_for()

    widget.get_by_role("combobox").nth(1).select_option("lines")
    widget.get_by_role("button", name="reviews peculiar for this head").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea-output select')]"
        ".some(s => /^peculiar.for.4·0/.test(s.selectedOptions[0]?.text))"
    )
    view.get_by_role("button", name="show head 3").click()
    drawn(page, view="bipartite")
    view.locator(".from .token").nth(2).hover()
    keep_screenshot(page, "explorer_lines")
    widget.get_by_role("button", name="save HTML").click()
    widget.get_by_text("saved ").wait_for()
    assert not errors


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
