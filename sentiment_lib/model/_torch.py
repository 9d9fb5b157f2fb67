"""Private functions of PyTorch that are used here.

These are oneDNN's packed products, as PyTorch's own compiler uses them, and a property of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_ROWS = 4096  # tokens in a typical batch; oneDNN chooses the order of the weights for this number


def cpu_has_avx512_bf16() -> bool:
    """Whether the CPU has AVX512_BF16, for a PyTorch without ``torch.cpu.get_capabilities``."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())


def packed_linear(linear: torch.nn.Linear, activation: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The forward of a linear layer with activation "none" or "gelu", with weights in bfloat16 and reordered."""
    import torch

    weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().bfloat16(), _ROWS)
    bias = None if linear.bias is None else linear.bias.detach().bfloat16()
    compute = torch.ops.mkldnn._linear_pointwise
    return lambda states: compute(states.bfloat16(), weight, bias, activation, [], "none")


@cache
def can_pack() -> bool:
    """Whether this PyTorch has these operations and they agree with a linear layer and GELU."""
    import torch

    try:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            linear, states = torch.nn.Linear(8, 8), torch.ones(2, 8, dtype=torch.bfloat16)
            found = packed_linear(linear, "gelu")(states).float()
            expected = torch.nn.functional.gelu(linear(states.float()))
            return torch.allclose(found, expected, atol=0.05)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
