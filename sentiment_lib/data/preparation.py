"""From raw reviews to clean, leak-free training, validation and test splits, also on disk. Taught in lesson 01."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk

from ..errors import DataError
from ..run.files import replacing, write_json
from ..run.paths import shipped_file
from ..run.progress import library_bars
from ..settings import Settings
from .labels import LABEL_NAMES, map_labels
from .sources import read_source
from .tables import require_columns, text_column_of

SPLITS = ("train", "validation", "test")
_LINE_BREAK = re.compile(r"<\s*br\s*/?\s*>", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass
class DataSummary:
    """What :func:`load_and_prepare_dataset` read, dropped and kept, in numbers of reviews."""

    source: str
    read: dict[str, int] = field(default_factory=dict)
    neutral: int = 0
    empty: int = 0
    duplicates: dict[str, int] = field(default_factory=dict)
    contradictory: int = 0
    leaked: dict[str, int] = field(default_factory=dict)
    unused: int = 0
    kept: dict[str, dict[str, int]] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """One row per step, in the order of the steps, with the number of reviews."""
        rows = [(f"read ({split})", n) for split, n in self.read.items()]
        rows += [
            ("dropped: rating is neutral", -self.neutral),
            ("dropped: empty after cleaning", -self.empty),
            ("dropped: same text, both labels", -self.contradictory),
        ]
        rows += [(f"dropped: duplicate within {split}", -n) for split, n in self.duplicates.items()]
        rows += [
            ("dropped from validation: text is also in test", -self.leaked.get("validation", 0)),
            ("dropped from training: text is also held out", -self.leaked.get("train", 0)),
            ("left unused: train_size asked for fewer", -self.unused),
        ]
        rows += [(f"kept ({split})", sum(counts.values())) for split, counts in self.kept.items()]
        return pd.DataFrame(rows, columns=["step", "reviews"]).set_index("step")


def load_and_prepare_dataset(
    source: str = "snippets",
    *,
    text_column: str = "text",
    label_column: str = "label",
    label_names: tuple[str, str] | None = None,
    train_size: int | None = None,
    validation_size: float = 0.1,
    test_size: float = 0.2,
    seed: int = 0,
) -> tuple[DatasetDict, DataSummary]:
    """The reviews of a source, cleaned and split, and a summary of how many were dropped and why.

    Parameters
    ----------
    source : str
        ``"snippets"``, ``"imdb"``, or the path of a CSV, TSV, JSON-lines or Parquet file, or of a folder of such files
        that are named train*, and optionally test* and validation*.
    text_column, label_column : str
        Names of the columns of a local file.
    label_names : tuple of str, optional
        What the source calls a negative and a positive review. Default: 0/1, neg/pos, negative/positive and
        false/true are understood, in upper or lower case.
    train_size : int, optional
        Number of training reviews to keep, with the same proportion of labels. Default: all.
    validation_size : float
        Share of the training reviews that becomes the validation split if the source has none.
    test_size : float
        Share of all reviews that becomes the test split if the source has none.
    seed : int
        Seed of the splits. Which split a review goes to depends only on this seed and on the review's text, so that the
        splits are the same on any machine and for any order of the reviews.

    Returns
    -------
    datasets.DatasetDict
        The splits train, validation and test, each in random order, with the columns ``text`` (str), ``label``
        (0 negative, 1 positive) and, for snippets, ``rating`` (-4 to +4) and ``rating_std``.
    DataSummary
        How many reviews were read, dropped for each reason, and kept.

    Raises
    ------
    DataError
        For a source, column or label that does not exist, and for splits without both labels.
    HubUnreachable
        When the source is IMDB, it is not cached, and the hub does not answer.
    """
    tables = read_source(source)
    summary = DataSummary(source=source, read={name: len(table) for name, table in tables.items()})
    if source == "snippets":
        neutral = tables["all"]["label"] == "neutral"
        summary.neutral = int(neutral.sum())
        tables["all"] = tables["all"][~neutral]
    columns = text_column, label_column
    tables = {name: _clean(table, name, columns, label_names, summary) for name, table in tables.items()}
    splits = _make_splits(tables, validation_size, test_size, seed)
    _drop_leaks(splits, summary)
    if train_size is not None:
        if train_size > len(splits["train"]):
            raise DataError(
                f"train_size={train_size}, but {source} has {len(splits['train'])} training reviews left after "
                "cleaning and splitting; ask for at most that many, or leave train_size out to use all."
            )
        chosen, rest = _stratified(splits["train"], train_size, seed)
        splits["train"], summary.unused = chosen, len(rest)
    for name in SPLITS:
        counts = splits[name]["label"].value_counts()
        summary.kept[name] = {LABEL_NAMES[i]: int(counts.get(i, 0)) for i in (0, 1)}
        if min(summary.kept[name].values()) == 0:
            raise DataError(
                f"The {name} split of {source} needs reviews of both labels, but holds {summary.kept[name]}. "
                "Give more reviews, or change test_size, validation_size or train_size."
            )
    return DatasetDict({name: _to_dataset(_shuffled(splits[name], seed)) for name in SPLITS}), summary


def prepare(settings: Settings) -> tuple[DatasetDict, DataSummary]:
    """Call :func:`load_and_prepare_dataset` with the arguments that `settings` hold."""
    return load_and_prepare_dataset(
        settings.source,
        text_column=settings.text_column,
        label_column=settings.label_column,
        label_names=settings.label_names,
        train_size=settings.train_size,
        validation_size=settings.validation_size,
        test_size=settings.test_size,
        seed=settings.split_seed,
    )


def save_dataset(dataset: DatasetDict, settings: Settings) -> Path:
    """Save the splits in ``results/<run>/dataset``, with the settings that they depend on."""
    folder = settings.paths.dataset
    with replacing(folder) as temporary, library_bars(False):
        dataset.save_to_disk(temporary)
        write_json(temporary / "settings.json", settings.affecting("data"))
    return folder


def load_dataset(settings: Settings) -> DatasetDict:
    """Load the splits that :func:`save_dataset` saved into memory.

    Raises
    ------
    MissingResult
        When lesson 01 has not been run.
    DataError
        When lesson 01 was run with other settings; the message names them.
    """
    folder = settings.paths.require(settings.paths.dataset, "01")
    kept = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    if differences := settings.differences(kept, "data"):
        raise DataError(f"The splits were prepared with other settings: {differences}. Run lesson 01 again first.")
    return load_from_disk(folder, keep_in_memory=True)


def training_subset(train: Dataset, size: int, seed: int) -> Dataset:
    """`size` reviews of a training split, chosen by `seed`, with the same proportion of labels.

    With the same seed, a smaller subset is part of every larger one.

    Raises
    ------
    DataError
        For fewer than 2 reviews, or more than the split has.
    """
    if not 2 <= size <= len(train):
        raise DataError(f"size={size} must lie between 2 and the {len(train)} training reviews available.")
    if size == len(train):
        return train
    table = train.to_pandas()
    chosen, _ = _stratified(table, size, seed)
    return train.select(sorted(chosen.index))


def fingerprint(splits: Iterable[Dataset]) -> str:
    """A hash of the texts and labels: the same for the same reviews in the same order."""
    data = hashlib.blake2b(digest_size=16)
    for split in splits:
        for row in split.select_columns(["text", "label"]):
            data.update(f"{row['label']}{row['text']}\0".encode())
    return data.hexdigest()


def example_reviews() -> pd.DataFrame:
    """The workbook's own reviews: ``title``, ``kind`` (what is hard about it), ``label`` and ``text``."""
    return pd.read_csv(shipped_file("example_reviews.csv"), dtype=str, keep_default_na=False)


