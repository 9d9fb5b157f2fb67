import pytest
import torch

from sentiment_lib.model import has_bfloat16
from sentiment_lib.model._torch import cpu_has_avx512_bf16


@pytest.mark.parametrize("able", [True, False])
def test_an_older_pytorch_without_a_list_of_capabilities(monkeypatch, able):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able, raising=False)
    assert has_bfloat16("cpu") is able


def test_an_older_pytorch_finds_the_same_in_this_cpu():
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this PyTorch has no list of capabilities")
    assert cpu_has_avx512_bf16() == bool(torch.cpu.get_capabilities().get("avx512_bf16"))
