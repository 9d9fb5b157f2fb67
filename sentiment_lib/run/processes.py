"""One run in several processes, as ``torchrun`` starts them.

Without ``torchrun`` there is one process, and nothing here does anything. docs/several_machines.md has the commands.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def process_count() -> int:
    """How many processes work on this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_number() -> int:
    """The rank of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return process_number() == 0


def join_processes(device: str) -> None:
    """Connect the processes, through NCCL for GPUs (one per process) and through gloo for CPUs.

    Call it before a model is moved to ``"cuda"``, so that each process takes its own GPU.
    """
    if process_count() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def wait_for_all() -> None:
    """Wait until every process has reached this call."""
    if process_count() > 1:
        import torch.distributed

        torch.distributed.barrier()


@contextmanager
def first_goes_first() -> Iterator[None]:
    """Run the block in the first process alone, then in all others, which find what it wrote or downloaded.

    A process that fails also ends the others, because ``torchrun`` stops them.
    """
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()
