"""Where a run keeps its files, and how they are written.

:class:`RunPaths` names every file of a run. Files are written completely or not at all, by one process at a time, with
a progress bar if somebody watches. Nothing here knows about reviews or models.

- :mod:`~sentiment_lib.run.files`: files and folders that are either complete or absent
- :mod:`~sentiment_lib.run.paths`: where the files of a run are
- :mod:`~sentiment_lib.run.locks`: one process at a time
- :mod:`~sentiment_lib.run.processes`: one run in several processes
- :mod:`~sentiment_lib.run.progress`: progress bars for people
- :mod:`~sentiment_lib.run.environment`: which versions are installed

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
