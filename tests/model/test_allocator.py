import subprocess
import sys

import pytest

from sentiment_lib.model import allocator as memory


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_freed_memory.__wrapped__() is False


STEPS = """
import resource, sys, torch
from sentiment_lib.model.allocator import keep_freed_memory
from transformers import BertConfig, BertForSequenceClassification
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
model = BertForSequenceClassification(BertConfig(vocab_size=100, hidden_size=128, num_hidden_layers=2, num_attention_heads=4))
ids = torch.randint(0, 100, (16, 256))
for step in range(8):
    if step == 3:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model(ids, labels=ids[:, 0] % 2).loss.backward()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_training_steps_reuse_their_memory():
    """The same five steps, with and without: page faults are what the setting is there to avoid."""
    command = [sys.executable, "-c", STEPS]
    kept, few = map(int, subprocess.check_output([*command, "keep"], text=True).split())
    _, many = map(int, subprocess.check_output([*command, "default"], text=True).split())
    if not kept:
        pytest.skip("the C library of this system is not glibc")
    assert few < many / 2
