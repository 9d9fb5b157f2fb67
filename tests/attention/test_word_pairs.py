import numpy as np
import pytest

from sentiment_lib.attention import strongest_pairs


def texts_where(looks, n=40, seed=0):
    """Texts of eight words; in each, `a` looks at `b` with the weight `looks`, all else at random."""
    generator = np.random.default_rng(seed)
    tokens, weights, special = [], [], []
    for _ in range(n):
        words = ["[CLS]", *generator.permutation(list("abcdefgh")), "[SEP]"]
        matrix = generator.dirichlet(np.ones(10), 10)
        if looks:
            row = words.index("a")
            matrix[row] *= 1 - looks
            matrix[row, words.index("b")] += looks
        tokens.append(words)
        weights.append(matrix)
        special.append([word.startswith("[") for word in words])
    return tokens, weights, special


def test_a_pair_that_a_head_connects_is_found_above_chance():
    found = strongest_pairs(*texts_where(0.5))
    best = found.table.iloc[0]
    assert (best["first"], best["second"], best["count"]) == ("a", "b", 40)
    assert best["mean"] > found.chance > found.table["mean"][1]
    tokens, weights, _ = texts_where(0.5)
    assert weights[best["text"]][best["row"], best["column"]] == best["weight"]
    assert tokens[best["text"]][best["row"]] == "a"


def test_without_a_connection_the_best_pair_beats_chance_in_about_one_of_twenty():
    beats = [
        found.table["mean"][0] > found.chance for found in (strongest_pairs(*texts_where(0, seed=i)) for i in range(40))
    ]
    assert sum(beats) <= 6  # 2 are expected; more than 6 happen once in 200 times


def test_rare_pairs_special_tokens_and_short_texts_are_left_out():
    tokens, weights = (
        [["[CLS]", "a", "b", "[SEP]"]] * 2 + [["[CLS]", "a", "[SEP]"]],
        [np.full((4, 4), 0.25)] * 2 + [np.full((3, 3), 1 / 3)],
    )
    special = [[word.startswith("[") for word in words] for words in tokens]
    found = strongest_pairs(tokens, weights, special)
    assert found.table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["b", "a"]]
    assert found.texts == 3
    assert strongest_pairs(tokens[2:], weights[2:], special[2:]).table.empty
    assert strongest_pairs(tokens * 15, weights * 15, special * 15).table["count"].tolist() == [30, 30]
    with pytest.raises(ValueError, match="text 0 has 4 tokens and weights of shape"):
        strongest_pairs(tokens, [weights[2]] * 3, special)
