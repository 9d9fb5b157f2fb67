from .attention_explorer import AttentionExplorer as AttentionExplorer
from .page import write_page as write_page
from .page_model import packed_model as packed_model
from .prediction_browser import PredictionBrowser as PredictionBrowser
from .view import AttentionView as AttentionView
from .view import attention_view as attention_view
