"""A name or a path in, a model that trains and predicts out.

A checkpoint gets a classification head, is fine-tuned with the Trainer, and classifies texts or files. The room also
has optimisations for CPUs, and the baselines that BERT has to beat.

- :mod:`~sentiment_lib.model.compute`: device, precision, attention kernel and memory
- :mod:`~sentiment_lib.model.lean_attention`: attention for a CPU
- :mod:`~sentiment_lib.model.architectures`: the architectures that can be used
- :mod:`~sentiment_lib.model.checkpoint_files`: folders that are nearly a model
- :mod:`~sentiment_lib.model.encoder`: the layers of an encoder, and ways to get the same results with less computation
- :mod:`~sentiment_lib.model.pretrained`: a checkpoint with a fresh classification head
- :mod:`~sentiment_lib.model.training`: fine-tuning
- :mod:`~sentiment_lib.model.inference`: texts to probabilities
- :mod:`~sentiment_lib.model.file_prediction`: files of any size to probabilities
- :mod:`~sentiment_lib.model.baselines`: majority class, lexicon, TF-IDF and linear probe

What the room offers is listed in ``__init__.pyi``. Names are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
