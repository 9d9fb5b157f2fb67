"""What this package uses of transformers' models beyond their documented interface.

``tests/model/test_private_transformers.py`` fails when a release of transformers works otherwise.
"""

from collections.abc import Callable
from typing import Any

from transformers import AttentionInterface, PreTrainedConfig
from transformers.masking_utils import bidirectional_mask_function
from transformers.masking_utils import eager_mask as eager_mask


def attention_kernel(config: PreTrainedConfig) -> str:
    """Name of the attention kernel of models with this configuration.

    transformers has no public function that returns it.
    """
    return config._attn_implementation


def set_attention_kernel(config: PreTrainedConfig, kernel: str) -> None:
    """Let models with this configuration compute with an attention kernel that they support.

    ``model.set_attn_implementation`` refuses a ModernBERT in some versions, because of how its source is written.
    """
    config._attn_implementation = kernel


def attention_function(config: PreTrainedConfig, eager: Callable[..., Any]) -> Callable[..., Any]:
    """The attention kernel of models with this configuration; `eager` for the one in the model's own source file."""
    return AttentionInterface().get(attention_kernel(config), eager)


def sees_all_tokens(mask_function: Callable[..., Any]) -> bool:
    """Whether a mask hides only padding, as an encoder's does."""
    return mask_function is bidirectional_mask_function
