"""Device, precision, attention kernel and memory: the best that this machine has."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..errors import ModelError
from ._torch import cpu_has_avx512_bf16

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Compute:
    """Where and how a model computes."""

    device: str  # "cpu", "cuda" or "mps"
    precision: str  # of the matrix products: "bfloat16" or "float32"
    attention: str  # attention kernel: "lean", "eager", "sdpa", or "" for transformers' choice for the model


def choose_compute(device: str = "auto", precision: str = "auto", attention: str = "auto") -> Compute:
    """Replace each ``"auto"`` by the best that this machine has.

    The device is CUDA where available, else the CPU. The precision is bfloat16 where the device has it in hardware
    (:func:`has_bfloat16`), else float32. On a CPU, where PyTorch's SDPA is slow, the attention kernel is
    :func:`sentiment_lib.model.lean_attention`; on other devices transformers chooses it, usually SDPA.

    Raises
    ------
    ModelError
        For a device that this machine does not have.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if available["cuda"] else "cpu"
    if not available.get(device):
        names = ", ".join(name for name in available if available[name])
        raise ModelError(f"device={device!r} is not available on this machine; choose from: {names}.")
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    if attention == "auto":
        attention = "lean" if device == "cpu" else ""
    return Compute(device, precision, attention)


def has_bfloat16(device: str) -> bool:
    """Whether "cpu", "cuda" or "mps" multiplies bfloat16 matrices in hardware (AVX512_BF16 or AMX, Ampere or newer)."""
    import torch

    if device == "cpu":
        if not hasattr(torch.cpu, "get_capabilities"):  # an older PyTorch; a CPU with AMX also has AVX512_BF16
            return cpu_has_avx512_bf16()
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported(False)


def device_of(model: PreTrainedModel) -> torch.device:
    """The device that a model is on."""
    return next(model.parameters()).device


@cache
def keep_freed_memory() -> bool:
    """Let glibc's malloc keep freed memory; True if it accepted the settings, False where there is no glibc.

    By default, glibc returns every large block to the system, and each training step then pays for many page faults.
    Keeping the blocks makes training 2 to 10 % faster (benchmarks/RESULTS.md), but the process stays as large as
    its largest step. So call this when training begins, not when a model is loaded or predicts.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = {-4: 0, -1: 2**31 - 1, -2: 2**26}  # mallopt(3): M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
    return all(mallopt(parameter, value) == 1 for parameter, value in settings.items())
