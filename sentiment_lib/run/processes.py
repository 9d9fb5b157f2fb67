"""One run in several processes, as ``torchrun`` starts them: who am I, and who may write.

Without ``torchrun`` there is one process, and nothing here does anything. docs/several_machines.md has the commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def process_count() -> int:
    """Processes that work on this run together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_number() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return process_number() == 0


def join_processes(device: str) -> None:
    """Connect the processes: NCCL for GPUs, one each, gloo for processors.

    Must come before a model is put on ``"cuda"``, so that each process takes its own GPU.

    Parameters
    ----------
    device : {"cpu", "cuda", "mps"}
    """
    if process_count() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if process_count() > 1:
        import torch.distributed

        torch.distributed.barrier()


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The first process runs the block alone, then all others: what it wrote or downloaded is there for them.

    A process that fails ends the others too, because ``torchrun`` stops them.
    """
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()
