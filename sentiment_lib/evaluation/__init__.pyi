from .behaviour import behavioural_cases, capabilities, case_texts, run_behavioural_tests
from .calibration import (
    apply_platt,
    apply_temperature,
    calibration_report,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    reliability,
)
from .examples import example_predictions, label_flip_probability
from .metrics import Evaluation, choose_threshold, evaluate, precision_recall_curve, prediction_table, roc_curve
from .model_card import write_model_card
from .results import load_metrics, save_evaluation
from .significance import compare, compare_with, holm
from .slices import make_slices, slice_report
from .uncertainty import Interval, bootstrap_means, mean_interval, metric_intervals

__all__ = [
    "Evaluation",
    "Interval",
    "apply_platt",
    "apply_temperature",
    "behavioural_cases",
    "bootstrap_means",
    "calibration_report",
    "capabilities",
    "case_texts",
    "choose_threshold",
    "compare",
    "compare_with",
    "evaluate",
    "example_predictions",
    "expected_calibration_error",
    "fit_platt",
    "fit_temperature",
    "holm",
    "label_flip_probability",
    "load_metrics",
    "make_slices",
    "mean_interval",
    "metric_intervals",
    "precision_recall_curve",
    "prediction_table",
    "reliability",
    "roc_curve",
    "run_behavioural_tests",
    "save_evaluation",
    "slice_report",
    "write_model_card",
]
