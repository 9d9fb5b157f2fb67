"""The same seed gives the same numbers on the same machine, in independent processes."""

import json
import os

import pytest
from support import write_reviews
from support.killing import run

pytestmark = pytest.mark.slow  # other processes

TWICE = """
import hashlib, json, sys
from sentiment_lib import evaluate, fine_tune, initialize_model_and_tokenizer, make_settings, metric_intervals, predict
from sentiment_lib.data import fingerprint, prepare
settings = make_settings(run="r", source=sys.argv[1], model=sys.argv[2], epochs=3, batch_size=8, learning_rate=1e-3,
                         seed=int(sys.argv[3]), dropout=0.1, first_length=8)
dataset, _ = prepare(settings)
model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=settings.dropout, seed=settings.seed)
result = fine_tune(model, tokenizer, dataset, settings)
found = predict(dataset["test"]["text"], model, tokenizer, **settings.encoding, precision="float32")
weights = hashlib.sha256()
for name, value in model.state_dict().items():
    weights.update(value.numpy().tobytes())
interval = metric_intervals(dataset["test"]["label"], found)["accuracy"]
print(json.dumps([fingerprint(dataset.values()), weights.hexdigest(), found.tolist(), result.history["loss"].dropna().tolist(),
                  [interval.low, interval.high], evaluate(dataset["test"]["label"], found).to_dict()]))
"""


def test_twice_the_same_numbers_and_others_with_another_seed(tiny_checkpoint, tmp_path):
    source = write_reviews(tmp_path)
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        environment = os.environ | {"SENTIMENT_LIB_HOME": str(tmp_path / name), "PYTHONHASHSEED": str(len(found))}
        output = run(["-c", TWICE, str(source), str(tiny_checkpoint), str(seed)], env=environment)
        found.append(json.loads(output.splitlines()[-1]))
    assert found[0] == found[1]
    assert found[0][0] == found[2][0]  # the splits have a seed of their own
    assert found[0][1] != found[2][1]
