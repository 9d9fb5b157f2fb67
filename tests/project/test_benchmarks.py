import ast
import builtins
import json
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from support import CHECKOUT
from torch.utils.flop_counter import FlopCounterMode

from sentiment_lib.experiments import shipped_records
from sentiment_lib.model.encoder import first_token_only

pytestmark = pytest.mark.slow  # other processes

BENCHMARKS = CHECKOUT / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a benchmark as it would be run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: __import__(name)
    for name in (
        "bench",
        "report",
        "roofline",
        "levers",
        "training",
        "candidates",
        "hour",
        "gpu",
        "three_ways",
        "negation",
        "lora",
        "measure",
        "page_engine",
    ):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("short", [False, True])
def test_operations_are_those_that_torch_counts(script, tiny, short):
    model, _ = tiny
    ids = torch.ones(3, 20, dtype=torch.long)
    shortened = first_token_only(model) if short else nullcontext()
    with torch.inference_mode(), shortened, FlopCounterMode(display=False) as counter:
        model(ids)
    head = 3 * (2 * model.config.hidden_size**2 + 2 * model.config.hidden_size * 2)  # pooler and classifier
    assert script("roofline").operations([20, 20, 20], model.config, short) == counter.get_total_flops() - head


def test_measurements_are_kept_one_by_one_and_not_repeated(script, monkeypatch, tmp_path):
    bench = script("bench")
    monkeypatch.setattr(bench, "RECORDS", tmp_path)
    monkeypatch.setattr(bench, "run_in_new_process", lambda function, *args: function(*args))
    seen = []

    def work(turn, imdb):
        seen.append(turn)
        if turn == 2:
            raise KeyboardInterrupt
        return {"reviews_per_second": 10.0 * (turn + 1)}

    jobs = [{"turn": turn, "imdb": tmp_path} for turn in range(3)]
    with pytest.raises(KeyboardInterrupt):
        bench.measure("question", work, jobs)
    again = bench.measure("question", work, jobs[:2])
    assert seen == [0, 1, 2]
    assert [one["reviews_per_second"] for one in again] == [10.0, 20.0]
    kept = json.loads((bench.records_folder() / "question.json").read_text())
    assert kept["machine"]["processor"]
    assert str(tmp_path) not in json.dumps(kept)  # no path of this machine in what is committed


