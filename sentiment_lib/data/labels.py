"""Labels: what a source calls negative and positive, as 0 and 1."""

import pandas as pd

from ..errors import DataError

LABEL_NAMES = ("negative", "positive")
KNOWN_LABELS = {
    **dict.fromkeys(["0", "0.0", "neg", "negative", "false"], 0),
    **dict.fromkeys(["1", "1.0", "pos", "positive", "true"], 1),
}


def map_labels(labels: pd.Series, label_names: tuple[str, str] | None = None) -> pd.Series:
    """Labels as 0 (negative) and 1 (positive).

    Raises
    ------
    DataError
        For missing or unknown labels. The message lists the unknown ones, and says how to name labels of one's own.
    """
    names = {str(n).strip().lower(): i for i, n in enumerate(label_names)} if label_names else KNOWN_LABELS
    if len(names) < 2:
        raise DataError(f"label_names={label_names!r}: both labels are called {next(iter(names))!r}.")
    if labels.isna().any():
        raise DataError(f"{int(labels.isna().sum())} of {len(labels)} reviews have no label. Drop or label them.")
    mapped = labels.astype(str).str.strip().str.lower().map(names)
    if mapped.isna().any():
        unknown = sorted(set(labels[mapped.isna()].astype(str)))
        shown = ", ".join(map(repr, unknown[:5])) + (" and more" if len(unknown) > 5 else "")
        understood = ", ".join(map(repr, names))
        raise DataError(
            f"Unknown labels: {shown} ({int(mapped.isna().sum())} of {len(labels)} reviews). Understood are "
            f"{understood}. Say what your labels mean with negative_label and positive_label (in Python: "
            "label_names=('bad', 'good')), or correct the file."
        )
    return mapped.astype("int64")
