"""What the claims of documents rest on: the records of the benchmarks, and what the library and its data hold."""

import json
import math
import re  # noqa: F401, for claims
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from support import CHECKOUT

RECORDS = CHECKOUT / "benchmarks" / "records"
RESULTS = CHECKOUT / "benchmarks" / "RESULTS.md"


@cache
def measured(question: str, processor: str = "") -> pd.DataFrame:
    """One row per measurement on the processors whose folder's name contains `processor`, with its job's values."""
    rows = []
    for path in sorted(RECORDS.glob(f"*{processor}*/{question}.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["measurements"]:
            rows.append(row["job"] | {name: value for name, value in row.items() if name != "job"})
    if not rows:
        raise LookupError(f"{question} was not measured on {processor or 'any processor'}")
    return pd.DataFrame(rows)


def of(question: str, column: str, processor: str = "", **job: Any) -> Any:
    """The median of a column of `measured` over the rows with these values, or its one value that is no number."""
    table = measured(question, processor)
    for name, value in job.items():
        table = table[table[name] == value]
    values = table[column].tolist()
    return values[0] if len(values) == 1 else float(pd.Series(values).median())


def ours(column: str) -> Any:
    """What was measured of the preset `imdb`."""
    return of("hour", column, system="sentiment_lib")


def interval(system: str) -> list[float]:
    """The test accuracy of a model of that hour, with the ends of its interval."""
    found = ours("test_accuracy")[system]
    return [found[name] for name in ("estimate", "low", "high")]


def hour(system: str, length: int | None = None) -> list[tuple[float, float]]:
    """The validation accuracy of a system in that hour: minutes, with tokenising and one evaluation, and accuracy."""
    table = measured("hour")
    rows = table[(table["system"] == system) & (table["length"] == length if length else True)]
    row = rows.iloc[0]  # the documented learning rate comes first
    around = row["tokenising_seconds"] + row["evaluation_seconds"]
    return [((seconds + around) / 60, accuracy) for seconds, accuracy in row["curve"]]


def validation_difference() -> float:
    """The product of the ends of the interval of `imdb` minus the recipe without growing inputs, on validation."""
    from sentiment_lib.evaluation.predictions import unpacked
    from sentiment_lib.evaluation.uncertainty import bootstrap_means

    answers = []
    for system in ("sentiment_lib", "candidate"):
        answers.append(unpacked(of("hour", "validation_right", system=system), int(ours("validation"))))
    _, (low,), (high,) = bootstrap_means((answers[0] - answers[1])[None])
    return float(low * high)


def first_above(accuracy: float, curve: list[tuple[float, float]]) -> list[float]:
    """The first point of a curve with at least this accuracy: the accuracy asked for, the minutes, and its own."""
    minutes, reached = next(point for point in curve if point[1] >= accuracy)
    return [accuracy, minutes, reached]


def speed(question: str, system: str) -> float:
    """The median speed of a system, in reviews per second."""
    return of(question, "reviews_per_second", system=system)


def times_as_fast(length: int) -> float:
    """How many times as fast as the Trainer `fine_tune` is at a length, from medians on Zen 4."""
    ours, theirs = (
        of("training", "reviews_per_second", "model-17", system=system, length=length)
        for system in ("sentiment_lib", "Trainer")
    )
    return ours / theirs


@cache
def snippets() -> tuple[Any, Any, Any]:
    """The splits of the preset `quick`, its sealed sentences, and the summary of what preparing them dropped."""
    from sentiment_lib import make_settings
    from sentiment_lib.data.preparation import prepare, sealed_reviews

    settings = make_settings("quick")
    dataset, summary = prepare(settings)
    return dataset, sealed_reviews(settings), summary


def sizes() -> list[int]:
    """How many sentences the training, validation, test and sealed splits have."""
    dataset, sealed, _ = snippets()
    return [len(dataset[name]) for name in ("train", "validation", "test")] + [len(sealed)]


def sentences() -> pd.DataFrame:
    """The sentences of the three open splits; the sealed ones are not read."""
    dataset, _, _ = snippets()
    return pd.concat([split.to_pandas() for split in dataset.values()])


@cache
def token_counts() -> pd.Series:
    """How many tokens each sentence has, with [CLS] and [SEP]."""
    from transformers import AutoTokenizer

    from sentiment_lib.model.pretrained import bundled_checkpoint

    tokenizer = AutoTokenizer.from_pretrained(bundled_checkpoint())
    return pd.Series([len(ids) for ids in tokenizer(sentences()["text"].tolist())["input_ids"]])


def setting(preset: str, name: str) -> Any:
    """A setting of a preset."""
    from sentiment_lib import make_settings

    return getattr(make_settings(preset), name)


def counted(what: str) -> int:
    """How many exercises or questions there are."""
    from sentiment_lib.course.exercises import exercises
    from sentiment_lib.course.quizzes import questions

    lessons = [f"0{i}" for i in range(10)]
    return {
        "exercises": lambda: sum(len(exercises(lesson)) for lesson in lessons),
        "questions": lambda: sum(len(questions(lesson)) for lesson in lessons),
    }[what]()


def shipped(name: str) -> list[dict]:
    """Records that come with the workbook."""
    from sentiment_lib.experiments import shipped_records

    return shipped_records(name)


def lost_in_repair(arm: str) -> float:
    """Accuracy on the sealed reviews that an arm of lesson 08's repair lost, in the mean over seeds."""
    from sentiment_lib.evaluation.predictions import unpacked

    (negation,) = shipped("negation")
    right = [
        [unpacked(seed[one]["reviews"], seed["sealed"]).mean() for one in ("before", arm)] for seed in negation["seeds"]
    ]
    before, after = np.mean(right, axis=0)
    return float(before - after)


@cache
def architecture() -> Any:
    """The configuration of the bundled checkpoint."""
    from transformers import AutoConfig

    from sentiment_lib.model.pretrained import bundled_checkpoint

    return AutoConfig.from_pretrained(bundled_checkpoint())


def heads() -> int:
    """How many heads the bundled checkpoint has in all."""
    return architecture().num_hidden_layers * architecture().num_attention_heads


@cache
def parameters() -> int:
    """How many parameters the bundled checkpoint has."""
    from safetensors import safe_open

    from sentiment_lib.model.pretrained import bundled_checkpoint

    with safe_open(bundled_checkpoint() / "model.safetensors", "np") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118


def half_interval(count: int, share: float) -> float:
    """Half the width of the 95 % interval of a share of `count` reviews."""
    from sentiment_lib.evaluation.uncertainty import share_intervals

    low, high = share_intervals([round(count * share)], [count])
    return float(high[0] - low[0]) / 2


def graded(kind: str) -> int:
    """How many exercises have hidden inputs ("hidden") or other numbers ("numbers"), stay ("fixed"), or need a run."""
    from sentiment_lib.course.exercises import exercises
    from sentiment_lib.course.grading import graded_lessons, kind_of

    return sum(kind_of(exercise) == kind for lesson in graded_lessons() for exercise in exercises(lesson))


def points(name: str) -> int:
    """The points of an exercise: "all", those of its "hidden" test, or those of its "check"."""
    from sentiment_lib.course.grading import HIDDEN_POINTS, POINTS

    return {"all": POINTS, "hidden": HIDDEN_POINTS, "check": POINTS - HIDDEN_POINTS}[name]


def text(path: str) -> str:
    """A file of the project."""
    return (CHECKOUT / path).read_text(encoding="utf-8")


def hostile_texts() -> int:
    """How many hostile texts are tried."""
    from support.hostile import HOSTILE

    return len(HOSTILE)


def evaluate(expression: str) -> Any:
    """The value of a document's claim."""
    value = eval(expression, dict(globals()))
    return value.tolist() if hasattr(value, "tolist") else value
