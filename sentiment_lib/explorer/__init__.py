"""The interactive part: widgets for a notebook, and views that need no kernel.

In the browser, plain JavaScript from ``front_end/`` draws the views and answers the user.

- :mod:`~sentiment_lib.explorer.view`: attention in a page without a kernel
- :mod:`~sentiment_lib.explorer.kernel_engine`: what the explorer asks, answered by the model in a kernel
- :mod:`~sentiment_lib.explorer.attention_explorer`: the explorer in a notebook
- :mod:`~sentiment_lib.explorer.prediction_browser`: a table of predictions to filter and read
- :mod:`~sentiment_lib.explorer.page_model`: a model as data for a page, with the JavaScript in ``engine/``
- :mod:`~sentiment_lib.explorer.page`: the explorer as a page that computes everything itself

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
