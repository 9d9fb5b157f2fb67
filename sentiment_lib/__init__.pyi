from . import plots as plots
from . import settings as settings
from .attention import attention_maps as attention_maps
from .course import run_series as run_series
from .data import load_and_prepare_dataset as load_and_prepare_dataset
from .evaluation import compare as compare
from .evaluation import evaluate as evaluate
from .evaluation import metric_intervals as metric_intervals
from .evaluation import run_behavioural_tests as run_behavioural_tests
from .explorer import AttentionExplorer as AttentionExplorer
from .explorer import attention_view as attention_view
from .model import Classifier as Classifier
from .model import fine_tune as fine_tune
from .model import initialize_model_and_tokenizer as initialize_model_and_tokenizer
from .model import predict as predict
from .settings import Encoding as Encoding
from .settings import Settings as Settings
from .settings import make_settings as make_settings

__version__: str
