"""Files of reviews: peak memory and speed of ``python -m sentiment_lib predict`` for 5,000 reviews and 50,000.

Each file is classified by the command itself, with the model of the run `quick`. Needs lessons 01 to 03 (``make run``).
Where the folder holds fewer than 50,000 reviews, some come twice.

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
    """Classify a file of `count` reviews with the command; its largest memory and speed."""
    table = pd.concat([pd.read_parquet(imdb / f"{split}.parquet") for split in ("train", "test")], ignore_index=True)
    part = table.sample(count, random_state=0, replace=count > len(table))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / f"in.{ending}", Path(folder) / f"out.{ending}"
        part.to_csv(source, index=False) if ending == "csv" else part.to_parquet(source, index=False)
        began = time.perf_counter()
        arguments = ["-m", "sentiment_lib", "predict", "--input", str(source), "--output", str(target)]
        child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *arguments])
        _, status, used = os.wait4(child, 0)
        if status:
            raise RuntimeError("the command failed")
        spent = time.perf_counter() - began
        written = len(pd.read_csv(target) if ending == "csv" else pd.read_parquet(target))
    if written != count:
        raise RuntimeError(f"{written} of {count} reviews were written")
    return {"reviews_per_second": count / spent, "peak_mb": used.ru_maxrss / 1024}


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"ending": ending, "imdb": options.imdb, "count": count}
        for ending in ("csv", "parquet")
        for count in ((200,) if options.small else (5_000, 50_000))
    ]
    measure("files", classify, jobs, options.small)


if __name__ == "__main__":
    main()
