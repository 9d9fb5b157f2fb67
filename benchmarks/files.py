"""Files of reviews: peak memory and speed of ``python -m sentiment_lib predict`` for 5,000 reviews and all.

Each file is classified in a process of its own, with the model of the run `quick`. Needs lessons 01 to 03
(``make run``) and a folder with train.parquet and test.parquet, such as IMDB's.

python benchmarks/files.py FOLDER [csv] [parquet]        4 minutes on two cores, 50,000 reviews
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def main() -> None:
    """Measure and print."""
    parts = [pd.read_parquet(Path(sys.argv[1]) / f"{split}.parquet") for split in ("train", "test")]
    table = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        for ending in sys.argv[2:] or ("csv", "parquet"):
            for rows in (5_000, len(table)):
                source, target = Path(folder) / f"in.{ending}", Path(folder) / f"out.{ending}"
                part = table.head(rows)
                part.to_csv(source, index=False) if ending == "csv" else part.to_parquet(source, index=False)
                began = time.perf_counter()
                arguments = ["-m", "sentiment_lib", "predict", "--input", str(source), "--output", str(target)]
                child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *arguments])
                _, status, used = os.wait4(child, 0)
                if status:
                    sys.exit("the command failed")
                spent = time.perf_counter() - began
                print(
                    f"{ending:8} {rows:6,} reviews, {source.stat().st_size / 1e6:5.1f} MB: {spent:6.1f} s, "
                    f"{rows / spent:5.0f} reviews/s, peak memory {used.ru_maxrss / 1024:5.0f} MB",
                    flush=True,
                )
                assert len(pd.read_csv(target) if ending == "csv" else pd.read_parquet(target)) == rows


if __name__ == "__main__":
    main()
