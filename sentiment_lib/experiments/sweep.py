"""A sweep: one training for every combination of settings, sizes and seeds, by workers on one or more machines.

Dask, which the extra ``sweep`` installs, distributes the work. docs/several_machines.md shows how to start workers on
other machines.
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
from .trials import BERT, Trial, Work, compute_trial, grid, trial_settings

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = "20s"  # how long a scheduler may take to answer


def check_can_vary(names: Iterable[str]) -> None:
    """Raise SettingsError for a setting that does not affect a trial, or that each trial sets itself."""
    known, can_vary = Settings().to_dict(), Settings().affecting(*OF_A_TRIAL).keys() - {"seed"}
    for name in sorted(known.keys() & set(names) - can_vary):
        raise SettingsError(f"A sweep cannot vary {name!r}; it varies how BERT is trained, --sizes and --seeds.")


def variations(
    vary: Mapping[str, Sequence[Any]], sizes: Sequence[int], seeds: Sequence[int], settings: Settings
) -> list[Trial]:
    """One trial of BERT for every combination.

    Parameters
    ----------
    vary : mapping of str to sequence
        Values of settings, such as ``{"learning_rate": [5e-5, 1e-4], "batch_size": [16, 32]}``.
    sizes, seeds : sequence of int
        Numbers of training reviews, and the seeds that they are drawn with.
    settings : Settings
        Of the run; the trials change them.

    Raises
    ------
    SettingsError
        For a setting that does not exist, that a sweep cannot vary, or a value that is out of range.
    """
    check_can_vary(vary)
    combinations = [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]
    trials = [trial for changes in combinations for trial in grid(sizes, seeds, [BERT], **changes)]
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
        machine, and stopped at the end of the block.
    count : int
        Number of workers on this machine; they share its cores.

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
    """Compute the trials of :func:`sentiment_lib.experiments.run_trials` on all workers of `client`.

    Each worker receives the reviews once, and results come back over the network, so that workers need no shared disk;
    they need this package, and the model by name or at the same path. If a worker is lost, another one computes its
    trial again. Each worker uses its share of its machine's cores.
    """

    def spread(work: Work, trials: Sequence[Trial]) -> Iterable[tuple[Trial, dict[str, Any]]]:
        with needs_extra("sweep"):
            from distributed import as_completed

        if not trials:
            return
        hosts = Counter(worker["host"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        (sent,) = client.scatter([work], broadcast=True)
        waiting = {client.submit(_on_worker, sent, trial, dict(hosts), pure=False): trial for trial in trials}
        for future in as_completed(waiting):
            yield waiting[future], future.result()

    return spread


def _on_worker(work: Work, trial: Trial, hosts: Mapping[str, int]) -> dict[str, Any]:
    """Compute a trial on a worker, with its share of the machine's threads."""
    import torch

    with needs_extra("sweep"):
        from distributed import get_worker

    worker = get_worker()
    workers_here = hosts.get(worker.address.split("://")[-1].rsplit(":", 1)[0], 1)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers_here))
    return compute_trial(work, trial) | {"worker": worker.address}
