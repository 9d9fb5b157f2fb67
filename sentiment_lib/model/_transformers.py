"""What this package uses of transformers' models beyond their documented interface.

``tests/model/test_private_transformers.py`` fails when a release of transformers works otherwise.
"""

from collections.abc import Callable
from typing import Any

from transformers import AttentionInterface, PreTrainedConfig
from transformers.masking_utils import bidirectional_mask_function
from transformers.masking_utils import eager_mask as eager_mask


def attention_function(config: PreTrainedConfig, eager: Callable[..., Any]) -> Callable[..., Any]:
    """The attention kernel of models with this configuration; `eager` for the one in the model's own source file."""
    return AttentionInterface().get(config._attn_implementation, eager)


def sees_all_tokens(mask_function: Callable[..., Any]) -> bool:
    """Whether a mask hides only padding, as an encoder's does."""
    return mask_function is bidirectional_mask_function
