"""Fine-tuning BERT for the sentiment of movie reviews: the library behind the lessons.

Names are loaded when they are first used, so that importing the package takes no time.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME_OF = {
    "Settings": "settings",
    "make_settings": "settings",
    "load_and_prepare_dataset": "data",
    "initialize_model_and_tokenizer": "model",
    "fine_tune": "training",
    "predict": "inference",
    "evaluate": "metrics",
    "metric_intervals": "uncertainty",
    "compare": "significance",
    "run_behavioural_tests": "behaviour",
    "attention_maps": "attention",
    "attention_view": "attention_html",
    "AttentionExplorer": "widgets",
    "run_series": "series",
}
__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
