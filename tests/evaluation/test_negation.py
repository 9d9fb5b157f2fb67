import itertools

import pytest

from sentiment_lib.errors import ArgumentError
from sentiment_lib.evaluation import behavioural_cases, negation_pairs
from sentiment_lib.evaluation.behaviour import case_texts
from sentiment_lib.evaluation.negation import PARTS
from sentiment_lib.model.pretrained import bundled_checkpoint

every_part = pytest.mark.parametrize("part", PARTS)


@every_part
def test_a_pair_differs_in_one_word_and_every_template_has_every_word(part):
    pairs = negation_pairs(part)
    for row in pairs.itertuples():
        plain, negated = row.plain.split(), row.negated.split()
        assert [(a, b) for a, b in zip(plain, negated, strict=True) if a != b] == [
            (next(a for a, b in zip(plain, negated, strict=True) if a != b), "not")
        ]
        assert row.word in row.plain
    assert len(pairs) == pairs["template"].nunique() * pairs["word"].nunique()
    assert pairs["label"].mean() == 0.5
    assert not pairs["plain"].duplicated().any()


@every_part
def test_the_sentences_of_a_pair_have_the_same_number_of_tokens(part):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bundled_checkpoint())
    pairs = negation_pairs(part)
    plain, negated = (tokenizer(pairs[name].tolist())["input_ids"] for name in ("plain", "negated"))
    assert [len(ids) for ids in plain] == [len(ids) for ids in negated]


def test_parts_share_neither_templates_nor_words():
    """The three that are tested have at least 24 templates together."""
    tables = {part: negation_pairs(part) for part in PARTS}
    for a, b in itertools.combinations(PARTS, 2):
        for column in ("template", "word", "negated"):
            assert not set(tables[a][column]) & set(tables[b][column]), (a, b, column)
    assert sum(tables[part]["template"].nunique() for part in ("explore", "confirm", "sealed")) >= 24


def test_no_sentence_is_one_of_the_behavioural_tests():
    tested = set(case_texts(behavioural_cases()))
    for part in PARTS:
        pairs = negation_pairs(part)
        assert not tested & {*pairs["plain"], *pairs["negated"]}


def test_another_part_is_an_error():
    with pytest.raises(ArgumentError, match="part='test' is not one of 'explore'"):
        negation_pairs("test")


@every_part
def test_any_tokenizer_gets_pairs_of_equal_length(part, each_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(each_checkpoint)
    pairs = negation_pairs(part, tokenizer)
    plain, negated = (tokenizer(pairs[name].tolist())["input_ids"] for name in ("plain", "negated"))
    assert [len(ids) for ids in plain] == [len(ids) for ids in negated]
    for label in (0, 1):
        chosen = pairs[pairs["label"] == label]
        assert chosen["template"].nunique() == negation_pairs(part)["template"].nunique()


def test_berts_own_pairs_do_not_change(bundled):
    for part in PARTS:
        assert negation_pairs(part, bundled[1]).equals(negation_pairs(part))
