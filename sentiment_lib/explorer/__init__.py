"""The interactive part: widgets for a notebook, and views that need no kernel.

In the browser, plain JavaScript from ``front_end/`` draws the views and answers the user.

- :mod:`~sentiment_lib.explorer.rendering`: predictions as HTML
- :mod:`~sentiment_lib.explorer.view`: attention in a page without a kernel
- :mod:`~sentiment_lib.explorer.attention_explorer`: attention with a live model behind it
- :mod:`~sentiment_lib.explorer.prediction_browser`: a table of predictions to filter and read
- :mod:`~sentiment_lib.explorer.page_model`: a model for a page that computes it, with the JavaScript in ``engine/``

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
