"""How much of the error is the labels' (lesson 05)."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..data.preparation import clean_text
from ..run.paths import shipped_file
from .predictions import check_predictions


def label_issues(labels: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """Texts whose label is probably wrong, the most suspicious first (confident learning).

    A text is suspicious if the model's probability of the other label is at least as high as it is on average for the
    texts that have that label, and higher than that of its own.

    Parameters
    ----------
    labels, probabilities : array, shape (n,)
        Labels (0, 1), and probabilities of positive by models that did not learn from the text itself, as
        scikit-learn's ``cross_val_predict`` gives them.

    Returns
    -------
    numpy.ndarray
        Positions of the suspicious texts, by the probability of their own label, the lowest first.

    References
    ----------
    Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty in dataset labels, JAIR 2021. The texts are
    those that its authors' library cleanlab finds with ``filter_by="confident_learning"`` and ranks by
    ``"self_confidence"``.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    both = np.stack([1 - probabilities, probabilities], axis=1)
    usual = np.array([both[labels == label, label].mean() for label in (0, 1)])
    rows = np.arange(len(labels))
    own, other = both[rows, labels], both[rows, 1 - labels]
    suspicious = np.flatnonzero((other >= usual[1 - labels]) & (other > own))
    return suspicious[np.argsort(own[suspicious], kind="stable")]


def second_opinions(raw_texts: Iterable[str]) -> pd.DataFrame:
    """What five people each said when they read doubtful reviews of IMDB's test split again.

    1,310 of the 25,000 test reviews were read again, because a cross-validated model doubted their label (Northcutt,
    Athalye and Mueller, Pervasive label errors in test sets destabilize machine learning benchmarks, NeurIPS 2021
    Datasets and Benchmarks; their repository label-errors, Apache-2.0).

    Parameters
    ----------
    raw_texts : iterable of str
        Reviews as the corpus has them, before cleaning.

    Returns
    -------
    pandas.DataFrame
        One row per review that was read again and is among `raw_texts`, indexed by its cleaned text: ``label`` (0, 1),
        and how many readers chose ``given``, ``opposite``, ``neutral`` or ``off_topic``. A label is *confirmed* if at
        least three chose ``given``, and else *doubted*.
    """
    known = pd.read_csv(shipped_file("imdb_second_opinions.csv")).set_index("text_sha256")
    hashes = {hashlib.sha256(text.encode()).hexdigest(): clean_text(text) for text in raw_texts}
    found = known[known.index.isin(list(hashes))]
    return found.set_index(found.index.map(hashes).rename("text"))
