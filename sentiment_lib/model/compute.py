"""Device, arithmetic and attention kernel: the best that this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Compute:
    """Where and how a model computes."""

    device: str  # "cpu", "cuda" or "mps"
    precision: str  # arithmetic of the matrix products: "bfloat16" or "float32"
    attention: str  # attention kernel: "lean", "eager", "sdpa", or "" for what transformers takes for the model


def choose_compute(device: str = "auto", precision: str = "auto", attention: str = "auto") -> Compute:
    """The best this machine has, unless told otherwise.

    bfloat16 where the processor computes in it (AVX512_BF16 or AMX on a CPU, Ampere or newer on CUDA), else
    float32. On a CPU, where PyTorch's SDPA is slow, :func:`sentiment_lib.model.lean_attention`,
    else what transformers takes for the model, SDPA as a rule.

    Raises
    ------
    ModelError
        For a device that is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if there["cuda"] else "cpu"
    if not there.get(device):
        raise ModelError(
            f"device={device!r} is not on this machine; there is {', '.join(d for d in there if there[d])}."
        )
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    if attention == "auto":
        attention = "lean" if device == "cpu" else ""
    return Compute(device, precision, attention)


def has_bfloat16(device: str) -> bool:
    """Whether "cpu", "cuda" or "mps" computes products of bfloat16 itself; emulated, they are slow."""
    import torch

    return cpu_has_bfloat16() if device == "cpu" else device == "cuda" and torch.cuda.is_bf16_supported(False)


@cache
def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware (else they would be emulated, slowly)."""
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):  # an older PyTorch; a CPU with AMX has AVX512_BF16, too
        return torch.cpu._is_avx512_bf16_supported()
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def device_of(model: PreTrainedModel) -> torch.device:
    """The device a model is on."""
    return next(model.parameters()).device
