"""Shared code of the benchmarks: reviews, measurements in separate processes, and records of the results.

Each script answers one question. It measures its candidates in turn (A B A B), each in a new process, and writes every
measurement to benchmarks/records/<processor>/<question>.json as soon as it is done. An interrupted script continues
where it stopped. ``report.py`` makes RESULTS.md from the records.
"""

import argparse
import json
import multiprocessing
import re
import resource
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from sentiment_lib.course.machine import describe_machine
from sentiment_lib.run.files import write_json

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"


def arguments(description: str) -> argparse.Namespace:
    """Parse the options that all benchmarks of training and inference take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("imdb", type=Path, help="folder with IMDB's train.parquet and test.parquet")
    parser.add_argument("--small", action="store_true", help="few reviews and one round, to check that it works")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side, where no speed is measured")
    options = parser.parse_args()
    for split in ("train", "test"):
        if not (options.imdb / f"{split}.parquet").is_file():
            parser.error(f"{options.imdb / f'{split}.parquet'} does not exist. Give a folder with both splits of IMDB.")
    options.imdb = options.imdb.resolve()
    return options


def reviews(folder: Path, split: str, count: int, seed: int = 0) -> pd.DataFrame:
    """`count` random reviews with ``text`` and ``label``. IMDB is sorted by label, so the first ones are all alike."""
    return pd.read_parquet(folder / f"{split}.parquet").sample(count, random_state=seed).reset_index(drop=True)


def run_in_new_process(function: Callable, *args: Any) -> Any:
    """Call `function` in a new process, so that no measurement inherits another's memory or settings."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    question: str, function: Callable, jobs: Iterable[dict[str, Any]], small: bool = False, workers: int = 1
) -> list[dict]:
    """Run the jobs that are not on record yet, in the order given, and return the measurements of all jobs.

    Each processor has its own record. A record made with other versions of the libraries is replaced.

    Parameters
    ----------
    question : str
        Name of the record.
    function : callable
        Called in a new process with the values of a job as keyword arguments; returns a dict of numbers.
    jobs : iterable of dict
        The values that identify a measurement, including the round.
    small : bool
        Neither read nor write a record.
    workers : int
        How many jobs run at the same time. More than one distorts every speed.
    """
    path = records_folder() / f"{question}.json"
    this_machine, recorded, jobs = machine(), [], list(jobs)
    if path.is_file() and not small:
        record = json.loads(path.read_text(encoding="utf-8"))
        recorded = record["measurements"] if _same_machine(record["machine"], this_machine) else []
    keys = [{name: value for name, value in job.items() if not isinstance(value, Path)} for job in jobs]
    known = [next((found for found in recorded if found["job"] == key), None) for key in keys]
    measurements = []
    missing = [job for job, found in zip(jobs, known, strict=True) if found is None]
    computed = _computed(function, missing, workers)
    for key, result in zip(keys, known, strict=True):
        if result is None:
            result = {"job": key, "date": date.today().isoformat(), **next(computed)}
            recorded.append(result)
            if not small:
                write_json(path, {"machine": this_machine, "measurements": recorded})
        measurements.append(result)
        numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items() if k not in ("job", "date")}
        print(
            *key.values(),
            "|",
            *(f"{k} {v}" for k, v in numbers.items() if not isinstance(v, (list, dict))),
            flush=True,
        )
    return measurements


def _computed(function: Callable, jobs: list[dict[str, Any]], workers: int) -> Iterator[dict[str, Any]]:
    """The result of each job in turn, each from a process of its own."""
    if workers == 1:
        yield from (run_in_new_process(_call, function, job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1) as pool:
        yield from pool.map(_call, [function] * len(jobs), jobs)


def _same_machine(first: dict[str, str], second: dict[str, str]) -> bool:
    return {**first, "free disk (GB)": None} == {**second, "free disk (GB)": None}


def _call(function: Callable, job: dict[str, Any]) -> dict[str, Any]:
    return function(**job)


def machine() -> dict[str, str]:
    """The processor's name, cores, memory and versions."""
    return {"processor": processor_name(), **describe_machine()["value"].to_dict()}


def records_folder() -> Path:
    """The folder of the records for this processor."""
    return RECORDS / re.sub(r"[^a-z0-9]+", "-", processor_name().lower()).strip("-")


def processor_name() -> str:
    """The name of the GPU that models run on, or of the CPU where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_name()


def cpu_name() -> str:
    """The CPU's name, family and model as the system reports them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        import platform

        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in fields.items()}
    model = ", ".join(f"{key} {facts[key]}" for key in ("cpu family", "model") if key in facts)
    return f"{facts.get('model name', 'unknown')} ({model})"


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)
