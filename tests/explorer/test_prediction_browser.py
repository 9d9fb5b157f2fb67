import numpy as np
import pandas as pd
import pytest
import traitlets

from sentiment_lib.evaluation.metrics import prediction_table
from sentiment_lib.explorer.prediction_browser import EVERYWHERE, ROWS, PredictionBrowser, render_predictions

N = 20
LABELS = [0, 1] * 10
PROBABILITIES = np.linspace(0.02, 0.97, N).tolist()


@pytest.fixture
def browser():
    texts = [f"review {i} " + ("but " * (i % 3)) + "x" * i for i in range(N)]
    table = prediction_table(texts, LABELS, PROBABILITIES).assign(rating=np.linspace(-2, 2, N), rating_std=1.0)
    return PredictionBrowser(table, {("length", "first half"): np.arange(N) < 10})


def page_of(browser):
    return browser.children[-1].value


def test_it_opens_with_the_most_confident_mistakes(browser):
    table = browser.selected
    assert (table["label"] != table["predicted"]).all()
    assert table["confidence"].is_monotonic_decreasing
    assert len(table) == sum((p >= 0.5) != y for p, y in zip(PROBABILITIES, LABELS, strict=True))
    assert f"{len(table)} of 20 reviews; shown are 1 to {ROWS}" in page_of(browser)
    assert "human rating" in page_of(browser)
    assert "doubt about the label" in page_of(browser)


def test_filters_work_from_code_and_from_the_controls_alike(browser):
    browser.which = "wrong: called positive"
    assert (browser.selected["predicted"] == 1).all()
    assert (browser.selected["label"] == 0).all()
    which, chosen_slice, contains = browser.children[0].children[0].children
    assert which.value == "wrong: called positive"
    which.value = "all"
    assert len(browser.selected) == N
    chosen_slice.value = "length: first half"
    assert browser.selected.index.tolist() == sorted(browser.selected.index, key=lambda i: PROBABILITIES[i])
    assert set(browser.selected.index) == set(range(10))
    contains.value = "BUT but"
    assert set(browser.selected.index) == {2, 5, 8}
    browser.contains, browser.slice = "", EVERYWHERE
    browser.confidence = (0.5, 0.6)
    assert browser.selected["confidence"].max() <= 0.6
    assert browser.children[0].children[1].children[1].value == (0.5, 0.6)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("shortest first", 0), ("longest first", 17), ("most confident first", 0), ("least confident first", 10)],
)
def test_orders(browser, order, expected):
    browser.which, browser.order = "all", order
    assert browser.selected.index[0] == expected


def test_pages(browser):
    browser.which = "all"
    browser.page = 3
    assert "shown are 17 to 20" in page_of(browser)
    assert page_of(browser).count("<tr>") == 1 + 4
    browser.page = 99
    assert browser.page == 3
    browser.contains = "review"
    assert browser.page == 1


def test_readers_without_widgets_see_the_page(browser):
    bundle = browser._repr_mimebundle_()
    assert bundle["text/html"] == page_of(browser)
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_nothing_found_says_so(browser):
    browser.contains = "no such word"
    assert "0 of 20 reviews" in page_of(browser)
    assert len(browser.selected) == 0


def test_markup_in_a_review_is_shown_and_not_run():
    table = prediction_table(["<script>alert(1)</script><img src=x onerror=alert(1)>", "b"], [0, 1], [0.9, 0.9])
    found = render_predictions(table.assign(confidence=0.9), "<b>2</b>")
    assert "<script>" not in found
    assert "<img" not in found
    assert "&lt;script&gt;" in found
    assert "<b>2" not in found


def test_bad_values_are_named(browser):
    with pytest.raises(traitlets.TraitError, match="slice='nowhere' is not known; there are 'all reviews', 'length"):
        browser.slice = "nowhere"
    with pytest.raises(traitlets.TraitError):
        browser.which = "strange"
    with pytest.raises(ValueError, match="predictions is empty"):
        PredictionBrowser(pd.DataFrame(columns=["text", "label", "probability", "predicted"]))
    assert repr(browser) == f"PredictionBrowser(which='wrong', {len(browser.selected)} of 20 reviews)"


def test_without_ratings_and_slices_it_works_too():
    plain = PredictionBrowser(prediction_table(["a", "b"], [0, 1], [0.9, 0.9]))
    assert "human rating" not in page_of(plain)
    assert len(plain.selected) == 1
