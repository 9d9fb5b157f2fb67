"""What the benchmarks share: reviews, runs in turn in processes of their own, and records of what was measured.

Each script answers one question, measures its candidates in turn (A B A B), each in a process of its own, and keeps
every single measurement in benchmarks/records/<processor>/<question>.json as soon as it is there. Stopped, it goes on
where it was.
``report.py`` makes RESULTS.md of the records.
"""

import argparse
import json
import multiprocessing
import re
import resource
import statistics
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from sentiment_lib.course.machine import describe_machine
from sentiment_lib.run.files import write_json

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"
PLAIN = {"token_masking": 0.0, "label_smoothing": 0.0, "averaging": 0.0}  # the preset imdb without its regularisation


def arguments(description: str) -> argparse.Namespace:
    """The options that all benchmarks of training and inference take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("imdb", type=Path, help="folder with IMDB's train.parquet and test.parquet")
    parser.add_argument("--small", action="store_true", help="few reviews and one round: does it work at all?")
    options = parser.parse_args()
    for split in ("train", "test"):
        if not (options.imdb / f"{split}.parquet").is_file():
            parser.error(f"{options.imdb / f'{split}.parquet'} is not there; give a folder with both of IMDB's splits.")
    options.imdb = options.imdb.resolve()
    return options


def reviews(folder: Path, split: str, count: int, seed: int = 0) -> pd.DataFrame:
    """`count` random reviews with ``text`` and ``label``; IMDB is sorted by label, so taking the first would not do."""
    return pd.read_parquet(folder / f"{split}.parquet").sample(count, random_state=seed).reset_index(drop=True)


def alone(function: Callable, *args: Any) -> Any:
    """What `function` returns in a process of its own, so that no measurement inherits another's memory or settings."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory() -> float:
    """Largest memory this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(question: str, function: Callable, jobs: Iterable[dict[str, Any]], small: bool = False) -> list[dict]:
    """Measure what is not on record yet, in the order given; all measurements of these jobs.

    What was measured with another processor is on a record of its own. A record of other versions begins anew.

    Parameters
    ----------
    question : str
        Name of the record.
    function : callable
        Takes a job's values as keyword arguments in a process of its own; returns a dict of numbers.
    jobs : iterable of dict
        What tells one measurement from another, the round included.
    small : bool
        Keep no record.
    """
    path = place() / f"{question}.json"
    here, known = machine(), []
    if path.is_file() and not small:
        record = json.loads(path.read_text(encoding="utf-8"))
        known = record["measurements"] if _same(record["machine"], here) else []
    found = []
    for job in jobs:
        named = {key: value for key, value in job.items() if not isinstance(value, Path)}
        done = next((one for one in known if one["job"] == named), None)
        if done is None:
            done = {"job": named, "date": date.today().isoformat(), **alone(_call, function, job)}
            known.append(done)
            if not small:
                write_json(path, {"machine": here, "measurements": known})
        found.append(done)
        numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in done.items() if k not in ("job", "date")}
        print(
            *named.values(),
            "|",
            *(f"{k} {v}" for k, v in numbers.items() if not isinstance(v, (list, dict))),
            flush=True,
        )
    return found


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    return {**one, "free disk (GB)": None} == {**other, "free disk (GB)": None}


def _call(function: Callable, job: dict[str, Any]) -> dict[str, Any]:
    return function(**job)


def machine() -> dict[str, str]:
    """Processor, cores, memory and versions."""
    facts = describe_machine()["value"].to_dict()
    return {"processor": processor(), **facts}


def place() -> Path:
    """The folder of what was measured with this processor."""
    return RECORDS / re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")


def processor() -> str:
    """What the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        import platform

        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    model = ", ".join(f"{key} {named[key]}" for key in ("cpu family", "model") if key in named)
    return f"{named.get('model name', 'unknown')} ({model})"


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)
