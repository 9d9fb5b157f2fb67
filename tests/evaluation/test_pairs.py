import pandas as pd
import pytest

from sentiment_lib.errors import ArgumentError
from sentiment_lib.evaluation import pair_report

PAIRS = pd.DataFrame(
    {
        "pair": [7, 7, 3, 3, 5, 5],
        "text": ["fine", "not fine", "dull", "never dull", "good", "so not good"],
        "label": [1, 0, 0, 1, 1, 0],
    }
)


def shortcut(texts):
    """Positive unless there is a negation or the word dull."""
    return [0.1 if {"not", "never", "dull"} & set(text.split()) else 0.9 for text in texts]


def test_a_shortcut_is_right_on_originals_and_seldom_on_both():
    report = pair_report(PAIRS, shortcut)
    assert report["right"].to_dict() == {"original": 3, "revised": 2, "both": 2}
    assert report.loc["both", "accuracy"] == pytest.approx(2 / 3)
    assert (report["low"] < report["accuracy"]).all()


def test_the_rows_of_a_pair_may_lie_apart():
    scattered = PAIRS.iloc[[0, 2, 4, 1, 3, 5]]
    pd.testing.assert_frame_equal(pair_report(scattered, shortcut), pair_report(PAIRS, shortcut))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="pair"), "no column 'pair'"),
        (lambda table: table.iloc[:5], r"The pair 5 has 1 rows"),
        (lambda table: table.assign(pair=[None, *table["pair"][1:]]), "Row 0 of the table names no pair"),
        (lambda table: table.assign(label=1), "Both texts of the pair 7 have the same label"),
    ],
)
def test_tables_that_are_no_pairs_are_errors(change, message):
    with pytest.raises(ArgumentError, match=message):
        pair_report(change(PAIRS), shortcut)
