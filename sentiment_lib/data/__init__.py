"""A source's name or a path in, clean splits out.

Reviews are read from the snippets corpus, from IMDB, from a dataset on the hub, or from files of the user's own. They
are cleaned, their labels become 0 and 1, duplicates and leaks are dropped, and what is left is split and tokenised.

- :mod:`~sentiment_lib.data.hub`: files from the Hugging Face hub, with verified checksums
- :mod:`~sentiment_lib.data.hub_layout`: which files belong to which configuration and split
- :mod:`~sentiment_lib.data.hub_datasets`: datasets on the hub by name
- :mod:`~sentiment_lib.data.compression`: files that may be compressed
- :mod:`~sentiment_lib.data.labels`: what a source calls negative and positive
- :mod:`~sentiment_lib.data.columns`: which columns hold texts, labels and splits
- :mod:`~sentiment_lib.data.dialects`: how a CSV file is written
- :mod:`~sentiment_lib.data.tables`: files of all kinds as tables
- :mod:`~sentiment_lib.data.folders`: which files of a folder belong to which split
- :mod:`~sentiment_lib.data.sources`: where reviews come from
- :mod:`~sentiment_lib.data.preparation`: cleaning and splitting, and the splits on disk
- :mod:`~sentiment_lib.data.tokenization`: texts to token ids

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
