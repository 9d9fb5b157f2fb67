import numpy as np
import pytest
from sklearn import metrics as skl
from sklearn.calibration import calibration_curve

from sentiment_lib.evaluation.calibration import (
    apply_platt,
    apply_temperature,
    calibration_report,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    reliability,
)


def sample(n, sharpness=1.0, seed=0):
    """Labels drawn with the probability sigmoid(logit), and a model that predicts sigmoid(sharpness * logit)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(int)
    return labels, 1 / (1 + np.exp(-sharpness * logits))


def test_the_error_of_a_worked_example():
    # two bins: 0.2, 0.4 hold one positive of two (gap 0.2); 0.7, 0.9, 0.9 hold two of three (gap 1/6)
    labels, probabilities = [0, 1, 1, 1, 0], [0.2, 0.4, 0.7, 0.9, 0.9]
    assert expected_calibration_error(labels, probabilities, bins=2) == pytest.approx(
        2 / 5 * 0.2 + 3 / 5 * (2.5 - 2) / 3
    )
    table = reliability(labels, probabilities, bins=2)
    assert table["count"].tolist() == [2, 3]
    assert table["observed"].tolist() == pytest.approx([0.5, 2 / 3])
    # Wilson's interval of 1 of 2 at 95 %
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.0945, 0.9055], abs=1e-4)


@pytest.mark.parametrize(("strategy", "theirs"), [("width", "uniform"), ("mass", "quantile")])
def test_bins_are_scikit_learns(strategy, theirs):
    labels, probabilities = sample(3000, 1.5)
    observed, mean = calibration_curve(labels, probabilities, n_bins=15, strategy=theirs)
    found = reliability(labels, probabilities, 15, strategy)
    assert found["observed"].to_numpy() == pytest.approx(observed, abs=1e-9)
    assert found["probability"].to_numpy() == pytest.approx(mean, abs=1e-9)
    assert found["count"].sum() == 3000
    if strategy == "mass":
        assert found["count"].tolist() == [200] * 15


def test_brier_score_and_log_loss_are_scikit_learns():
    labels, probabilities = sample(500, 2)
    found = calibration_report(labels, probabilities, resamples=200)
    assert found.brier.estimate == pytest.approx(skl.brier_score_loss(labels, probabilities), abs=1e-9)
    assert found.log_loss == pytest.approx(skl.log_loss(labels, probabilities), abs=1e-9)


def test_a_perfect_model_is_told_from_one_that_is_too_sure():
    perfect, overconfident = (
        calibration_report(*sample(2000, sharpness, seed=3), resamples=1000) for sharpness in (1, 2)
    )
    assert perfect.p_width > 0.05
    assert perfect.ece_width.low == 0
    assert perfect.ece_width.estimate == pytest.approx(perfect.ece_width_by_chance, abs=0.01)
    assert overconfident.p_width < 0.01
    assert overconfident.p_mass < 0.01
    assert overconfident.ece_width.low > 0.05
    assert overconfident.ece_width.low < overconfident.ece_width.estimate < overconfident.ece_width.high


@pytest.mark.slow
@pytest.mark.parametrize(("sharpness", "least"), [(1.0, 0.93), (2.0, 0.9)])
def test_the_interval_of_the_error_holds_the_truth(sharpness, least):
    truth = expected_calibration_error(*sample(1_000_000, sharpness, seed=99))
    inside = 0
    for seed in range(200):
        found = calibration_report(*sample(1000, sharpness, seed), resamples=300, seed=seed).ece_width
        inside += found.low <= truth + 1e-3 and truth <= found.high
    assert least <= inside / 200 <= 1.0


def test_the_temperature_undoes_what_was_done():
    labels, probabilities = sample(20_000, 2.5)
    temperature = fit_temperature(labels, probabilities)
    assert temperature == pytest.approx(2.5, abs=0.1)
    corrected = apply_temperature(probabilities, temperature)
    before = expected_calibration_error(labels, probabilities)
    assert expected_calibration_error(labels, corrected) < 0.2 * before
    # it is the minimum: the log loss rises on both sides
    losses = [skl.log_loss(labels, apply_temperature(probabilities, temperature * f)) for f in (0.98, 1, 1.02)]
    assert losses[1] < min(losses[0], losses[2])


def test_a_temperature_changes_no_decision_and_no_order():
    _, probabilities = sample(1000)
    corrected = apply_temperature(probabilities, 3.0)
    assert ((corrected >= 0.5) == (probabilities >= 0.5)).all()
    assert (np.argsort(corrected) == np.argsort(probabilities)).all()
    assert apply_temperature(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-9)
    assert apply_temperature([0.0, 1.0], 2.0) == pytest.approx([1e-6, 1 - 1e-6], rel=1e-3)
    assert apply_temperature([0.9], 2.0)[0] == pytest.approx(1 / (1 + (1 / 9) ** 0.5))


def test_slope_and_shift_undo_a_model_that_leans_to_one_label():
    labels, probabilities = sample(20_000, 2.0)
    leaning = apply_platt(probabilities, 1.0, 0.8)
    slope, shift = fit_platt(labels, leaning)
    assert (slope, shift) == (pytest.approx(0.5, abs=0.02), pytest.approx(-0.4, abs=0.05))
    shifted = expected_calibration_error(labels, apply_platt(leaning, slope, shift))
    corrected = expected_calibration_error(labels, apply_temperature(leaning, fit_temperature(labels, leaning)))
    assert shifted < 0.5 * corrected < 0.5 * expected_calibration_error(labels, leaning)


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="strategy='size' is not one of 'width', 'mass'"):
        reliability([0, 1], [0.1, 0.9], strategy="size")
    with pytest.raises(ValueError, match="bins=0 must be at least 1"):
        reliability([0, 1], [0.1, 0.9], bins=0)
    with pytest.raises(ValueError, match="temperature=0 must be a positive number"):
        apply_temperature([0.5], 0)
    with pytest.raises(ValueError, match="temperature=nan"):
        apply_temperature([0.5], float("nan"))
