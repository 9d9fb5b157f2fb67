import numpy as np
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import proportion_confint

from sentiment_lib.evaluation.significance import holm
from sentiment_lib.evaluation.slices import CONTRAST, NEGATION, make_slices, slice_report


@pytest.mark.parametrize(
    "text", ["not good", "It isn't.", "does n't work", "Never again", "isn’t it", "without wit", "NO"]
)
def test_negations_are_found(text):
    assert NEGATION.search(text)


@pytest.mark.parametrize("text", ["knots", "a notable film", "nevermore", "another", "nobility", "innocent"])
def test_words_that_only_hold_one_are_no_negations(text):
    assert not NEGATION.search(text)


def test_contrast_words():
    assert CONTRAST.search("Slow, but good.")
    assert CONTRAST.search("in spite of it all")
    assert not CONTRAST.search("a butler, a button")


def test_slices_by_length_and_ratings_share_out_all_texts():
    texts = [" ".join(["word"] * n) for n in range(1, 101)]
    rating = np.linspace(-4, 4, 100)
    found = make_slices(texts, rating, np.linspace(0, 2, 100))
    for subject in ("length", "strength of the rating", "disagreement of the raters"):
        marks = np.array([mask for (of, _), mask in found.items() if of == subject])
        assert len(marks) == 4
        assert (marks.sum(axis=0) == 1).all(), subject
    sizes = [mask.sum() for (of, _), mask in found.items() if of == "length"]
    assert sizes == [25, 25, 25, 25]
    assert found["strength of the rating", "rated 2 to 4 from neutral"][[0, -1]].all()
    assert not [subject for subject, _ in make_slices(texts) if "rat" in subject]


@pytest.mark.parametrize(
    ("lengths", "names"),
    [
        ([1001, 1002, 1003, 1004] * 5, ["up to 1,001", "1,001 to 1,002", "1,002 to 1,003", "over 1,003"]),
        ([3, 4, 5, 1_500] * 5, ["up to 3", "3 to 4", "4 to 378", "over 378"]),
        ([7] * 20, ["up to 7"]),
    ],
)
def test_quarters_of_any_length_have_names_of_their_own(lengths, names):
    found = {name: mask for (of, name), mask in make_slices(["word " * n for n in lengths]).items() if of == "length"}
    assert list(found) == [f"{name} words" for name in names]
    assert sum(found.values()).tolist() == [1] * 20


def test_a_slice_without_texts_is_left_out():
    assert ("negation", "with a negation") not in make_slices(["good"] * 8)


def made_up():
    """1,000 texts, 80 % right; one slice of 300 with 60 %, one of 300 with 90 %, one of 20."""
    rng = np.random.default_rng(0)
    right = np.zeros(1000, dtype=bool)
    right[:180] = right[300:570] = right[600:950] = True
    bad, good, few = (np.zeros(1000, dtype=bool) for _ in range(3))
    bad[:300] = good[300:600] = True
    few[rng.permutation(1000)[:20]] = True
    anything = np.zeros(1000, dtype=bool)
    anything[::2] = True
    return right, {("a", "bad"): bad, ("a", "good"): good, ("b", "few"): few, ("c", "every second"): anything}


def test_the_report_is_worst_first_with_intervals_and_verdicts():
    right, slices = made_up()
    report = slice_report(right, slices).set_index("slice")
    assert report["accuracy"].is_monotonic_increasing
    assert report["count"].to_dict() == {"bad": 300, "good": 300, "few": 20, "every second": 500}
    assert report.loc["bad", "accuracy"] == 0.6
    assert report.loc["bad", ["low", "high"]].tolist() == pytest.approx(proportion_confint(180, 300, method="wilson"))
    assert report["verdict"].to_dict() == {
        "bad": "worse",
        "good": "better",
        "few": "too few to say",
        "every second": "no clear difference",
    }


def test_a_small_slice_that_is_clearly_worse_is_called_worse():
    right = np.ones(1000, dtype=bool)
    right[:12] = False
    small = np.arange(1000) < 20
    (row,) = slice_report(right, {("a", "small"): small}).to_dict("records")
    assert (row["high"] - row["low"]) / 2 > 0.1
    assert row["verdict"] == "worse"


def test_p_values_are_fishers_against_the_rest_and_corrected():
    right, slices = made_up()
    report = slice_report(right, slices).set_index("slice")
    raw = [fisher_exact([[right[m].sum(), (~right[m]).sum()], [right[~m].sum(), (~right[~m]).sum()]]).pvalue for m in slices.values()]  # fmt: skip
    expected = dict(zip([name for _, name in slices], holm(raw), strict=True))
    assert report["p_holm"].to_dict() == pytest.approx(expected, abs=1e-12)


def test_a_slice_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="The slice 'mine' marks 0 of 3 texts; there are 3"):
        slice_report([True, False, True], {("x", "mine"): [False] * 3})
    with pytest.raises(ValueError, match="The slice 'mine' marks 2 of 2 texts; there are 3"):
        slice_report([True, False, True], {("x", "mine"): [True] * 2})
