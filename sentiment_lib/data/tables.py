"""Files of reviews as tables: CSV, TSV, JSON lines and Parquet, as a whole or in parts."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ..errors import ArgumentError, DataError

READERS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
SEPARATORS = {"csv": ",", "tsv": "\t"}
_AS_WRITTEN = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
_NO_TEXT = {"list": "a list", "ndarray": "a list", "dict": "a dict", "bytes": "bytes"}
_PART = 1_000_000  # rows that are read at once for a whole table


def existing_path(name: str) -> Path | None:
    """The file or folder of that name; None when there is none, or when no file can have that name."""
    try:
        path = Path(name).expanduser()
        return path if name.strip() and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, contains a NUL, no such user
        return None


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV, JSON-lines or Parquet file as a table, with columns as in :func:`table_parts`.

    Raises
    ------
    DataError
        As :func:`table_parts`, and for a file without rows.
    """
    parts = [part for part in table_parts(path, _PART) if len(part)]
    if not parts:
        raise DataError(f"{path} holds no rows.")
    return pd.concat(parts, ignore_index=True)


def table_parts(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """A CSV, TSV, JSON-lines or Parquet file as tables of at most `rows` rows, so that its size does not matter.

    Columns of Parquet files keep their types (as pandas' Arrow types); values of CSV files stay as they are written.

    Raises
    ------
    DataError
        For another kind of file, and for one that cannot be parsed. The message names the file and, for JSON lines, the
        line.
    """
    kind = _kind_of(path)
    with _explained(path, kind):
        if kind == "parquet":
            # by default, pyarrow loads a whole row group into memory, which often is the whole file
            with pq.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False) as file:
                _check_distinct(path, file.schema_arrow.names)
                for batch in file.iter_batches(batch_size=rows):
                    batch.validate(full=True)
                    yield batch.to_pandas(types_mapper=pd.ArrowDtype)
        elif kind == "json":
            with path.open(encoding="utf-8-sig") as file:
                records = _records(path, file)
                while part := list(itertools.islice(records, rows)):
                    yield pd.DataFrame(part, dtype=object)
        else:
            with pd.read_csv(path, sep=_separator(path, kind), chunksize=rows, **_AS_WRITTEN) as parts:
                for table in parts:
                    if not isinstance(table.index, pd.RangeIndex):  # pandas takes additional fields for an index
                        raise DataError(
                            f"{path} could not be read as {kind}: rows have more fields than columns have names. "
                            "A text that contains the separator must be in double quotes."
                        )
                    yield table


def text_column_of(table: pd.DataFrame, column: str, where: str, option: str, before: int = 0) -> pd.Series:
    """The texts of a column; missing values become empty texts, numbers become text.

    A DataError names the file (`where`), the `option` that chooses another column, and the row, where `before` is the
    number of rows that come before this table.
    """
    require_columns(table, [column], where, option)
    values = table[column]
    if not (hasattr(values.dtype, "storage") and values.dtype == "string"):
        for row, value in enumerate(values, start=before + 1):
            if (kind := _NO_TEXT.get(type(value).__name__)) is not None:
                raise DataError(
                    f"{where}: column {column!r} holds {kind} in row {row} ({str(value)[:60]!r}), but must hold texts."
                )
    texts = ["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]
    return pd.Series(texts, index=values.index, dtype=object)  # pandas' string type cannot hold all that JSON can


def require_columns(table: pd.DataFrame, columns: Iterable[str], where: str, option: str) -> None:
    """Check that a table has all `columns`; a DataError names the file (`where`) and the `option` to choose others."""
    available = [str(name) for name in table.columns]
    for column in columns:
        if column not in available:
            close = [name for name in available if name.strip().lower() == column.strip().lower()]
            hint = f" Did you mean {close[0]!r}?" if close else ""
            shown = ", ".join(repr(name[:60]) for name in available[:12]) + " and more" * (len(available) > 12)
            raise DataError(
                f"There is no column {column!r} in {where}; its columns are {shown}.{hint} "
                f"Say which to use with {option}."
            )


def _kind_of(path: Path) -> str:
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path} is not a file that can be read; it should end in {', '.join(READERS)}.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return kind


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file."""
    try:
        yield
    except DataError:
        raise
    except UnicodeError as error:
        raise DataError(
            f"{path} is not UTF-8 ({error}). Save it as UTF-8 (a spreadsheet asks for the encoding)."
        ) from error
    except Exception as error:
        raise DataError(f"{path} could not be read as {kind}: {str(error)[:300]}") from error


def _separator(path: Path, kind: str) -> str:
    """The separator, after a check that no column's name occurs twice (pandas would rename the second column)."""
    header = pd.read_csv(path, sep=SEPARATORS[kind], header=None, nrows=1, **_AS_WRITTEN)
    _check_distinct(path, header.iloc[0] if len(header) else [])
    return SEPARATORS[kind]


def _check_distinct(path: Path, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name:
            raise DataError(f"{path} has the column {str(name)[:60]!r} twice; rename one.")


def _records(path: Path, lines: Iterable[str]) -> Iterator[dict]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                record = json.loads(line, object_pairs_hook=_distinct_keys)
            except (ValueError, RecursionError) as error:
                raise DataError(f"Line {number} of {path} is not JSON: {str(error)[:200]}") from error
            if not isinstance(record, dict):
                raise DataError(f"Line {number} of {path} is {line.strip()[:60]!r}, not an object with columns.")
            yield record


def _distinct_keys(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ArgumentError(
            f"a key occurs twice in it: {[name for name, n in Counter(k for k, _ in pairs).items() if n > 1]}"
        )
    return found
