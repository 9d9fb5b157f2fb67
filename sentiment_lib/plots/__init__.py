"""Every figure: data in, :class:`matplotlib.figure.Figure` out.

Nothing is computed here. Each figure carries its alternative text as ``figure.alt``; :func:`show` puts figure and
text into a notebook and writes a file.

- :mod:`~sentiment_lib.plots.style`: how all figures look, and how they are shown and kept
- :mod:`~sentiment_lib.plots.architecture`: one text on its way through a model
- :mod:`~sentiment_lib.plots.training`: lengths of reviews and training curves
- :mod:`~sentiment_lib.plots.evaluation`: confusion matrix, curves and calibration
- :mod:`~sentiment_lib.plots.comparison`: several models side by side
- :mod:`~sentiment_lib.plots.weights`: attention weights
- :mod:`~sentiment_lib.plots.heads`: heads and explanations

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

from ..run.environment import needs_extra

with needs_extra("lessons"):
    import matplotlib  # noqa: F401
    import seaborn  # noqa: F401

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
