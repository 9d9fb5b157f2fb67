from .attention_explorer import AttentionExplorer
from .prediction_browser import PredictionBrowser
from .rendering import render_prediction, render_predictions
from .view import AttentionView, attention_view

__all__ = [
    "AttentionExplorer",
    "AttentionView",
    "PredictionBrowser",
    "attention_view",
    "render_prediction",
    "render_predictions",
]
