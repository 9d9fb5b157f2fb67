"""Many trainings: trials, records and sweeps.

A trial is one training with its evaluation. Its record is kept, so that no trial is computed twice; a sweep spreads
trials over Dask workers.

- :mod:`~sentiment_lib.experiments.trials`: one training of one method
- :mod:`~sentiment_lib.experiments.records`: run trials, keep their records, and summarise them
- :mod:`~sentiment_lib.experiments.sweep`: every combination of settings

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
