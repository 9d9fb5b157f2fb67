import hashlib

import numpy as np
import pandas as pd
import pytest

from sentiment_lib.evaluation import label_issues, label_quality, second_opinions


def confused(n, flipped, seed=0):
    """A calibrated model of labels of which some were inverted afterwards."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(0.5, 3, n)))
    labels = (rng.random(n) < p).astype(int)
    wrong = rng.choice(n, flipped, replace=False)
    labels[wrong] = 1 - labels[wrong]
    return labels, p, wrong


def test_inverted_labels_are_among_the_suspicious_ones():
    labels, p, wrong = confused(2000, 60)
    found = label_issues(labels, p)
    sure = [i for i in wrong if max(p[i], 1 - p[i]) > 0.95]
    assert set(sure) <= set(found)
    assert len(found) < 300
    own = np.where(labels == 1, p, 1 - p)[found]
    assert (np.diff(own) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_suspicious_texts_are_those_of_cleanlab(seed):
    from cleanlab.filter import find_label_issues

    labels, p, _ = confused(1000, 50, seed)
    theirs = find_label_issues(
        labels,
        np.column_stack([1 - p, p]),
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    assert label_issues(labels, p).tolist() == theirs.tolist()


def test_second_opinions_are_found_by_the_text(monkeypatch, tmp_path):
    raw = ["A fine<br />film.", "Dull.", "Not read again."]
    table = pd.DataFrame(
        {
            "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in raw[:2]],
            "label": [1, 0],
            "given": [4, 1],
            "opposite": [1, 3],
            "neutral": [0, 1],
            "off_topic": [0, 0],
        }
    )
    table.to_csv(tmp_path / "imdb_second_opinions.csv", index=False)
    monkeypatch.setattr(label_quality, "shipped_file", lambda name: tmp_path / name)
    found = second_opinions(raw)
    assert found.index.tolist() == ["A fine film.", "Dull."]
    assert found["given"].tolist() == [4, 1]


def test_the_shipped_opinions_are_of_five_people_each():
    table = pd.read_csv(label_quality.shipped_file("imdb_second_opinions.csv"))
    assert len(table) == 1310
    assert (table[["given", "opposite", "neutral", "off_topic"]].sum(axis=1) == 5).all()
    assert (table["given"] < 3).sum() == 725
    assert (table["opposite"] >= 3).sum() == 173