def clean_text(text: str) -> str:
    """A review in Unicode form NFC, without HTML line breaks, control characters and repeated white space.

    Other markup is part of the review and stays.
    """
    text = unicodedata.normalize("NFC", _LINE_BREAK.sub(" ", text))
    return " ".join(_CONTROL.sub(" ", text).split())


def _clean(
    table: pd.DataFrame, split: str, columns: tuple[str, str], label_names: tuple[str, str] | None, summary: DataSummary
) -> pd.DataFrame:
    """A table with the columns text and label (and the ratings, if any), cleaned and without duplicates."""
    text_column, label_column = columns
    if text_column == label_column:
        raise DataError(f"text_column and label_column are both {text_column!r}; a review is not its own label.")
    where, option = f"{summary.source} ({split})", "text_column and label_column"
    require_columns(table, columns, where, option)
    texts = text_column_of(table, text_column, where, option)
    ratings = ["rating", "rating_std"] if summary.source == "snippets" else []
    cleaned = {"text": texts.map(clean_text), "label": map_labels(table[label_column], label_names)}
    table = table[ratings].assign(**cleaned)[[*cleaned, *ratings]].reset_index(drop=True)
    empty = table["text"] == ""
    summary.empty += int(empty.sum())
    table = table[~empty]
    both = table.groupby("text")["label"].transform("nunique") > 1
    summary.contradictory += int(both.sum())
    table = table[~both]
    duplicated = table["text"].duplicated()
    summary.duplicates[split] = int(duplicated.sum())
    return table[~duplicated]


def _make_splits(
    tables: dict[str, pd.DataFrame], validation_size: float, test_size: float, seed: int
) -> dict[str, pd.DataFrame]:
    """Train, validation and test; splits that the source does not have are taken from those it has."""
    splits = dict(tables)
    if "all" in splits:
        everything = splits.pop("all")
        splits["test"], splits["train"] = _stratified(everything, round(test_size * len(everything)), seed)
    if "validation" not in splits:
        train = splits["train"]
        splits["validation"], splits["train"] = _stratified(train, round(validation_size * len(train)), seed + 1)
    return splits


def _drop_leaks(splits: dict[str, pd.DataFrame], summary: DataSummary) -> None:
    """Remove from train what is also in validation or test, and from validation what is also in test."""
    for name, held_out in (("validation", ["test"]), ("train", ["test", "validation"])):
        seen = set().union(*(splits[other]["text"] for other in held_out))
        leaked = splits[name]["text"].isin(seen)
        summary.leaked[name] = int(leaked.sum())
        splits[name] = splits[name][~leaked]


def _shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Sort the rows by a pseudo-random number per text that depends only on the seed and the text."""
    salt = str(seed).encode() + b"\0"
    numbers = table["text"].map(lambda t: hashlib.blake2b(salt + t.encode("utf-8"), digest_size=8).hexdigest())
    return table.iloc[numbers.argsort(kind="stable")]


def _stratified(table: pd.DataFrame, size: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`size` rows with the same proportion of labels as `table`, and the other rows."""
    positive = round(size * float((table["label"] == 1).mean())) if len(table) else 0
    by_label = ((0, size - positive), (1, positive))
    chosen = pd.concat([_shuffled(table[table["label"] == label], seed).head(n) for label, n in by_label])
    return chosen, table.drop(index=chosen.index)


def _to_dataset(table: pd.DataFrame) -> Dataset:
    types = {"text": Value("string"), "label": ClassLabel(names=list(LABEL_NAMES))}
    features = Features({name: types.get(name, Value("float64")) for name in table.columns})
    return Dataset.from_pandas(table, features=features, preserve_index=False)
