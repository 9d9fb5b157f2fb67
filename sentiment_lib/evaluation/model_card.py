"""The model card of a run, in the hub's format, made from its ``metrics.json`` (lesson 05)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..run.files import replacing
from ..run.paths import RunPaths
from .results import load_metrics

# What each source contains, and the hub's name of the bundled checkpoint.
_SOURCES = {
    "snippets": "single sentences from English film reviews, each rated by about 20 people (Hutto and Gilbert 2014)",
    "imdb": "English film reviews with at most 30 a film; training and test films differ (Maas et al. 2011)",
}
_BASE_MODELS = {"bundled": "sentence-transformers/all-MiniLM-L6-v2"}
_SHOWN = ("accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")


def write_model_card(paths: RunPaths) -> Path:
    """Write ``README.md`` next to the run's model: data, intended use, limits, metrics with intervals.

    If lesson 03 or 04 has not been run, a MissingResult says so.
    """
    metrics = load_metrics(paths)
    path = paths.require(paths.model, "03") / "README.md"
    with replacing(path) as temporary:
        temporary.write_text(model_card(metrics), encoding="utf-8")
    return path


def model_card(metrics: dict[str, Any]) -> str:
    """The card as Markdown with a YAML head, from what ``metrics.json`` holds; parts that it lacks are left out."""
    settings, test = metrics["settings"], metrics["test"]
    known = metrics["source"] in _SOURCES  # of other sources we know neither language nor subject
    a_review, reviews = ("an English film review", "English film reviews") if known else ("a review", "such reviews")
    source = Path(metrics["source"]).name  # a name, not a path on somebody's disk
    base = _BASE_MODELS.get(metrics["model"], metrics["model"])
    on_hub = "/" in base and not Path(base).is_absolute() and not base.startswith((".", "~"))
    dataset = "stanfordnlp/imdb" if metrics["source"] == "imdb" else source
    data = ModelCardData(
        language="en" if known else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["sentiment-analysis", *(["film-reviews"] if known else [])],
        datasets=[dataset] if "/" in dataset else None,
        base_model=base if on_hub else None,
        model_name=metrics["run"],
        eval_results=[
            EvalResult("text-classification", dataset, source, name, round(test[name], 4), dataset_split="test")
            for name in _SHOWN
        ],
    )
    body = [
        f"# {metrics['run']}",
        f"A BERT-like encoder fine-tuned to say whether {a_review} is positive or negative. It was made with the "
        f"workbook *Fine-tune BERT, properly*, from the checkpoint `{base if on_hub else Path(base).name}`.",
        "## Data",
        f"`{source}`: {_SOURCES.get(metrics['source'], 'reviews of the user who made this run')}. Trained on "
        f"{metrics['train']['examples']:,} reviews, measured on {test['examples']:,} that had no part in training or "
        "in any choice.",
        "## Measures",
        "\n".join(_measures(metrics)),
        "Threshold 0.5. The intervals cover the choice of test reviews, not another seed in training, and not other "
        "kinds of texts.",
        *filter(None, ["\n".join(_further(metrics))]),
        "## Intended use",
        f"Learning, teaching and research on sentiment classification; sorting {reviews} where single mistakes do no "
        f"harm. Texts are cut to {settings['max_length']} tokens ({settings['truncation']}).",
        "## Limits",
        "\n".join(_limits(metrics)),
        "## How it was trained",
        f"{settings['epochs']:g} epochs, learning rate {settings['learning_rate']:g}, batches of "
        f"{settings['batch_size']}, weight decay {settings['weight_decay']:g}, dropout {settings['dropout']:g}, seed "
        f"{settings['seed']}; {metrics['train']['steps']} optimiser steps. torch {metrics['versions']['torch']}, "
        f"transformers {metrics['versions']['transformers']}.",
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(body) + "\n"))


def _range(interval: dict[str, float], form: str = ".3f") -> str:
    return f"{interval['low']:{form}} to {interval['high']:{form}}"


def _measures(metrics: dict[str, Any]) -> Iterator[str]:
    yield from ("| measure | test | 95 % interval |", "|---|---|---|")
    intervals = metrics.get("intervals", {})
    for name in _SHOWN:
        interval = _range(intervals[name]) if name in intervals else "not computed"
        yield f"| {name.replace('_', ' ')} | {metrics['test'][name]:.3f} | {interval} |"


def _further(metrics: dict[str, Any]) -> Iterator[str]:
    for comparison in metrics.get("comparisons", []):
        gap = comparison["differences"]["accuracy"]
        yield (
            f"- against {comparison['second']}: accuracy {gap['estimate']:+.3f} ({_range(gap, '+.3f')}), exact McNemar "
            f"test with Holm's correction p = {comparison['p_holm']:.2g}"
        )
    calibration = metrics.get("calibration")
    if calibration:
        before, after = calibration["as trained"]["ece_width"], calibration["temperature scaled"]["ece_width"]
        yield (
            f"- expected calibration error {before['estimate']:.3f} ({_range(before)}); with logits divided by the "
            f"temperature {calibration['temperature']:.2f}: {after['estimate']:.3f}"
        )


def _limits(metrics: dict[str, Any]) -> Iterator[str]:
    yield "- Not for decisions about people, nor for other languages or kinds of texts without a test of one's own."
    for row in metrics.get("slices", []):
        if row["verdict"] == "worse":
            accuracy = f"accuracy {row['accuracy']:.3f} ({_range(row)}) on {row['count']} reviews"
            yield f"- {row['subject']}, {row['slice']}: {accuracy}"
    tests = metrics.get("behaviour", {}).get("BERT", {})
    for name, row in sorted(tests.items(), key=lambda item: -item[1]["failure_rate"])[:5]:
        if row["failure_rate"] > 0:
            yield f"- behavioural test, {name}: fails {row['failures']} of {row['cases']} cases"