def test_another_processor_or_version_is_measured_by_itself(script, monkeypatch, tmp_path):
    bench = script("bench")
    monkeypatch.setattr(bench, "RECORDS", tmp_path)
    monkeypatch.setattr(bench, "run_in_new_process", lambda function, *args: function(*args))
    facts = {"version of torch": "1", "free disk (GB)": "3"}
    monkeypatch.setattr(bench, "machine", lambda: dict(facts))
    speeds = iter(range(10))

    def measured(processor, turns=1):
        monkeypatch.setattr(bench, "cpu_name", lambda: processor)
        jobs = [{"turn": turn} for turn in range(turns)]
        return [one["speed"] for one in bench.measure("question", lambda turn: {"speed": next(speeds)}, jobs)]

    assert measured("An Old (one)") == [0]
    facts["free disk (GB)"] = "4"
    assert measured("An Old (one)") == [0]
    assert measured("New", turns=2) == [1, 2]
    assert measured("An Old (one)") == [0]
    facts["version of torch"] = "2"
    assert measured("New") == [3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["an-old-one", "new"]


def test_the_report_says_what_the_records_hold(script, monkeypatch, tmp_path):
    report = script("report")
    for name, value in (("RECORDS", tmp_path), ("HERE", tmp_path), ("FIGURES", tmp_path / "figures")):
        monkeypatch.setattr(report, name, value)
    runs = [
        {
            "job": {"system": system, "length": length, "seed": seed, "count": 1000, "held_out": 500},
            "date": "2026-01-02",
            "reviews_per_second": speed + seed,
            "accuracy": 0.85 + seed / 100,
            "curve": [[10.0, 0.7], [20.0 + seed, 0.86]],
            "peak_mb": 1000.0,
        }
        for seed in (0, 1, 2)
        for length in (128, 256)
        for system, speed in (("Trainer", 5.0), ("Trainer, bf16", 6.0), ("sentiment_lib", 29.0))
    ]
    machine = {"processor": "P", "processor cores in use": "2", "memory (GB)": "8", "version of torch": "2"}
    for place in ("p", "q"):
        (tmp_path / place).mkdir()
        record = {"machine": machine | {"processor": place.upper()}, "measurements": runs}
        (tmp_path / place / "training.json").write_text(json.dumps(record))
    report.main()
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| sentiment_lib, 256 tokens | 30.0 | 5.00 | 0.860 [0.835, 0.885] | 20 s, 21 s, 22 s | 1000 |" in text
    assert "Not measured yet: `python benchmarks/inference.py`" in text
    assert "### Training, against the Trainer: P" in text
    assert "### Training, against the Trainer: Q" in text
    assert (tmp_path / "figures" / "q" / "training.png").stat().st_size > 10_000


def test_exponents_are_those_of_the_sizes(script, monkeypatch, tmp_path):
    report = script("report")
    monkeypatch.setattr(report, "FIGURES", tmp_path)
    runs = [
        {
            "job": {"what": "reviews", "size": size, "turn": 0},
            "date": "2026-01-02",
            "trained_on": int(size * 0.8),
            **{f"{stage}_mb": 500.0 for stage in ("prepare", "training", "prediction")},
            "prepare_seconds": size / 10,
            "training_seconds": size**1.5,
            "prediction_seconds": 3.0,
        }
        for size in np.array([1000, 2000, 4000]).tolist()
    ]
    (tmp_path / "growth.json").write_text(json.dumps({"machine": {}, "measurements": runs}))
    assert "| reviews, 1,000 to 4,000 | 1.00 | 1.50 | 0.00 | 0.00 |" in report.growth(tmp_path).replace("-0.00", "0.00")


def test_the_committed_report_is_that_of_the_committed_records(script, monkeypatch, tmp_path):
    report = script("report")
    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(report, "FIGURES", tmp_path / "figures")
    report.main()
    assert (tmp_path / "RESULTS.md").read_text() == (BENCHMARKS / "RESULTS.md").read_text()


def test_curves_have_more_points_at_their_beginning(script):
    assert sorted(script("hour").marks(1500, 16)) == [*range(64, 641, 64), 768, 1024, 1280, 1500]


def test_the_lessons_show_the_hour_that_was_measured():
    (path,) = (BENCHMARKS / "records").glob("*/hour.json")
    assert shipped_records("hour") == json.loads(path.read_text())["measurements"]


def test_ways_are_equivalent_only_if_the_whole_interval_lies_within_the_margin(script):
    ways = script("three_ways")
    rng = np.random.default_rng(0)
    same = (rng.random((5, 2500)) < 0.85).astype(np.uint8)  # as good, and wrong on the same sentences
    worse = same & (rng.random((5, 2500)) < 0.95).astype(np.uint8)
    measured = [
        {
            "job": {"way": way, "seed": seed},
            "train": 7000,
            "held_out": 2500,
            "seconds": 10.0 + seed,
            "right": np.packbits(answers[seed]).tobytes().hex(),
        }
        for seed in range(5)
        for way, answers in (("PyTorch", same), ("Trainer", same), ("fine_tune", worse))
    ]
    found = ways.beside_each_other(measured)
    assert [(row["way"], row["seconds"]) for row in found["ways"]] == [
        ("PyTorch", 12.0),
        ("Trainer", 12.0),
        ("fine_tune", 12.0),
    ]
    assert found["ways"][0]["accuracy"]["estimate"] == pytest.approx(same.mean())
    equal, *others = found["differences"]
    assert (equal["estimate"], equal["equivalent"]) == (0, True)
    assert all(row["high"] < -0.015 and not row["equivalent"] for row in others)


def test_the_ways_are_the_cells_of_lesson_03(script):
    ways = script("three_ways")
    by_hand, trainer = ways.lesson_code("PyTorch", 3), ways.lesson_code("Trainer", 3)
    assert "loss.backward()" in by_hand
    assert "Trainer(" not in by_hand
    assert "trainer.train()" in trainer
    assert "loss.backward()" not in trainer
    for code in (by_hand, trainer):
        assert "manual_seed(3)" in code
        assert "quiz" not in code
        given = {"csv_file", "checkpoint", "Path", *dir(builtins)}
        tree = ast.parse(code)
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        bound |= {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", ())}
        bound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        bound |= {a.arg for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for a in node.args.args}
        assert {node.id for node in names if isinstance(node.ctx, ast.Load)} - bound - given == set()
    assert "seed=3,\n)" in trainer


def test_what_is_measured_on_a_gpu_runs_on_a_cpu_too(script, monkeypatch, tiny_checkpoint):
    gpu = script("gpu")
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    tiny = {"size": "given", "model": str(tiny_checkpoint), "scale": 0.01}
    found = [gpu.run(part, **tiny) for part in ("agreement", "determinism")]
    found += [gpu.run(part, **tiny, tokens=64) for part in ("training", "inference")]
    assert gpu.failures(found) == []
    agreement, determinism, *speeds = found
    assert len(agreement["logits"]) == 2 * 3 * 2
    assert max(row["largest"] for row in agreement["logits"] if row["precision"] == "float32") < 1e-4
    assert max(row["largest"] for row in agreement["logits"] if row["precision"] == "bfloat16") > 0
    assert determinism["weights_equal"]
    assert [len(row["systems"]) for row in speeds] == [3, 2 + len(gpu.TOKENS_PER_BATCH)]


def test_a_gpu_that_computes_something_else_is_reported(script):
    gpu = script("gpu")
    row = {"texts": "sentences", "precision": "float32", "attention": "sdpa", "count": 100}
    good = {"largest": 1e-3, "labels_changed": 0}
    assert gpu.failures([{"logits": [row | good]}]) == []
    for bad in ({"largest": 0.02}, {"labels_changed": 1}):
        assert "logits of sentences, float32, sdpa" in gpu.failures([{"logits": [row | good | bad]}])[0]
    assert gpu.failures([{"training": [{"accuracy": 0.8}, {"accuracy": 0.76}]}])
    assert gpu.failures([{"prediction_equal": False}])


def test_long_texts_have_one_label_and_the_lengths_of_reviews(script):
    sentences = {"text": ["bad " * 9 + "bad", "good " * 9 + "good"], "label": [0, 1]}
    texts, labels = script("gpu").long_texts(sentences, 400, 512)
    assert all(set(text.split()) == {("bad", "good")[label]} for text, label in zip(texts, labels, strict=True))
    assert 160 < np.median([len(text.split()) for text in texts]) < 200
    short, _ = script("gpu").long_texts(sentences, 10, 64)
    assert {len(text.split()) for text in short} == {10}


def test_the_shipped_ways_are_those_that_were_measured(script):
    (path,) = (BENCHMARKS / "records").glob("*/three_ways.json")
    measured = json.loads(path.read_text())["measurements"]
    assert shipped_records("three_ways") == [script("three_ways").beside_each_other(measured)]


def test_the_shipped_negation_and_adapters_are_those_that_were_measured(script):
    for name, made in (
        ("negation", lambda m, rows: m.record_of(rows)),
        ("lora", lambda m, rows: m.beside_each_other(rows)),
    ):
        (path,) = (BENCHMARKS / "records").glob(f"*/{name}.json")
        measured = json.loads(path.read_text())["measurements"]
        assert shipped_records(name) == json.loads(json.dumps([made(script(name), measured)])), name


def test_the_adapters_leave_all_other_weights_alone(script, bundled):
    import copy

    model = script("lora").with_adapters(copy.deepcopy(bundled[0]))
    trained = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert all("lora_" in name or "pooler" in name or "classifier" in name for name in trained)
    assert sum(weights.numel() for name, weights in model.named_parameters() if "lora_" in name) == 6 * 2 * 2 * 8 * 384


def test_jobs_side_by_side_come_back_in_their_order(script, monkeypatch, tmp_path):
    bench = script("bench")
    monkeypatch.setattr(bench, "RECORDS", tmp_path)
    monkeypatch.setattr(bench, "machine", lambda: {"processor": "P", "free disk (GB)": "1"})
    found = bench.measure("question", abs, [], workers=2)
    assert found == []
    found = list(bench._computed(dict, [{"turn": turn} for turn in range(4)], workers=2))
    assert found == [{"turn": turn} for turn in range(4)]
