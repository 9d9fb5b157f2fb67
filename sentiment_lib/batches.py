"""Which reviews share a batch.

Taught in lesson 03.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch


class SimilarLengths(torch.utils.data.Sampler[int]):
    """Rows in an order in which each `batch_size` of them are of similar length; the batches come in random order.

    Sorted by length, little is computed on padding. By chance, a row comes up to a batch later than its length says,
    so that other reviews meet in each epoch. The longest come first, so that too little memory shows at once; a last,
    smaller batch has any length. (transformers' own ``group_by_length`` sorts 50 batches at a time and leaves them
    sorted: from each 50, a training sees long reviews first and short ones last.)

    The order depends on the seed and the epoch only, so that several processes agree on it and a resumed training
    goes on with it.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row.
    batch_size : int
        Rows of a batch, over all processes.
    seed : int
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int = 0) -> None:
        self.lengths = torch.tensor(lengths)
        self.batch_size = batch_size
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Number of the pass through the rows; called by the Trainer."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        chance = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self), generator=chance)
        order = order[self.lengths[order].argsort(descending=True, stable=True)]
        place = torch.arange(len(self)) + self.batch_size * torch.rand(len(self), generator=chance)
        order = order[place.argsort()]
        whole, rest = divmod(len(self), self.batch_size)
        at = int(torch.randint(whole + 1, (), generator=chance)) * self.batch_size
        batches = torch.cat([order[:at], order[at + rest :]]).reshape(whole, self.batch_size)
        others = torch.randperm(max(0, whole - 1), generator=chance) + 1
        yield from torch.cat([batches[:1].flatten(), batches[others].flatten(), order[at : at + rest]]).tolist()
