import json
import re

import numpy as np
import pytest

from sentiment_lib.evaluation.behaviour import (
    TOLERANCE,
    Case,
    behavioural_cases,
    capabilities,
    case_texts,
    run_behavioural_tests,
)

CASES = behavioural_cases()


def test_the_suite_is_large_enough_and_always_the_same():
    table = capabilities()
    assert len(table) >= 12
    assert len(CASES) >= 500
    assert table["cases"].between(30, 80).all()
    assert set(table["kind"]) == {"MFT", "INV", "DIR"}
    assert behavioural_cases() == CASES
    assert (table["the model"].str.len() > 10).all()


def test_every_text_is_a_finished_sentence():
    for text in case_texts():
        assert "{" not in text
        assert "  " not in text
        assert text[0].isupper(), text
        assert text.endswith("."), text
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n (?!hour)[^aeiou]", text), text
        assert not re.search(r"'\w+'", text), text  # a contraction of a contraction


def test_no_case_occurs_twice_and_pairs_differ():
    seen = [(case.capability, case.texts) for case in CASES]
    assert len(set(seen)) == len(seen)
    for case in CASES:
        assert len(case.texts) == (1 if case.kind == "MFT" else 2)
        assert len(set(case.texts)) == len(case.texts), case
        assert case.expected in {"MFT": (0, 1), "INV": (None,), "DIR": (1, -1)}[case.kind]


def test_no_text_is_expected_to_be_both():
    labels = {}
    for case in CASES:
        if case.kind == "MFT":
            assert labels.setdefault(case.texts[0], case.expected) == case.expected, case


def test_typing_mistakes_keep_all_letters_and_change_one_word():
    for case in CASES:
        if case.capability == "typing mistakes":
            before, after = (text.split() for text in case.texts)
            changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
            assert len(changed) == 1
            assert sorted(changed[0][0]) == sorted(changed[0][1])


def oracle(texts):
    """Correct for every MFT case, and 0.5 for all other texts."""
    known = {case.texts[0]: float(case.expected) for case in CASES if case.kind == "MFT"}
    return [known.get(text, 0.5) for text in texts]


def test_a_correct_model_fails_no_minimum_test_and_an_inverted_one_fails_all():
    good = run_behavioural_tests(oracle).table
    assert not good.loc[good["kind"] == "MFT", "failed"].any()
    inverted = run_behavioural_tests(lambda texts: [1 - p for p in oracle(texts)]).table
    assert inverted.loc[inverted["kind"] == "MFT", "failed"].all()


def test_a_model_that_always_says_positive_fails_the_negative_minimum_tests_only():
    table = run_behavioural_tests(lambda texts: np.ones(len(texts))).table
    assert (table["failed"] == (table["expected"].eq(0) & table["kind"].eq("MFT"))).all()


def test_a_model_that_looks_at_a_name_is_caught():
    report = run_behavioural_tests(lambda texts: [0.9 if "Ravi" in text else 0.1 for text in texts])
    rates = report.summary()["failure_rate"]
    assert rates["names of people"] == pytest.approx(2 / 7)  # two of the seven steps from name to name
    assert rates[["names of places", "he and she", "typing mistakes", "contractions"]].eq(0).all()
    worst = report.examples("names of people", 1)
    assert list(worst) == ["text", "changed", "probability", "probability_changed"]
    assert ("Ravi" in worst.loc[0, "text"]) != ("Ravi" in worst.loc[0, "changed"])


@pytest.mark.parametrize(
    ("expected", "after", "failed"),
    [
        (1, 0.6 - TOLERANCE - 0.001, True),
        (1, 0.6 - TOLERANCE + 0.001, False),
        (1, 0.99, False),
        (-1, 0.6 + TOLERANCE + 0.001, True),
        (-1, 0.6 + TOLERANCE - 0.001, False),
        (-1, 0.01, False),
    ],
)
def test_a_direction_may_be_missed_by_the_tolerance(expected, after, failed):
    case = Case("mine", "DIR", ("a", "b"), expected)
    report = run_behavioural_tests(lambda texts: [{"a": 0.6, "b": after}[text] for text in texts], [case])
    assert report.table.loc[0, "failed"] == failed


def test_the_summary_has_wilsons_interval_and_the_worst_failures_come_first():
    cases = [Case("mine", "MFT", (f"t{i}",), 1) for i in range(10)] + [Case("other", "MFT", ("x",), 0)]
    report = run_behavioural_tests(lambda texts: [0.9] * 7 + [0.3, 0.1, 0.2] + [0.4], cases)
    mine = report.summary().loc["mine"]
    assert (mine["cases"], mine["failures"], mine["failure_rate"]) == (10, 3, 0.3)
    # Wilson's interval for 3 of 10, a worked value
    assert (mine["low"], mine["high"]) == (pytest.approx(0.1078, abs=1e-4), pytest.approx(0.6032, abs=1e-4))
    assert report.examples("mine", 2)["text"].tolist() == ["t8", "t9"]
    assert report.examples("mine", 1)["expected"].tolist() == ["positive"]
    assert len(report.examples("other")) == 0
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["mine"]["failures"] == 3
    assert plain["mine"]["examples"] == [["t8"], ["t9"]]
    with pytest.raises(ValueError, match="capability='irony' was not tested; there are 'mine', 'other'"):
        report.examples("irony")


def test_the_model_is_asked_once_for_each_text():
    calls = []
    run_behavioural_tests(lambda texts: calls.append(texts) or [0.5] * len(texts))
    assert len(calls) == 1
    assert len(set(calls[0])) == len(calls[0]) == len(case_texts())


def test_answers_that_are_no_probabilities_are_named():
    with pytest.raises(ValueError, match=r"returned an array of shape \(3,\) for 1024 texts|for \d+ texts"):
        run_behavioural_tests(lambda texts: [0.5] * 3)
    case = [Case("mine", "MFT", ("hello",), 1)]
    with pytest.raises(ValueError, match=r"predict returned 1.5 for 'hello'; a probability lies in \[0, 1\]"):
        run_behavioural_tests(lambda texts: [1.5], case)
    with pytest.raises(ValueError, match="predict returned nan"):
        run_behavioural_tests(lambda texts: [float("nan")], case)


def test_failures_by_label_show_a_shortcut():
    negation = re.compile(r"\b(not|never|nothing|nobody)\b|n't\b", re.IGNORECASE)
    report = run_behavioural_tests(lambda texts: [0.0 if negation.search(text) else 1.0 for text in texts])
    by_label = report.by_label()
    assert by_label.loc[("negated praise", "negative"), "failure_rate"] == 0
    assert by_label.loc[("negated blame", "positive"), "failure_rate"] == 1
    assert by_label.loc[("plain words", "positive"), "failures"] == 0
    assert by_label.loc[("plain words", "negative"), "failure_rate"] == 1
    assert by_label["cases"].sum() == (report.table["kind"] == "MFT").sum()
