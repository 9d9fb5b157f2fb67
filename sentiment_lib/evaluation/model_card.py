"""The model card of a run, in the hub's format.

Written by lesson 04 from what the run left; nothing in it is typed by hand but its sentences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..run.files import replacing
from ..run.paths import RunPaths
from .results import load_metrics

# How each source and checkpoint is called on the hub, and what must be said about it.
_SOURCES = {
    "snippets": "single sentences from English film reviews, each rated by about 20 people (Hutto and Gilbert 2014)",
    "imdb": "English film reviews with at most 30 a film; training and test films differ (Maas et al. 2011)",
}
_BASE_MODELS = {"bundled": "sentence-transformers/all-MiniLM-L6-v2"}
_SHOWN = ("accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")


def write_model_card(paths: RunPaths) -> Path:
    """Write ``README.md`` beside the run's model: data, intended use, limits, measures with intervals.

    Raises
    ------
    MissingResult
        When lesson 03 or 04 has not been run.
    """
    metrics = load_metrics(paths)
    folder = paths.require(paths.model, "03")
    text = model_card(metrics)
    with replacing(folder / "README.md") as beside:
        beside.write_text(text, encoding="utf-8")
    return folder / "README.md"


def model_card(metrics: dict[str, Any]) -> str:
    """The card as Markdown with a YAML head, from what ``metrics.json`` holds.

    Parameters
    ----------
    metrics : dict
        What :func:`sentiment_lib.evaluation.save_evaluation` returned. Parts that are missing are left out.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    settings, test = metrics["settings"], metrics["test"]
    known = metrics["source"] in _SOURCES  # of others we know neither language nor subject
    a_review, reviews = ("an English film review", "English film reviews") if known else ("a review", "such reviews")
    source = Path(metrics["source"]).name  # not where it lies on somebody's disk
    base = _BASE_MODELS.get(metrics["model"], metrics["model"])
    on_hub = "/" in base and not Path(base).is_absolute() and not base.startswith((".", "~"))
    dataset = "stanfordnlp/imdb" if metrics["source"] == "imdb" else source
    results = [
        EvalResult("text-classification", dataset, source, name, round(test[name], 4), dataset_split="test")
        for name in _SHOWN
    ]
    data = ModelCardData(
        language="en" if known else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["sentiment-analysis", *(["film-reviews"] if known else [])],
        datasets=[dataset] if "/" in dataset else None,
        base_model=base if on_hub else None,
        model_name=f"{metrics['run']}",
        eval_results=results,
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
        _measures(metrics),
        *_further(metrics),
        "## Intended use",
        f"Learning, teaching and research on sentiment classification; sorting {reviews} where single mistakes do no "
        f"harm. Texts are cut to {settings['max_length']} tokens ({settings['truncation']}).",
        "## Limits",
        *_limits(metrics),
        "## How it was trained",
        f"{settings['epochs']:g} epochs, learning rate {settings['learning_rate']:g}, batches of "
        f"{settings['batch_size']}, weight decay {settings['weight_decay']:g}, dropout {settings['dropout']:g}, seed "
        f"{settings['seed']}; {metrics['train']['steps']} optimiser steps. torch {metrics['versions']['torch']}, "
        f"transformers {metrics['versions']['transformers']}.",
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(body) + "\n"))


def _measures(metrics: dict[str, Any]) -> str:
    intervals = metrics.get("intervals", {})
    rows = ["| measure | test | 95 % interval |", "|---|---|---|"]
    for name in _SHOWN:
        known = intervals.get(name)
        said = f"{known['low']:.3f} to {known['high']:.3f}" if known else "not computed"
        rows.append(f"| {name.replace('_', ' ')} | {metrics['test'][name]:.3f} | {said} |")
    return "\n".join(rows) + (
        "\n\nThreshold 0.5. The intervals cover the choice of test reviews, not another seed in training, and not "
        "other kinds of texts."
    )


def _further(metrics: dict[str, Any]) -> list[str]:
    found = []
    for one in metrics.get("comparisons", []):
        gap = one["differences"]["accuracy"]
        found.append(
            f"- against {one['second']}: accuracy {gap['estimate']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f}), "
            f"exact McNemar test with Holm's correction p = {one['p_holm']:.2g}"
        )
    calibration = metrics.get("calibration")
    if calibration:
        before, after = calibration["as trained"]["ece_width"], calibration["temperature scaled"]["ece_width"]
        found.append(
            f"- expected calibration error {before['estimate']:.3f} ({before['low']:.3f} to {before['high']:.3f}); "
            f"with logits divided by the temperature {calibration['temperature']:.2f}: {after['estimate']:.3f}"
        )
    return ["\n".join(found)] if found else []


def _limits(metrics: dict[str, Any]) -> list[str]:
    found = ["- Not for decisions about people, nor for other languages or kinds of texts without a test of one's own."]
    for row in metrics.get("slices", []):
        if row["verdict"] == "worse":
            found.append(
                f"- {row['subject']}, {row['slice']}: accuracy {row['accuracy']:.3f} ({row['low']:.3f} to "
                f"{row['high']:.3f}) on {row['count']} reviews"
            )
    tests = metrics.get("behaviour", {}).get("BERT", {})
    for name, row in sorted(tests.items(), key=lambda item: -item[1]["failure_rate"])[:5]:
        if row["failure_rate"] > 0:
            found.append(f"- behavioural test, {name}: fails {row['failures']} of {row['cases']} cases")
    return ["\n".join(found)]
