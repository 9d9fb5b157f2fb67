"""Labels: what a source calls negative and positive, as 0 and 1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

from ..errors import DataError, listed

LABEL_NAMES = ("negative", "positive")
KNOWN_LABELS = {
    **dict.fromkeys(["0", "neg", "negative", "false"], 0),
    **dict.fromkeys(["1", "pos", "positive", "true"], 1),
}
NO_LABEL = frozenset({"-1", ""})  # in a column without any other value: datasets whose test labels are secret
LabelNames = tuple[str | Sequence[str], str | Sequence[str]]


def normalised_label(label: object) -> str:
    """A label as text in lower case: 4 and 4.0 are the same, and fastText's ``__label__`` is left out."""
    text = str(label).strip().lower().removeprefix("__label__")
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", text)


def label_groups(label_names: LabelNames | None) -> dict[str, int]:
    """Normalised labels as keys, with 0 (negative) or 1 (positive) as values.

    Raises
    ------
    DataError
        When a label is called both negative and positive, or one has no name.
    """
    if label_names is None:
        return KNOWN_LABELS
    groups: dict[str, int] = {}
    for label, names in enumerate(label_names):
        for name in [names] if isinstance(names, str) or not isinstance(names, Collection) else names:
            if groups.setdefault(normalised_label(name), label) != label:
                raise DataError(f"label_names={label_names!r}: both labels are called {normalised_label(name)!r}.")
    if set(groups.values()) != {0, 1} or "" in groups:
        raise DataError(f"label_names={label_names!r} must name negative and positive labels.")
    return groups


def read_labels(
    labels: pd.Series,
    label_names: LabelNames | None = None,
    dropped: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
) -> tuple[pd.Series, dict[str, int]]:
    """Labels as 0 (negative) and 1 (positive), and how many reviews have a label that is to be dropped.

    Parameters
    ----------
    labels : pandas.Series
    label_names : pair, optional
        What the source calls negative and positive: a label each, or a list of labels each. When either is a list, all
        labels in neither list are dropped. Default: :data:`KNOWN_LABELS`.
    dropped : sequence of str
        Labels to drop.
    class_names : sequence of str, optional
        Names that the source gives to the labels 0, 1, ...

    Returns
    -------
    pandas.Series
        0, 1, or -1 for a review to drop, int64.
    dict of str to int
        Number of reviews by dropped label.

    Raises
    ------
    DataError
        For missing or unknown labels (the message lists the unknown ones, and says how to name labels of one's own),
        and for `label_names` that contradict `class_names`.
    """
    groups = label_groups(label_names)
    if labels.isna().any():
        raise DataError(f"{int(labels.isna().sum())} of {len(labels)} reviews have no label. Drop or label them.")
    values = labels.map(normalised_label)
    written = dict(zip(values, labels.astype(str).str.strip(), strict=True))
    if class_names is not None:
        written |= {str(number): str(name) for number, name in enumerate(class_names)}
        groups = _by_class_names(groups, class_names, label_names is not None)
    to_drop = {normalised_label(label) for label in dropped}
    to_drop |= {value for value, name in written.items() if normalised_label(name) in to_drop}
    if label_names is not None and (clash := to_drop & set(groups)):
        raise DataError(f"The label {written.get(min(clash), min(clash))!r} is both to be kept and to be dropped.")
    groups = {name: label for name, label in groups.items() if name not in to_drop}
    counts = Counter(values)
    rest = {value: count for value, count in sorted(counts.items()) if value not in groups}
    unknown = {value: count for value, count in rest.items() if value not in to_drop}
    lists = label_names is not None and any(not isinstance(names, str) for names in label_names)
    meant = {groups[value] for value in counts if value in groups}
    if unknown and not (lists and meant == {0, 1}):
        found = [(written[value], count) for value, count in sorted(counts.items())]
        raise DataError(_unknown([(written[value], count) for value, count in unknown.items()], found, groups, meant))
    mapped = values.map(groups).fillna(-1).astype("int64")
    return mapped, {written[value]: count for value, count in rest.items()}


def _by_class_names(groups: dict[str, int], class_names: Sequence[str], chosen: bool) -> dict[str, int]:
    """The numbers 0, 1, ... as keys, by their names; by the numbers themselves if the user's labels are no names."""
    names = [normalised_label(name) for name in class_names]
    if all(re.fullmatch(r"label_?\d+", name) for name in names):  # transformers' and datasets' way to say nothing
        return groups
    if not chosen or any(name in groups for name in names):
        return {str(number): groups[name] for number, name in enumerate(names) if name in groups}
    digits = [re.match(r"\d+", name) for name in names]  # such as "1 star" for the number 0
    by_digits = {digit[0]: number for number, digit in enumerate(digits) if digit}
    if groups.keys() <= by_digits.keys():
        if all(group.isdigit() and int(group) < len(names) for group in groups):
            raise DataError(
                f"It is not certain what {', '.join(map(repr, groups))} mean: the file's labels 0 to {len(names) - 1} "
                f"are called {', '.join(map(repr, class_names))}. Say negative_label and positive_label by name."
            )
        return {str(by_digits[group]): label for group, label in groups.items()}
    for number, name in enumerate(names):
        said, meant = groups.get(str(number)), KNOWN_LABELS.get(name)
        if said is not None and meant is not None and said != meant:
            raise DataError(
                f"The settings call the label {number} {LABEL_NAMES[said]}, but in the file {number} means "
                f"{class_names[number]!r}. Leave negative_label and positive_label out, or correct them."
            )
    return groups


def _unknown(
    unknown: list[tuple[str, int]], found: list[tuple[str, int]], groups: dict[str, int], meant: set[int]
) -> str:
    names = [label for label, _ in unknown]
    to_drop = f" To leave them out: drop_label={','.join(names)}." if meant == {0, 1} and len(names) <= 5 else ""
    return (
        f"Unknown labels: {listed(map(repr, names), 10)} ({sum(count for _, count in unknown)} of "
        f"{sum(count for _, count in found)} reviews). The labels are "
        f"{listed((f'{label!r} ({count:,})' for label, count in found), 10)}; understood are "
        f"{listed(map(repr, groups), 10) or 'none of them'}. Say what yours mean with negative_label and "
        "positive_label (in Python: label_names=('bad', 'good')). Each may be a list, negative_label=1,2 "
        f"positive_label=4,5, and labels in neither list are then dropped.{to_drop} Or correct the file."
    )
