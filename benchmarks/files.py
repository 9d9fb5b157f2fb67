"""Peak memory and speed of ``python -m sentiment_lib predict`` on files of 5,000 and 50,000 reviews.

Uses the model of the run `quick`, so it needs lessons 01 to 03 (``make run``). If the folder holds fewer than 50,000
reviews, some are repeated.

python benchmarks/files.py IMDB_FOLDER        12 minutes on two cores
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from bench import arguments, measure


def classify(ending: str, imdb: Path, count: int) -> dict:
    """Classify a file of `count` reviews with the command; return its peak memory in MB and its speed."""
    table = pd.concat([pd.read_parquet(imdb / f"{split}.parquet") for split in ("train", "test")], ignore_index=True)
    sample = table.sample(count, random_state=0, replace=count > len(table))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / f"in.{ending}", Path(folder) / f"out.{ending}"
        sample.to_csv(source, index=False) if ending == "csv" else sample.to_parquet(source, index=False)
        began = time.perf_counter()
        arguments = ["-m", "sentiment_lib", "predict", "--input", str(source), "--output", str(target)]
        child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *arguments])
        _, status, usage = os.wait4(child, 0)
        if status:
            raise RuntimeError("the command failed")
        seconds = time.perf_counter() - began
        written = len(pd.read_csv(target) if ending == "csv" else pd.read_parquet(target))
    if written != count:
        raise RuntimeError(f"{written} of {count} reviews were written")
    return {"reviews_per_second": count / seconds, "peak_mb": usage.ru_maxrss / 1024}


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"ending": ending, "imdb": options.imdb, "count": count}
        for ending in ("csv", "parquet")
        for count in ((200,) if options.small else (5_000, 50_000))
    ]
    measure("files", classify, jobs, options.small)


if __name__ == "__main__":
    main()
