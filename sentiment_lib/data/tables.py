"""Files of reviews as tables: CSV, TSV, JSON lines and Parquet, whole or in parts; errors say what is wrong."""

from __future__ import annotations

import itertools
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

READERS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
SEPARATORS = {"csv": ",", "tsv": "\t"}
_AS_WRITTEN = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "index_col": False}
_NO_TEXT = {"list": "a list", "ndarray": "a list", "dict": "a dict", "bytes": "bytes"}


def existing_path(name: str) -> Path | None:
    """The file or folder of that name; None when there is none, or when it cannot be a name at all."""
    try:
        path = Path(name).expanduser()
        return path if name.strip() and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, no such user
        return None


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV, JSON-lines or Parquet file as a table; texts stay as they are written.

    Raises
    ------
    DataError
        For another kind of file, one that cannot be parsed, and one without rows; all name the file, for JSON lines
        also the line.
    """
    import pandas as pd

    kind = _kind_of(path)
    with _explained(path, kind):
        if kind == "parquet":
            import pyarrow.parquet as pq

            stored = pq.read_table(path)
            stored.validate(full=True)  # else texts that are no UTF-8 show later, anywhere
            table = stored.to_pandas()
        elif kind == "json":
            with path.open(encoding="utf-8-sig") as file:
                table = pd.DataFrame(list(_records(path, file)), dtype=object)
        else:
            with _strictly():
                table = pd.read_csv(path, sep=_separator(path, kind), **_AS_WRITTEN)
    if table.empty:
        raise DataError(f"{path} holds no rows.")
    _no_doubles(path, table.columns)
    return table


def table_parts(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """A file as :func:`read_table` reads it, but `rows` rows at a time, so that its size does not matter.

    Types of Parquet columns are kept (as pandas' Arrow types); values of CSV files stay as they are written.

    Raises
    ------
    DataError
        For another kind of file, and for one that cannot be parsed; both name the file, for JSON lines also the
        line.
    """
    import pandas as pd

    kind = _kind_of(path)
    with _explained(path, kind):
        if kind == "parquet":
            import pyarrow.parquet as pq

            # read as it is needed: a file often is one row group, which otherwise comes into memory whole
            with pq.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False) as file:
                _no_doubles(path, file.schema_arrow.names)
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
                while True:
                    with _strictly():
                        part = next(parts, None)
                    if part is None:
                        return
                    yield part


def text_column_of(table: pd.DataFrame, column: str, where: str, option: str, before: int = 0) -> pd.Series:
    """The texts of a table, missing ones as empty texts, numbers as they are written.

    Parameters
    ----------
    table : pandas.DataFrame
    column : str
    where, option : str
        For the errors: which file, and how to name another column.
    before : int
        Rows of the file before this table.

    Raises
    ------
    DataError
        When there is no such column, or it holds lists, objects or bytes.
    """
    import pandas as pd

    require_columns(table, [column], where, option)
    values = table[column]
    if not (hasattr(values.dtype, "storage") and values.dtype == "string"):
        for row, value in enumerate(values, start=before + 1):
            if (kind := _NO_TEXT.get(type(value).__name__)) is not None:
                raise DataError(
                    f"{where}: column {column!r} holds {kind} in row {row} ({str(value)[:60]!r}), but must hold texts."
                )
    texts = ["" if gone else str(value) for value, gone in zip(values, values.isna(), strict=True)]
    return pd.Series(texts, index=values.index, dtype=object)  # pandas' own type cannot hold all that JSON can


def require_columns(table: pd.DataFrame, columns: Iterable[str], where: str, option: str) -> None:
    """Nothing, when all `columns` are there.

    Raises
    ------
    DataError
        Else; it lists the columns there are, and says how to name another one (`option`).
    """
    there = [str(name) for name in table.columns]
    for column in columns:
        if column not in there:
            close = [name for name in there if name.strip().lower() == column.strip().lower()]
            hint = f" Did you mean {close[0]!r}?" if close else ""
            shown = ", ".join(repr(name[:60]) for name in there[:12]) + (" and more" if len(there) > 12 else "")
            raise DataError(
                f"There is no column {column!r} in {where}; its columns are {shown}.{hint} "
                f"Say which to use with {option}."
            )


def _kind_of(path: Path) -> str:
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path} is not a file this can read; it should end in {', '.join(READERS)}.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return kind


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Whatever a library raises, as an error that names the file."""
    import pandas as pd

    try:
        yield
    except DataError:
        raise
    except UnicodeError as error:
        raise DataError(
            f"{path} is not UTF-8 ({error}). Save it as UTF-8 (a spreadsheet asks for the encoding)."
        ) from error
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path} could not be read as {kind}: rows have more fields than columns have names. Texts with the "
            "separator in them must be in double quotes."
        ) from error
    except Exception as error:
        raise DataError(f"{path} could not be read as {kind}: {str(error)[:300]}") from error


@contextmanager
def _strictly() -> Iterator[None]:
    """With an error instead of pandas' warning that it drops fields."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        yield


def _separator(path: Path, kind: str) -> str:
    """The separator of this kind, once it is known that no column's name comes twice (pandas would rename it)."""
    import pandas as pd

    header = pd.read_csv(path, sep=SEPARATORS[kind], header=None, nrows=1, **_AS_WRITTEN)
    _no_doubles(path, header.iloc[0] if len(header) else [])
    return SEPARATORS[kind]


def _no_doubles(path: Path, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name:
            raise DataError(f"{path} has the column {str(name)[:60]!r} twice; rename one.")


def _records(path: Path, lines: Iterable[str]) -> Iterator[dict]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                record = json.loads(line, object_pairs_hook=_object)
            except (ValueError, RecursionError) as error:
                raise DataError(f"Line {number} of {path} is not JSON: {str(error)[:200]}") from error
            if not isinstance(record, dict):
                raise DataError(f"Line {number} of {path} is {line.strip()[:60]!r}, not an object with columns.")
            yield record


def _object(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ArgumentError(
            f"a key comes twice in it: {[name for name, n in Counter(k for k, _ in pairs).items() if n > 1]}"
        )
    return found
