import pytest
import torch

from sentiment_lib.model.compute import cpu_has_bfloat16


@pytest.mark.parametrize("able", [True, False])
def test_a_pytorch_without_a_list_of_capabilities_is_asked_for_bfloat16_alone(monkeypatch, able):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able, raising=False)
    assert cpu_has_bfloat16.__wrapped__() is able
