"""A sweep: one training for every combination of settings, sizes and seeds, by workers on any number of machines.

Dask carries the work; the extra ``sweep`` brings it. docs/several_machines.md shows how to start workers elsewhere.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..run.environment import needs_extra
from ..settings import Settings
from .records import OF_A_TRIAL, Spread
from .trials import BERT, Trial, Work, compute_trial, trial_settings

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = "20s"  # for a scheduler to answer


def check_can_vary(names: Iterable[str]) -> None:
    """A SettingsError for a setting that makes no difference to a trial, or that a trial has of its own."""
    known, can_vary = Settings().to_dict(), Settings().affecting(*OF_A_TRIAL).keys() - {"seed"}
    for name in sorted(known.keys() & set(names) - can_vary):
        raise SettingsError(f"A sweep cannot vary {name!r}; it varies how BERT is trained, --sizes and --seeds.")


def variations(
    vary: Mapping[str, Sequence[Any]], sizes: Sequence[int], seeds: Sequence[int], settings: Settings
) -> list[Trial]:
    """A trial of BERT for every combination.

    Parameters
    ----------
    vary : mapping of str to sequence
        Values of settings, such as ``{"learning_rate": [5e-5, 1e-4], "batch_size": [16, 32]}``.
    sizes, seeds : sequence of int
        Training reviews, and which of them are drawn.
    settings : Settings
        Of the run, which the trials change.

    Raises
    ------
    SettingsError
        For a setting that does not exist, that a sweep cannot vary, or a value that is out of range.
    """
    check_can_vary(vary)
    combinations = itertools.product(*vary.values())
    trials = [
        Trial(BERT, size, seed, dict(zip(vary, values, strict=True)))
        for values in combinations
        for size in sizes
        for seed in seeds
    ]
    for trial in trials:
        trial_settings(trial, settings)  # raises
    return trials


@contextmanager
def workers(scheduler: str | None = None, count: int = 2) -> Iterator[Client]:
    """A connection to Dask workers.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, such as ``"tcp://10.0.0.1:8786"``. Default: workers are started on this
        machine, and ended with the block.
    count : int
        Workers on this machine; they share its cores.

    Raises
    ------
    SettingsError
        When nobody answers at the address.
    MissingExtra
        When Dask is not installed.
    """
    with needs_extra("sweep"):
        from distributed import Client, LocalCluster
    if scheduler:
        try:
            client = Client(scheduler, timeout=PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise SettingsError(f"No Dask scheduler answers at {scheduler!r}: {error}") from error
        with client:
            yield client
        return
    local = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(**local) as cluster, Client(cluster) as client:
        yield client


def over_workers(client: Client) -> Spread:
    """A way to compute trials for :func:`sentiment_lib.experiments.run_trials`: on all workers of `client`.

    The reviews travel to each worker once and results come back over the network, so that workers share no disk;
    they need this package, and a model by name or at the same path. A trial whose worker is lost is computed again
    by another. Each worker uses its share of its machine's cores.
    """

    def spread(work: Work, trials: Sequence[Trial]) -> Iterable[tuple[Trial, dict[str, Any]]]:
        with needs_extra("sweep"):
            from distributed import as_completed

        if not trials:
            return
        hosts = Counter(worker["host"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        (there,) = client.scatter([work], broadcast=True)
        waiting = {client.submit(_on_worker, there, trial, dict(hosts), pure=False): trial for trial in trials}
        for future in as_completed(waiting):
            yield waiting[future], future.result()

    return spread


def _on_worker(work: Work, trial: Trial, hosts: Mapping[str, int]) -> dict[str, Any]:
    """A trial on a worker, with its share of the machine's threads."""
    import torch

    with needs_extra("sweep"):
        from distributed import get_worker

    worker = get_worker()
    here = hosts.get(worker.address.split("://")[-1].rsplit(":", 1)[0], 1)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // here))
    return compute_trial(work, trial) | {"worker": worker.address}
