from . import plots, settings
from .attention import attention_maps
from .course import run_series
from .data import load_and_prepare_dataset
from .evaluation import compare, evaluate, metric_intervals, run_behavioural_tests
from .explorer import AttentionExplorer, attention_view
from .model import Classifier, fine_tune, initialize_model_and_tokenizer, predict
from .settings import Encoding, Settings, make_settings

__version__: str

__all__ = [
    "AttentionExplorer",
    "Classifier",
    "Encoding",
    "Settings",
    "__version__",
    "attention_maps",
    "attention_view",
    "compare",
    "evaluate",
    "fine_tune",
    "initialize_model_and_tokenizer",
    "load_and_prepare_dataset",
    "make_settings",
    "metric_intervals",
    "plots",
    "predict",
    "run_behavioural_tests",
    "run_series",
    "settings",
]
