"""The explorer page of a run: its model, reviews to begin with, pairs, and a corpus to search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..attention.statistics import attention_change
from ..data import example_reviews, load_dataset
from ..evaluation.negation import negation_pairs
from ..explorer.page import write_page
from ..model import Classifier, initialize_model_and_tokenizer, load_training
from ..run.paths import RunPaths
from ..settings import Settings

CORPUS = 200  # validation reviews, for the search by head
COMPARED = 100  # validation reviews, for what fine-tuning changed
LONGEST = 128  # tokens; a page computes longer texts too slowly to play with


def write_run_page(
    paths: RunPaths,
    folder: Path | None = None,
    *,
    weights: str = "int8",
    corpus_size: int = CORPUS,
    frame: Callable[[str], str] | None = None,
) -> Path:
    """Write the explorer of a run with lesson 03 done as a page whose model runs in the page.

    The page holds some reviews of the validation split, to choose from and to search. Think of their licence before you
    publish it, or write it with ``corpus_size=0``.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Default: ``results/<run>/page``. Replaced as a whole.
    corpus_size : int
        How many validation reviews go into the page.
    weights, frame
        As in :func:`sentiment_lib.explorer.write_page`.

    Raises
    ------
    MissingResult
        If the run has no model or no data.
    ModelError
        For a model that a page cannot compute; the message says what does not fit.
    """
    model_folder = paths.require(paths.model, "03")
    settings = Settings.from_dict(load_training(paths)["settings"])
    model, tokenizer = initialize_model_and_tokenizer(str(model_folder))
    texts = load_dataset(settings)["validation"]["text"]
    seen = [text for text in texts if len(text.split()) > 4]
    corpus = seen[:corpus_size]
    examples = example_reviews()
    reviews = dict(zip(examples["title"], examples["text"], strict=True))
    for number, text in enumerate(corpus[:6]):
        words = text.split()
        reviews[f"validation {number + 1}: {' '.join(words[:6])}{' …' if len(words) > 6 else ''}"] = text
    rows = negation_pairs("explore").groupby("template", sort=False).head(2).groupby("label").head(4)
    pairs = {f"pair: {row.plain[:-1]} / {row.negated[:-1]}": (row.plain, row.negated) for row in rows.itertuples()}
    before, _ = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, dropout=settings.dropout, seed=settings.seed
    )
    changed = attention_change(
        seen[:COMPARED], *(Classifier(one, tokenizer, settings.encoding) for one in (before, model))
    )
    return write_page(
        folder or paths.results / "page",
        model,
        tokenizer,
        reviews=reviews,
        pairs=pairs,
        corpus=corpus,
        changed=changed,
        max_length=min(settings.max_length, LONGEST),
        weights=weights,
        title=f"Question the model of run {paths.run}",
        frame=frame,
    )
