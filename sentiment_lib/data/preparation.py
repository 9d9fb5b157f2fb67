"""From raw reviews to clean, leak-free training, validation and test splits.

Taught in lesson 01.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..run.paths import shipped_file
from ..settings import Settings
from .labels import LABEL_NAMES, map_labels
from .sources import read_source
from .tables import require_columns, text_column_of

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict

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

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain data, ready for JSON."""
        return asdict(self)

    def to_frame(self) -> pd.DataFrame:
        """One row a step, in the order in which the steps were taken, with the number of reviews."""
        import pandas as pd

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
    """Reviews of a source, cleaned and split, and a summary of what was done to them.

    Parameters
    ----------
    source : str
        ``"snippets"``, ``"imdb"``, or a path of a CSV, TSV, JSON-lines or Parquet file, or of a folder with
        files named train*, test* and, if there is one, validation*.
    text_column, label_column : str
        Names of the columns of a local file.
    label_names : tuple of str, optional
        What the source calls a negative and a positive review. Default: 0/1, neg/pos, negative/positive and
        false/true are understood, whatever their case.
    train_size : int, optional
        Number of training reviews to keep, with the labels in their proportion. Default: all.
    validation_size : float
        Share of the training reviews that becomes the validation split, where the source has none.
    test_size : float
        Share of all reviews that becomes the test split, where the source has none.
    seed : int
        Which split to make. A review's place depends on this seed and on its own text only, so that the
        splits are the same on any machine and in whatever order the reviews come.

    Returns
    -------
    datasets.DatasetDict
        Splits train, validation and test in random order, with the columns ``text`` (str), ``label``
        (0 negative, 1 positive) and, for snippets, ``rating`` (-4 to +4) and ``rating_std``.
    DataSummary
        How many reviews were read, dropped for which reason, and kept.

    Raises
    ------
    DataError
        For a source, column or label that does not exist, and for splits without both labels.
    HubUnreachable
        When IMDB is wanted, not cached, and the hub does not answer.
    """
    from datasets import DatasetDict

    tables = read_source(source)
    summary = DataSummary(source=source, read={name: len(table) for name, table in tables.items()})
    if source == "snippets":
        neutral = tables["all"]["label"] == "neutral"
        summary.neutral = int(neutral.sum())
        tables["all"] = tables["all"][~neutral]
    tables = {
        name: _clean(table, name, text_column, label_column, label_names, summary) for name, table in tables.items()
    }
    splits = _make_splits(tables, validation_size, test_size, seed)
    _drop_leaks(splits, summary)
    if train_size is not None:
        if train_size > len(splits["train"]):
            raise DataError(
                f"train_size={train_size}, but {source} has {len(splits['train'])} training reviews left after "
                "cleaning and splitting; ask for at most that many, or for none to use all."
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
    """:func:`load_and_prepare_dataset` with what `settings` say."""
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


def training_subset(train: Dataset, size: int, seed: int) -> Dataset:
    """`size` reviews of a training split with its proportion of labels; which ones, `seed` decides.

    For one seed a smaller subset is part of every larger one.

    Raises
    ------
    DataError
        For more reviews than there are.
    """
    if not 2 <= size <= len(train):
        raise DataError(f"size={size} must lie between 2 and the {len(train)} training reviews there are.")
    if size == len(train):
        return train
    table = train.to_pandas()
    chosen, _ = _stratified(table, size, seed)
    return train.select(sorted(chosen.index))


def fingerprint(splits: Iterable[Dataset]) -> str:
    """A hash of texts and labels, the same for the same reviews in the same order."""
    data = hashlib.blake2b(digest_size=16)
    for split in splits:
        for row in split.select_columns(["text", "label"]):
            data.update(f"{row['label']}{row['text']}\0".encode())
    return data.hexdigest()


def example_reviews() -> pd.DataFrame:
    """The workbook's own reviews: ``title``, ``kind`` (what is hard about it), ``label`` and ``text``."""
    import pandas as pd

    return pd.read_csv(shipped_file("example_reviews.csv"), dtype=str, keep_default_na=False)


def clean_text(text: str) -> str:
    """A review without HTML line breaks, control characters and repeated white space, in Unicode form NFC.

    Other markup is part of the review and stays.
    """
    text = unicodedata.normalize("NFC", _LINE_BREAK.sub(" ", text))
    return " ".join(_CONTROL.sub(" ", text).split())


def _clean(table, split, text_column, label_column, label_names, summary) -> pd.DataFrame:
    """One table with columns text and label (and the ratings, if any), cleaned and without duplicates."""
    if text_column == label_column:
        raise DataError(f"text_column and label_column are both {text_column!r}; a review is not its own label.")
    where, option = f"{summary.source} ({split})", "text_column and label_column"
    require_columns(table, (text_column, label_column), where, option)
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


def _make_splits(tables, validation_size, test_size, seed) -> dict[str, pd.DataFrame]:
    """Train, validation and test, cutting what the source does not have from what it has."""
    splits = dict(tables)
    if "all" in splits:
        whole = splits.pop("all")
        splits["test"], splits["train"] = _stratified(whole, round(test_size * len(whole)), seed)
    if "validation" not in splits:
        train = splits["train"]
        splits["validation"], splits["train"] = _stratified(train, round(validation_size * len(train)), seed + 1)
    return splits


def _drop_leaks(splits: dict[str, pd.DataFrame], summary: DataSummary) -> None:
    """Take out of train what is also in validation or test, and out of validation what is also in test."""
    for name, held_out in (("validation", ["test"]), ("train", ["test", "validation"])):
        seen = set().union(*(splits[other]["text"] for other in held_out))
        leaked = splits[name]["text"].isin(seen)
        summary.leaked[name] = int(leaked.sum())
        splits[name] = splits[name][~leaked]


def _shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """In the order of a pseudo-random number for each text that depends on the seed and the text only."""
    salt = str(seed).encode() + b"\0"
    numbers = table["text"].map(lambda t: hashlib.blake2b(salt + t.encode("utf-8"), digest_size=8).hexdigest())
    return table.iloc[numbers.argsort(kind="stable")]


def _stratified(table: pd.DataFrame, size: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`size` rows with the labels in the same proportion as in `table`, and the rest."""
    import pandas as pd

    positive = round(size * float((table["label"] == 1).mean())) if len(table) else 0
    taken = []
    for label, wanted in ((0, size - positive), (1, positive)):
        rows = table[table["label"] == label]
        taken.append(_shuffled(rows, seed).head(wanted))
    chosen = pd.concat(taken)
    return chosen, table.drop(index=chosen.index)


def _to_dataset(table: pd.DataFrame):
    from datasets import ClassLabel, Dataset, Features, Value

    types = {"text": Value("string"), "label": ClassLabel(names=list(LABEL_NAMES))}
    features = Features({name: types.get(name, Value("float64")) for name in table.columns})
    return Dataset.from_pandas(table, features=features, preserve_index=False)
