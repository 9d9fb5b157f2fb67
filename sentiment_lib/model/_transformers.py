"""What this package uses of transformers' models beyond their documented interface.

``tests/model/test_private_transformers.py`` fails when a release of transformers works otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def attention_kernel(config: PreTrainedConfig) -> str:
    """Name of the attention kernel that a model with this configuration computes with.

    transformers has a public function that sets it, ``model.set_attn_implementation``, but none that tells it.
    """
    return config._attn_implementation


def attention_function(config: PreTrainedConfig, eager: Callable[..., Any]) -> Callable[..., Any]:
    """The attention kernel itself; `eager` where a model computes with the one that is written in its own file."""
    from transformers import AttentionInterface

    return AttentionInterface().get(attention_kernel(config), eager)


def sees_all_tokens(mask_function: Callable[..., Any]) -> bool:
    """Whether a mask hides nothing but padding, as that of an encoder."""
    from transformers.masking_utils import bidirectional_mask_function

    return mask_function is bidirectional_mask_function


def eager_mask(**how: Any):
    """The mask that transformers adds to the scores of its eager attention."""
    from transformers.masking_utils import eager_mask

    return eager_mask(**how)
