import subprocess
import sys

import pytest

from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, predict
from sentiment_lib.data.preparation import prepare
from sentiment_lib.model import compute


@pytest.fixture
def tuned(monkeypatch):
    """The calls of mallopt(3), none of which takes effect."""
    calls = []

    class Library:
        @staticmethod
        def mallopt(parameter, value):
            calls.append(parameter)
            return 1

    real = compute.ctypes.CDLL
    monkeypatch.setattr(compute.sys, "platform", "linux")
    monkeypatch.setattr(
        compute.ctypes, "CDLL", lambda name, *args, **options: real(name, *args, **options) if name else Library
    )
    compute.keep_freed_memory.cache_clear()
    yield calls
    compute.keep_freed_memory.cache_clear()


def test_memory_is_kept_when_training_begins_and_not_before(tuned, tiny_checkpoint, home, review_file):
    settings = make_settings(source=str(review_file), epochs=1, max_length=16)
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    predict(dataset["train"]["text"], model, tokenizer)
    assert tuned == []
    fine_tune(model, tokenizer, dataset, settings)
    assert len(tuned) == 3


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(compute.sys, "platform", "darwin")
    assert compute.keep_freed_memory.__wrapped__() is False


STEPS = """
import resource, sys, torch
from sentiment_lib.model.compute import keep_freed_memory
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


@pytest.mark.slow
def test_training_steps_reuse_their_memory():
    """Compare the page faults of the same five steps with and without the setting."""
    command = [sys.executable, "-c", STEPS]
    kept, few = map(int, subprocess.check_output([*command, "keep"], text=True).split())
    _, many = map(int, subprocess.check_output([*command, "default"], text=True).split())
    if not kept:
        pytest.skip("the C library of this system is not glibc")
    assert few < many / 2
