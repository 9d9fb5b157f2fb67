import numpy as np
import pytest
import torch

from sentiment_lib.batches import SimilarLengths


def lengths(count: int) -> list[int]:
    return np.random.default_rng(0).integers(10, 500, count).tolist()


def order(sampler: SimilarLengths, epoch: int = 0) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000, 1003])
def test_every_row_comes_once(count):
    sampler = SimilarLengths(lengths(count), 8)
    assert sorted(order(sampler)) == list(range(count)) == sorted(order(sampler, 5))
    assert len(sampler) == count


def test_a_batch_holds_similar_lengths_and_the_longest_come_first():
    tokens = np.array(lengths(1603))
    batches = tokens[order(SimilarLengths(tokens.tolist(), 16))][:1600].reshape(-1, 16)
    assert (batches.max(axis=1) - batches.min(axis=1)).max() < 30
    assert batches.max(axis=1).sum() < 1.04 * batches.mean(axis=1).sum()  # at most 4 % of padding
    assert batches[0].mean() >= np.sort(tokens)[-32:].mean()


def test_batches_come_in_random_order():
    tokens = np.array(lengths(1600))
    means = tokens[order(SimilarLengths(tokens.tolist(), 16))].reshape(-1, 16).mean(axis=1)[1:]
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.3
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_the_order_is_another_in_each_epoch_and_for_each_seed_and_the_same_again():
    tokens = lengths(100)
    first, other = SimilarLengths(tokens, 8), SimilarLengths(tokens, 8, seed=1)
    assert order(first, 1) == order(SimilarLengths(tokens, 8), 1)
    assert len({tuple(order(s, epoch)) for s in (first, other) for epoch in (0, 1, 2)}) == 6
    together = {frozenset(rows) for epoch in (0, 1) for rows in np.reshape(order(first, epoch)[:96], (12, 8)).tolist()}
    assert len(together) > 20  # and other reviews meet in a batch


def test_the_order_depends_on_nothing_else_so_that_processes_agree():
    sampler, orders = SimilarLengths(lengths(100), 8), []
    for drawn in (0, 7):  # processes mask their own tokens, and so draw different amounts of chance
        torch.rand(drawn)
        orders.append(order(sampler, 1))
    assert orders[0] == orders[1]
