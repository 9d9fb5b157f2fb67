"""Plain PyTorch, the Trainer and fine_tune on the same sentences: accuracy and speed.

The first two are the cells of lesson 03, (a) and (b), as they stand there; only the seed and the file are others, and
one sentence is held back for validation, which is the fewest possible. fine_tune has the settings of the preset
`quick`. Each trains on the training sentences of the snippets that are left when 2,500 are held out, with five seeds.
Neither the test split nor the sealed one is read. Two ways are called equivalent if the interval of their difference
lies within MARGIN; that was decided before anything was measured.

python benchmarks/three_ways.py IMDB_FOLDER        an hour on two cores
"""

import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import HERE, arguments, measure, peak_memory
from candidates import split

from sentiment_lib.evaluation.predictions import packed, unpacked
from sentiment_lib.evaluation.uncertainty import crossed_interval
from sentiment_lib.run.files import write_json

MARGIN = 0.015
HELD = 2500
LESSON = HERE.parent / "notebooks" / "03_fine_tune.ipynb"
WAYS = ("PyTorch", "Trainer", "fine_tune")


def run(way: str, seed: int, imdb: Path, scale: float) -> dict:
    """Train in one way and classify the held-out sentences."""
    from sentiment_lib import Classifier, Encoding

    train, held_out = split("snippets", imdb, int(HELD * scale))
    train = train.select(range(int(len(train) * scale)))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        if way == "fine_tune":
            model, tokenizer, encoding = _fine_tuned(train, seed, Path(folder))
        else:
            model, tokenizer = _as_in_the_lesson(way, train, seed, Path(folder))
            encoding = Encoding(128, "head")
        seconds = time.perf_counter() - began
    probabilities = Classifier(model.eval(), tokenizer, encoding).predict(held_out["text"])
    right = (probabilities >= 0.5) == np.array(held_out["label"])
    return {
        "train": len(train),
        "held_out": len(held_out),
        "seconds": seconds,
        "accuracy": float(right.mean()),
        "right": packed(right),
        "peak_mb": peak_memory(),
    }


def _fine_tuned(train, seed: int, folder: Path):
    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings

    settings = make_settings("quick", seed=seed)
    model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout, seed=seed)
    fine_tune(model, tokenizer, {"train": train}, settings, output_dir=folder / "model", validate=False)
    return model, tokenizer, settings.encoding


def _as_in_the_lesson(way: str, train, seed: int, folder: Path):
    """Train as the lesson's cells do; returns the model and the tokenizer."""
    from sentiment_lib.model.pretrained import bundled_checkpoint

    train.select_columns(["text", "label"]).to_csv(folder / "reviews.csv")
    variables = {"csv_file": str(folder / "reviews.csv"), "checkpoint": str(bundled_checkpoint()), "Path": Path}
    exec(lesson_code(way, seed), variables)
    return variables["trainer"].model if way == "Trainer" else variables["model"], variables["tokenizer"]


def lesson_code(way: str, seed: int) -> str:
    """The cells of (a), or those of (b) with what they need of (a), with this seed and without a validation split."""
    cells = {
        cell["id"]: "".join(cell["source"])
        for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code" and "course" not in cell["metadata"]
    }
    common = ["03-a-data", "03-a-batches", "03-a-model"]
    changes = {"test_size=0.25": "test_size=1", "manual_seed(0)": f"manual_seed({seed})"}
    if way == "Trainer":
        parts = [*(cells[name] for name in common), cells["03-a-train"].splitlines()[2]]
        parts += [code for name, code in cells.items() if name.startswith("03-b-")]
        changes["seed=0,\n)  # fmt: skip"] = f"seed={seed},\n)  # fmt: skip"
    else:
        parts = [cells[name] for name in (*common, "03-a-train")]
    code = "\n\n".join(parts)
    for old, new in changes.items():
        if code.count(old) != 1:
            raise ValueError(f"{old!r} occurs {code.count(old)} times in the cells of lesson 03.")
        code = code.replace(old, new)
    return code


def beside_each_other(measurements: list[dict]) -> dict:
    """The ways with their accuracy and seconds, and the difference of each two of them with its verdict.

    The intervals of the accuracies and of the differences hold for other seeds and other sentences. Those of the
    differences hold together (Bonferroni).
    """
    rows = {}
    for row in measurements:
        rows.setdefault(row["job"]["way"], []).append(row)
    held_out, train = measurements[0]["held_out"], measurements[0]["train"]
    answers = {way: np.stack([unpacked(row["right"], held_out) for row in found]) for way, found in rows.items()}
    pairs = list(itertools.combinations(answers, 2))
    differences = []
    for first, second in pairs:
        interval = crossed_interval(answers[second] - answers[first], 1 - 0.05 / len(pairs))
        equivalent = interval.low > -MARGIN and interval.high < MARGIN
        differences.append({"first": first, "second": second, **interval.to_dict(), "equivalent": equivalent})
    return {
        "train": train,
        "held_out": held_out,
        "seeds": len(next(iter(answers.values()))),
        "margin": MARGIN,
        "ways": [
            {
                "way": way,
                "accuracy": crossed_interval(values).to_dict(),
                "seconds": statistics.median(row["seconds"] for row in rows[way]),
            }
            for way, values in answers.items()
        ],
        "differences": differences,
    }


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    seeds, scale = range(5), 1.0
    if options.small:
        seeds, scale = range(1), 0.02
    jobs = [{"way": way, "seed": seed, "imdb": options.imdb, "scale": scale} for seed in seeds for way in WAYS]
    measurements = measure("three_ways", run, jobs, options.small)
    if not options.small:  # for lesson 03
        write_json(HERE.parent / "data" / "measured" / "three_ways.json", [beside_each_other(measurements)])


if __name__ == "__main__":
    main()
