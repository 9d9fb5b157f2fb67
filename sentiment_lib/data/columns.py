"""Which column of a table holds the texts, which the labels, which the split; and whether the first row names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from ..errors import DataError
from .labels import normalised_label

# usual names, in lower case, letters only
TEXT_NAMES = {"text", "review", "sentence", "content", "tweet", "comment", "phrase", "document"}
TEXT_NAMES |= {"reviewtext", "reviewbody", "reviewcontent", "sentimenttext"}
LABEL_NAMES_OF_COLUMNS = {"label", "labels", "sentiment", "polarity", "target", "class"}
LABEL_NAMES_OF_COLUMNS |= {"star", "stars", "starrating", "rating", "overall", "score"}
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing"),
}
SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_SAMPLE = 300  # rows
_T = TypeVar("_T")
_FEW = 10  # different values that a column of labels may have


def all_without_test(splits: Mapping[str, _T]) -> dict[str, _T]:
    """The splits with train called ``"all"`` if there is no test split, which is then taken from it."""
    if "test" in splits:
        return dict(splits)
    return {"all" if name == "train" else name: split for name, split in splits.items()}


def normalised(name: object) -> str:
    """A column's name in lower case, letters and digits only."""
    return re.sub(r"[\W_]", "", str(name).lower())


def _last_word(name: object) -> str:
    """The last word of names such as ``airline_sentiment`` and ``SentimentText``."""
    return (re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", str(name)) or [""])[-1].lower()


def has_header(rows: Sequence[Sequence[object]], columns: Collection[str], where: str) -> bool:
    """Whether the first row of a table names its columns.

    Parameters
    ----------
    rows : sequence of rows
        The first rows of the table.
    columns : collection of str
        Names that the user asks for.

    Raises
    ------
    DataError
        When the rows do not tell.
    """
    first, others = rows[0], rows[1:]
    known = TEXT_NAMES | LABEL_NAMES_OF_COLUMNS | {normalised(name) for name in columns if not name.isdigit()}
    if any(normalised(value) in known for value in first):
        return True
    for_header = against = False
    for j, value in enumerate(map(_as_text, first)):
        values = [_as_text(row[j]) for row in others if j < len(row)]
        filled = [other for other in values if other]
        if len(value.split()) >= 5 or len(value) >= 40 or (value and value in filled):
            against = True
        elif filled and all(map(_is_number, filled)):
            for_header |= not _is_number(value)
            against |= _is_number(value)
        elif len(filled) >= 20 and len(set(filled)) <= _FEW:
            for_header = True
    if for_header == against:
        shown = ", ".join(repr(_as_text(value)[:40]) for value in first[:6])
        raise DataError(
            f"{where}: its first row is {shown}. Say whether these are the names of the columns (header=true) or the "
            "first review (header=false); with --set on the command line."
        )
    return for_header


def _as_text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def find_text_column(table: pd.DataFrame, option: str = "text_column") -> str | None:
    """The column whose name or content leaves no doubt that it holds the texts, or None.

    Parameters
    ----------
    table : pandas.DataFrame
    option : str
        How the user asks for a column, for the message.

    Raises
    ------
    DataError
        When several columns may be meant.
    """
    names = [str(name) for name in table.columns]
    prose = [name for name in names if _is_prose(table[name])]
    named = [[name for name in names if normalised(name) in TEXT_NAMES]]
    named += [[name for name in names if _last_word(name) in TEXT_NAMES]]
    only = names if len(names) == 1 else []
    return _without_doubt([["text"] if "text" in names else [], *named, only, prose], "texts", option)


def find_label_column(table: pd.DataFrame, text_column: str | None, understood: Collection[str]) -> str | None:
    """The column whose name or content leaves no doubt that it holds the labels, or None.

    Parameters
    ----------
    table : pandas.DataFrame
    text_column : str, optional
        The column that holds the texts, and so no labels.
    understood : collection of str
        Labels that are understood, normalised as by :func:`sentiment_lib.data.labels.normalised_label`: of several
        columns with a usual name, the only one that holds nothing else is taken.

    Raises
    ------
    DataError
        When several columns may be meant.
    """
    names = [name for name in map(str, table.columns) if name != text_column]

    def values(name: str) -> set[str]:
        return set(map(normalised_label, table[name].dropna().head(_SAMPLE)))

    tiers = [["label"] if "label" in names else []]
    for usual in (normalised, _last_word):
        found = [name for name in names if usual(name) in LABEL_NAMES_OF_COLUMNS]
        fitting = [name for name in found if values(name) <= set(understood)]
        tiers.append(fitting if len(fitting) == 1 else found)
    few = [name for name in names if 2 <= len(values(name)) <= _FEW and len(table) >= 2 * _FEW]
    fitting = [name for name in few if values(name) <= set(understood)]
    tiers.append(fitting if len(fitting) == 1 else few)
    return _without_doubt(tiers, "labels", "label_column")


def _without_doubt(tiers: Iterable[list[str]], what: str, option: str) -> str | None:
    """The only name of the first list that has any."""
    for found in tiers:
        if len(found) > 1:
            shown = ", ".join(map(repr, found[:6]))
            raise DataError(f"Several columns may hold the {what}: {shown}. Say which with {option}.")
        if found:
            return found[0]
    return None


def _is_prose(column: pd.Series) -> bool:
    """Whether the values look like running text, rather than names, numbers, dates or addresses."""
    values = [value for value in column.dropna().head(_SAMPLE) if isinstance(value, str) and value.strip()]
    if not values:
        return False

    def is_prose(value: str) -> bool:
        words = value.split()
        with_digits = sum(any(letter.isdigit() for letter in word) for word in words)
        unspaced = len(value) >= 8 and sum(not letter.isascii() for letter in value) > len(value) / 2
        return (len(words) >= 3 or unspaced) and with_digits < len(words) / 3

    return sum(map(is_prose, values)) > len(values) / 2


def split_column(table: pd.DataFrame) -> str | None:
    """The column that names the split of each row, such as ``split`` with train, dev and test; None if there is none.

    Every value must be a usual name of a split (or empty), and some rows must be for training.
    """
    for name in table.columns:
        head = table[name].dropna().head(_SAMPLE)
        if len(head) and all(isinstance(v, str) and v.strip().lower() in SPLIT_OF for v in head):
            values = {v.strip().lower() if isinstance(v, str) else v for v in table[name].dropna().unique()}
            if all(value in SPLIT_OF for value in values) and {SPLIT_OF[value] for value in values} > {"train"}:
                return str(name)
    return None
