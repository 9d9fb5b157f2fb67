"""What Accelerate leaves in a model that it has prepared for training.

``tests/model/test_private_accelerate.py`` fails when a release of Accelerate leaves something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module

# A forward that computes in the precision of the training, the one that it replaced, and a mark that keeps Accelerate
# from preparing the model again.
_ATTRIBUTES = ("forward", "_original_forward", "_is_accelerate_prepared")


@contextmanager
def unprepared_afterwards(model: Module) -> Iterator[None]:
    """Let Accelerate prepare `model` while the block runs, and undo that at the end.

    Otherwise the model would predict in the precision of the training, and another training of it would compute in
    float32.
    """
    attributes = vars(model)
    before = {name: attributes[name] for name in _ATTRIBUTES if name in attributes}
    try:
        yield
    finally:
        for name in _ATTRIBUTES:
            attributes.pop(name, None)
        attributes.update(before)
