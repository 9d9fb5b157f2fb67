import pytest
import torch

from sentiment_lib.model import has_bfloat16


@pytest.mark.parametrize("able", [True, False])
def test_an_older_pytorch_without_a_list_of_capabilities(monkeypatch, able):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able, raising=False)
    assert has_bfloat16("cpu") is able
