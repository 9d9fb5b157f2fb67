"""Fine-tuning BERT for the sentiment of movie reviews: the library behind the lessons.

The rooms, in the order in which data flows; each imports only from those above it:

- :mod:`~sentiment_lib.errors`: everything that a user can cause
- :mod:`~sentiment_lib.run`: where a run keeps its files, and how they are written
- :mod:`~sentiment_lib.settings`: every setting of a run, and what it affects
- :mod:`~sentiment_lib.data`: a source in, clean splits out
- :mod:`~sentiment_lib.model`: a checkpoint in, a model that trains and predicts out
- :mod:`~sentiment_lib.evaluation`: predictions in, judgement out
- :mod:`~sentiment_lib.attention`: a model and texts in, heads and words out
- :mod:`~sentiment_lib.plots`: data in, figures out
- :mod:`~sentiment_lib.explorer`: the interactive part
- :mod:`~sentiment_lib.experiments`: many trainings
- :mod:`~sentiment_lib.course`: what makes the lessons a course
- :mod:`~sentiment_lib.cli`: the command line

The names below are loaded when they are first used, so that importing the package takes no time.
"""

import lazy_loader

__version__ = "1.0.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
