"""From raw reviews to clean, leak-free training, validation and test splits, also on disk. Taught in lesson 01."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk

from ..errors import DataError, listed
from ..run.files import replacing, write_json
from ..run.paths import shipped_file
from ..run.progress import library_bars
from ..settings import Settings
from .columns import all_without_test, find_label_column, find_text_column
from .dialects import TableOptions
from .labels import LABEL_NAMES, NO_LABEL, LabelNames, label_groups, normalised_label, read_labels
from .sources import read_source
from .tables import listed_columns, require_columns, text_column_of

SPLITS = ("train", "validation", "test")
SEALED_SNIPPETS = 0.1  # share of the snippets that is sealed unless `sealed_size` says otherwise
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
    notes: list[str] = field(default_factory=list)
    columns: tuple[str, str] = ("text", "label")
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    left_in_test: dict[str, int] = field(default_factory=dict)
    sealed: int = 0
    sealed_reviews: Dataset | None = field(default=None, repr=False)  # for the function of that name
    other_labels: dict[str, int] = field(default_factory=dict)

    def describe(self) -> str:
        """What was read, dropped and kept, in a few lines."""
        lines = [self.source, *(self.notes or [f"{sum(self.read.values()):,} rows"])]
        lines.append(f"texts from column {self.columns[0]!r}, labels from column {self.columns[1]!r}")
        for split, counts in self.labels.items():
            shown = listed((f"{label!r} {count:,}" for label, count in counts.items()), 10)
            lines.append(f"labels{'' if split == 'all' else f' of {split}'}: {shown}")
        steps = self.to_frame()["reviews"]
        lines += [f"{step}: {-count:,}" for step, count in steps.items() if count < 0]
        for split, counts in self.kept.items():
            shown = ", ".join(f"{count:,} {label}" for label, count in counts.items())
            lines.append(f"{split}: {sum(counts.values()):,} reviews ({shown})")
        if left := [f"{count:,} {what}" for what, count in self.left_in_test.items() if count]:
            lines.append(f"the published test split stays whole, with {' and '.join(left)}; clean_test=true drops them")
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """One row per step, in the order of the steps, with the number of reviews."""
        rows = [(f"read ({split})", n) for split, n in self.read.items()]
        rows += [(f"set aside: no labels ({split})", -n) for split, n in self.set_aside.items()]
        rows += [(f"dropped: label {label!r}", -n) for label, n in self.other_labels.items()]
        rows += [
            ("dropped: rating is neutral", -self.neutral),
            ("dropped: empty after cleaning", -self.empty),
            ("dropped: same text, both labels", -self.contradictory),
        ]
        rows += [(f"dropped: duplicate within {split}", -n) for split, n in self.duplicates.items()]
        rows += [
            ("sealed for the last experiment", -self.sealed),
            ("dropped from validation: text is also in test", -self.leaked.get("validation", 0)),
            ("dropped from training: text is also held out", -self.leaked.get("train", 0)),
            ("left unused: train_size asked for fewer", -self.unused),
        ]
        rows += [(f"kept ({split})", sum(counts.values())) for split, counts in self.kept.items()]
        return pd.DataFrame(rows, columns=["step", "reviews"]).set_index("step")


def load_and_prepare_dataset(
    source: str = "snippets",
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    label_names: LabelNames | None = None,
    drop_labels: Sequence[str] = (),
    options: TableOptions = TableOptions(),
    train_size: int | None = None,
    validation_size: float = 0.1,
    test_size: float = 0.2,
    sealed_size: float | None = None,
    clean_test: bool = False,
    seed: int = 0,
) -> tuple[DatasetDict, DataSummary]:
    """The reviews of a source, cleaned and split, and a summary of how many were dropped and why.

    A test split that the source publishes stays whole, so that results can be set beside those of others: of equal
    texts in two splits, validation gives way to test, and training to both. Everywhere else a text stays once, and a
    text with both labels not at all.

    Parameters
    ----------
    source : str
        ``"snippets"``, ``"imdb"``, a dataset on the hub (``"owner/name"``, ``"owner/name:config@revision"``), or a
        local path: a file that :func:`table_parts` reads, or a folder. A folder may hold tables named after splits
        (:func:`sentiment_lib.data.folders.table_files`), text files in folders named after labels (the archive of
        IMDB), or what ``save_to_disk`` of the library datasets wrote. A column that names the split of each row is
        used.
    text_column, label_column : str, optional
        Names of the columns. Default: those with usual names, if there is no doubt
        (:mod:`sentiment_lib.data.columns`). The columns of a file without a header are called 1, 2, ...
    label_names : pair of str or of sequences of str, optional
        What the source calls negative and positive. With a list for either, reviews with a label in neither list are
        dropped. Default: 0/1, neg/pos, negative/positive and false/true are understood, in upper or lower case. Names
        that a Parquet or Arrow file gives to its numbers count more than the numbers.
    drop_labels : sequence of str
        Labels whose reviews are dropped.
    options : TableOptions
        Delimiter, encoding, header and quotes of tables, where they are not recognised.
    train_size : int, optional
        Number of training reviews to keep, with the same proportion of labels. Default: all.
    validation_size : float
        Share of the training reviews that becomes the validation split if the source has none.
    test_size : float
        Share of all reviews that becomes the test split if the source has none.
    sealed_size : float, optional
        Share of the reviews that is left out of all splits for one last experiment (:func:`sealed_reviews`): of all
        reviews, or of the training reviews if the source has a test split. Which reviews these are depends on no other
        argument, so that no seed brings them into a split. Default: a tenth of the snippets, and none of other sources.
    clean_test : bool
        Whether duplicates and texts with both labels are dropped from a published test split as well.
    seed : int
        Seed of the splits. Which split a review goes to depends only on this seed and on the review's text, so that the
        splits are the same on any machine and for any order of the reviews.

    Returns
    -------
    datasets.DatasetDict
        The splits train, validation and test, each in random order, with the columns ``text`` (str), ``label``
        (0 negative, 1 positive); for snippets also ``rating`` (-4 to +4) and ``rating_std``, for the archive of IMDB
        ``stars`` (1 to 10).
    DataSummary
        How many reviews were read, dropped for each reason, and kept.

    Raises
    ------
    DataError
        For a source, column or label that does not exist, and for splits without both labels.
    HubUnreachable
        When the source is on the hub, it is not cached, and the hub does not answer.
    """
    found = read_source(source, options)
    tables = {name: found.tables[name] for name in ("all", *SPLITS) if name in found.tables}
    summary = DataSummary(source, {name: len(table) for name, table in tables.items()}, notes=found.notes)
    if source == "snippets":
        neutral = tables["all"]["label"] == "neutral"
        summary.neutral = int(neutral.sum())
        tables["all"] = tables["all"][~neutral]
    groups = label_groups(label_names)
    summary.columns = _columns(tables, source, text_column, label_column, groups)
    tables = _without_unlabelled(tables, summary)
    class_names = found.class_names.get(summary.columns[1])
    for name, table in tables.items():
        counts = table[summary.columns[1]].value_counts(dropna=False)
        counts = counts.sort_index(key=lambda index: index.map(str) if index.dtype == object else index)
        summary.labels[name] = {_label_shown(label, class_names): int(count) for label, count in counts.items()}
    read = partial(read_labels, label_names=label_names, dropped=drop_labels, class_names=class_names)
    whole = None if clean_test else "test"
    tables = {name: _clean(table, name, name == whole, read, found.ratings, summary) for name, table in tables.items()}
    sealed_from = "all" if "all" in tables else "train"
    share = sealed_size if sealed_size is not None else SEALED_SNIPPETS if source == "snippets" else 0.0
    sealed, tables[sealed_from] = _stratified(tables[sealed_from], round(share * len(tables[sealed_from])), "sealed")
    splits = _make_splits(tables, validation_size, test_size, seed) | {"sealed": sealed}
    _drop_leaks(splits, summary)
    summary.sealed = len(splits["sealed"])
    summary.sealed_reviews = _to_dataset(_shuffled(splits["sealed"], f"{seed} order"))
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
    return DatasetDict({name: _to_dataset(_shuffled(splits[name], f"{seed} order")) for name in SPLITS}), summary


def prepare(settings: Settings) -> tuple[DatasetDict, DataSummary]:
    """Call :func:`load_and_prepare_dataset` with the arguments that `settings` hold."""
    return load_and_prepare_dataset(
        settings.source,
        text_column=settings.text_column,
        label_column=settings.label_column,
        label_names=settings.label_names,
        drop_labels=settings.drop_labels,
        options=TableOptions(**settings.table_options),
        train_size=settings.train_size,
        validation_size=settings.validation_size,
        test_size=settings.test_size,
        sealed_size=settings.sealed_size,
        clean_test=settings.clean_test,
        seed=settings.split_seed,
    )


def sealed_reviews(settings: Settings) -> Dataset:
    """The reviews that :func:`prepare` left out of all splits, to be read once: in the last experiment of the course.

    Raises
    ------
    DataError
        When nothing was left out.
    """
    _, summary = prepare(settings)
    if not summary.sealed_reviews:
        raise DataError(
            f"Nothing was sealed: of {settings.source}, no reviews were left out of the splits. Choose a share such as "
            "sealed_size=0.1 before lesson 01, and run the series again."
        )
    return summary.sealed_reviews


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


def published_results() -> pd.DataFrame:
    """Accuracies on IMDB that others report: model, accuracy, protocol and source, one row per result (lesson 09)."""
    return pd.read_csv(shipped_file("published_results.csv"))


def clean_text(text: str) -> str:
    """A review in Unicode form NFC, without HTML line breaks, control characters and repeated white space.

    Other markup is part of the review and stays.
    """
    text = unicodedata.normalize("NFC", _LINE_BREAK.sub(" ", text))
    return " ".join(_CONTROL.sub(" ", text).split())


def _columns(
    tables: dict[str, pd.DataFrame], source: str, text: str | None, label: str | None, understood: Collection[str]
) -> tuple[str, str]:
    """The columns of texts and labels; one error names all that are missing, in any split."""
    if text is not None and text == label:
        raise DataError(f"text_column and label_column are both {text!r}; a review is not its own label.")
    main = tables["train"] if "train" in tables else tables["all"]
    where, option = f"{source} ({'train' if 'train' in tables else 'all'})", "text_column and label_column"
    require_columns(main, [column for column in (text, label) if column is not None], where, option)
    text = text if text is not None else find_text_column(main.drop(columns=label or []))
    label = label if label is not None else find_label_column(main, text, understood)
    missing = [what for what, column in (("texts", text), ("labels", label)) if column is None]
    if text is None or label is None:
        raise DataError(
            f"No column of {where} has a usual name for {' or '.join(missing)}; {listed_columns(main)}. Say which with "
            f"{' and '.join(f'{what[:-1]}_column' for what in missing)}."
        )
    for name, table in tables.items():
        require_columns(table, [text], f"{source} ({name})", "text_column")
    return text, label


def _without_unlabelled(tables: dict[str, pd.DataFrame], summary: DataSummary) -> dict[str, pd.DataFrame]:
    """Set aside splits other than for training in which no review has a label."""
    column = summary.columns[1]
    kept = {}
    for name, table in tables.items():
        labels = table[column].dropna() if column in table else []
        if name in ("validation", "test") and all(normalised_label(label) in NO_LABEL for label in labels):
            summary.set_aside[name] = len(table)
        else:
            require_columns(table, [column], f"{summary.source} ({name})", "label_column")
            kept[name] = table
    return all_without_test(kept)


def _label_shown(label: object, class_names: Sequence[str] | None) -> str:
    if pd.isna(label):
        return "none"
    if class_names is not None and isinstance(label, int) and 0 <= label < len(class_names):
        return str(class_names[label])
    return str(label)


def _clean(
    table: pd.DataFrame, split: str, whole: bool, read: Callable, ratings: Sequence[str], summary: DataSummary
) -> pd.DataFrame:
    """A table with the columns text and label (and the ratings, if any), cleaned; without duplicates unless `whole`."""
    text_column, label_column = summary.columns
    where = f"{summary.source} ({split})"
    texts = text_column_of(table, text_column, where, "text_column")
    labels, others = read(table[label_column])
    for label, count in others.items():
        summary.other_labels[label] = summary.other_labels.get(label, 0) + count
    table = pd.DataFrame({"text": texts.map(clean_text), "label": labels} | {name: table[name] for name in ratings})
    table = table[labels >= 0].reset_index(drop=True)
    empty = table["text"] == ""
    summary.empty += int(empty.sum())
    table = table[~empty]
    both = table.groupby("text")["label"].transform("nunique") > 1
    if whole:
        repeated = table["text"][~both].duplicated()
        summary.left_in_test = {"duplicates": int(repeated.sum()), "contradictory texts": int(both.sum())}
        return table
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
    """Keep no text in two splits: validation gives way to test, what is sealed to both, and training to all."""
    held_out = {"validation": ["test"], "sealed": ["test", "validation"], "train": ["test", "validation", "sealed"]}
    for name, others in held_out.items():
        seen = set().union(*(splits[other]["text"] for other in others))
        leaked = splits[name]["text"].isin(seen)
        if name != "sealed":
            summary.leaked[name] = int(leaked.sum())
        splits[name] = splits[name][~leaked]


def _shuffled(table: pd.DataFrame, seed: int | str) -> pd.DataFrame:
    """Sort the rows by a pseudo-random number per text that depends only on the seed and the text.

    The order within a split needs a seed of its own. With the one by which the split was cut off, the first rows would
    be those nearest to the cut, and these have one label more often.
    """
    salt = str(seed).encode() + b"\0"
    numbers = table["text"].map(lambda t: hashlib.blake2b(salt + t.encode("utf-8"), digest_size=8).hexdigest())
    return table.iloc[numbers.argsort(kind="stable")]


def _stratified(table: pd.DataFrame, size: int, seed: int | str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`size` rows with the same proportion of labels as `table`, and the other rows."""
    positive = round(size * float((table["label"] == 1).mean())) if len(table) else 0
    by_label = ((0, size - positive), (1, positive))
    chosen = pd.concat([_shuffled(table[table["label"] == label], seed).head(n) for label, n in by_label])
    return chosen, table.drop(index=chosen.index)


def _to_dataset(table: pd.DataFrame) -> Dataset:
    types = {"text": Value("string"), "label": ClassLabel(names=list(LABEL_NAMES))}
    features = Features({name: types.get(name, Value("float64")) for name in table.columns})
    return Dataset.from_pandas(table, features=features, preserve_index=False)
