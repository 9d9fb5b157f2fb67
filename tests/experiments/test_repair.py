import pytest
from datasets import Dataset

from sentiment_lib import initialize_model_and_tokenizer, make_settings
from sentiment_lib.errors import ArgumentError
from sentiment_lib.evaluation import negation_pairs
from sentiment_lib.experiments.repair import measure_repair, repair_set, train_further

TRAIN = Dataset.from_dict({"text": [f"review {i}" for i in range(60)], "label": [i % 2 for i in range(60)]})


def test_the_arms_differ_in_the_negation_alone():
    negated, plain = (repair_set(TRAIN, arm, seed=1, known=20).to_pandas() for arm in ("negated", "plain"))
    pairs = negation_pairs("training")
    for table, side in ((negated, "negated"), (plain, "plain")):
        assert set(pairs[side]) <= set(table["text"])
        assert len(table) == len(pairs) + 20
    known = [set(table["text"]) & set(TRAIN["text"]) for table in (negated, plain)]
    assert known[0] == known[1]
    by_text = dict(zip(negated["text"], negated["label"], strict=True))
    good = pairs[pairs["label"] == 1].iloc[0]
    assert by_text[good["negated"]] == 0
    assert dict(zip(plain["text"], plain["label"], strict=True))[good["plain"]] == 1
    assert negated["text"].tolist() != repair_set(TRAIN, "negated", seed=2, known=20)["text"][:]


def test_another_arm_is_an_error():
    with pytest.raises(ArgumentError, match="arm='both' is not one of 'negated', 'plain'"):
        repair_set(TRAIN, "both", seed=0)


def test_training_further_changes_the_model_and_leaves_nothing_behind(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    settings = make_settings("quick", model=str(tiny_checkpoint), max_length=32, learning_rate=1e-2)
    model, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    classifier = train_further(model, tokenizer, repair_set(TRAIN, "negated", 0, known=10), settings, epochs=1.0)
    assert any((weights != before[name]).any() for name, weights in model.state_dict().items())
    assert list(tmp_path.iterdir()) == []
    found = measure_repair(classifier, TRAIN)
    assert found["right"].shape == (60,)
    assert [len(shares) for shares in found["pairs"].values()] == [8] * 12
    sealed = negation_pairs("sealed").query("label == 0")
    right = classifier.predict(sealed["negated"].tolist()) >= 0.5  # negated blame is praise
    by_template = right.reshape(8, 4).mean(axis=1)
    assert found["pairs"]["sealed, negated blame"] == by_template.tolist()
    assert found["behaviour"].keys() >= {"negated blame, positive", "negated praise, negative"}
