"""Predictions in, judgement out.

Metrics with intervals, paired tests, calibration, slices, examples worth reading and behavioural tests. Everything
takes the labels and probabilities of any classifier, not only of ours.

- :mod:`~sentiment_lib.evaluation.predictions`: labels and probabilities, checked
- :mod:`~sentiment_lib.evaluation.metrics`: the usual measures, curves and thresholds
- :mod:`~sentiment_lib.evaluation.uncertainty`: bootstrap intervals
- :mod:`~sentiment_lib.evaluation.significance`: paired tests and their correction
- :mod:`~sentiment_lib.evaluation.calibration`: whether probabilities mean what they say
- :mod:`~sentiment_lib.evaluation.conformal`: sets of labels with a promised coverage
- :mod:`~sentiment_lib.evaluation.label_quality`: how much of the error is the labels'
- :mod:`~sentiment_lib.evaluation.slices`: how well the model does on parts of the data
- :mod:`~sentiment_lib.evaluation.examples`: predictions worth reading
- :mod:`~sentiment_lib.evaluation.behaviour`: behavioural tests
- :mod:`~sentiment_lib.evaluation.negation`: minimal pairs with and without "not"
- :mod:`~sentiment_lib.evaluation.pairs`: originals and their revisions
- :mod:`~sentiment_lib.evaluation.results`: metrics and predictions of a run on disk
- :mod:`~sentiment_lib.evaluation.model_card`: the model card of a run

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
