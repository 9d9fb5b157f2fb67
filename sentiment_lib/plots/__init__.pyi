from .comparison import agreement, failure_rates, intervals, learning_curve, word_effects
from .evaluation import (
    confusion_matrix,
    precision_recall_curve,
    probability_histogram,
    reliability_diagram,
    roc_curve,
    thresholds,
)
from .heads import deletion_curves, head_clusters, head_maps, heads_left, words_side_by_side
from .style import show, to_png
from .training import review_lengths, training_curve
from .weights import attention

__all__ = [
    "agreement",
    "attention",
    "confusion_matrix",
    "deletion_curves",
    "failure_rates",
    "head_clusters",
    "head_maps",
    "heads_left",
    "intervals",
    "learning_curve",
    "precision_recall_curve",
    "probability_histogram",
    "reliability_diagram",
    "review_lengths",
    "roc_curve",
    "show",
    "thresholds",
    "to_png",
    "training_curve",
    "word_effects",
    "words_side_by_side",
]
