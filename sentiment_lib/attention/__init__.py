"""A model and texts in, heads and words out.

What each head looks at, what a prediction loses without it, which words attribution methods name, and whether these
explanations are faithful to the model.

- :mod:`~sentiment_lib.attention.maps`: the attention weights of a text
- :mod:`~sentiment_lib.attention.silencing`: heads switched off
- :mod:`~sentiment_lib.attention.statistics`: what heads look at over many texts, and how differently
- :mod:`~sentiment_lib.attention.heads`: which heads a prediction needs
- :mod:`~sentiment_lib.attention.attribution`: what each word does to a prediction
- :mod:`~sentiment_lib.attention.erasure`: whether an explanation is faithful, found by removing words

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
