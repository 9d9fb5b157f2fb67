"""Files of reviews as tables, as a whole or in parts."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ArgumentError, DataError, MissingExtra, listed
from ..run.environment import needs_extra
from .columns import has_header, normalised
from .compression import COMPRESSIONS, inner_name, opened
from .dialects import Dialect, TableOptions, dialect_of, encoding_of, open_text, rows_of

READERS = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "text"},
    **{".jsonl": "json", ".ndjson": "json", ".json": "json"},
    **{".parquet": "parquet", ".arrow": "arrow", ".xlsx": "excel"},
}
SEPARATORS = {"csv": ",", "tsv": "\t"}
FASTTEXT = "__label__"
_AS_WRITTEN: dict[str, Any] = {"dtype": str, "keep_default_na": False}
_REMEDIES = {
    **dict.fromkeys([".xls", ".ods"], " Save it as .xlsx, or as CSV UTF-8."),
    **dict.fromkeys([".tar", ".tgz", ".7z", ".rar"], " Unpack it, and give the folder."),
}
_NO_TEXT = {"list": "a list", "ndarray": "a list", "dict": "a dict", "bytes": "bytes"}
_PART = 1_000_000  # rows that are read at once for a whole table
_PIECE = 1 << 16  # characters of JSON


def existing_path(name: str) -> Path | None:
    """The file or folder of that name; None when there is none, or when no file can have that name."""
    try:
        path = Path(name).expanduser()
        return path if name.strip() and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, contains a NUL, no such user
        return None


def is_table(path: Path) -> bool:
    """Whether the file's name says that it can be read, compressed or not; a zip archive may hold anything."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return name.suffix.lower() in READERS or path.suffix.lower() == ".zip"


def is_saved_dataset(folder: Path) -> bool:
    """Whether a folder was written by ``save_to_disk`` of one split of the library datasets."""
    return (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()


def read_table(path: Path, options: TableOptions = TableOptions()) -> pd.DataFrame:
    """A file as a table, with columns as in :func:`table_parts`.

    Raises
    ------
    DataError
        As :func:`table_parts`, and for a file without rows.
    """
    parts = [part for part in table_parts(path, _PART, options) if len(part)]
    if not parts:
        raise DataError(f"{path} holds no rows.")
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def table_parts(path: Path, rows: int, options: TableOptions = TableOptions()) -> Iterator[pd.DataFrame]:
    """A file as tables of at most `rows` rows, so that its size does not matter.

    CSV and TSV (see :mod:`sentiment_lib.data.dialects`), JSON lines or one JSON array, Parquet, Arrow, Excel (needs
    openpyxl), text files with one text per line or with fastText's ``__label__``, folders of ``save_to_disk``; also
    compressed (``.gz``, ``.bz2``, ``.xz``, and ``.zip`` with one file).

    Columns of Parquet and Arrow files keep their types (as pandas' Arrow types); values of CSV files stay as they are
    written. A file with one text per line has the column ``text``, with fastText's labels also ``label``.

    Raises
    ------
    DataError
        For another kind of file, and for one that cannot be parsed. The message names the file and, where there is one,
        the line.
    """
    kind = _kind_of(path)
    with _explained(path, kind):
        if kind == "saved":
            from datasets import load_from_disk

            for batch in load_from_disk(path).with_format("arrow").iter(batch_size=rows):
                yield batch.to_pandas(types_mapper=pd.ArrowDtype)
        elif kind in ("parquet", "arrow"):
            with opened(path) as file:
                for batch in (_parquet if kind == "parquet" else _arrow)(path, file, rows):
                    batch.validate(full=True)
                    yield batch.to_pandas(types_mapper=pd.ArrowDtype)
        elif kind in SEPARATORS:
            yield from _csv_parts(path, dialect_of(path, SEPARATORS[kind], options), rows)
        elif kind == "excel":
            with opened(path) as file:
                names, values = _excel(path, file, options)
                yield from _in_parts(values, rows, names)
        elif kind == "json":
            with open_text(path, "utf-8-sig") as text:
                yield from _in_parts(_records(path, text), rows)
        else:
            columns = ["label", "text"] if kind == "fasttext" else ["text"]
            with open_text(path, options.encoding or encoding_of(path)) as text:
                yield from _in_parts(_lines(path, text, kind), rows, columns)


def how_read(path: Path, options: TableOptions = TableOptions()) -> str:
    """What is unusual about how a file is written, such as ``"semicolons, cp1252"``; empty if nothing is."""
    kind = _kind_of(path)
    if kind in SEPARATORS:
        return dialect_of(path, SEPARATORS[kind], options).unusual
    if kind in ("text", "fasttext"):
        encoding = options.encoding or encoding_of(path)
        one = "one text per line" if kind == "text" else "fastText labels"
        return one if encoding in ("utf-8", "utf-8-sig") else f"{one}, {encoding}"
    return ""


def class_names(path: Path) -> dict[str, list[str]]:
    """The names of the labels 0, 1, ... by column, where a file of the library datasets says them."""
    kind = _kind_of(path)
    if kind == "saved":
        from datasets import load_from_disk

        features = load_from_disk(path).features
        return {name: feature.names for name, feature in features.items() if getattr(feature, "names", None)}
    if kind not in ("parquet", "arrow"):
        return {}
    with _explained(path, kind), opened(path) as file:
        schema = pq.ParquetFile(file).schema_arrow if kind == "parquet" else _arrow_reader(file).schema
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: list(feature["names"]) for name, feature in features.items() if "names" in feature}
    except (KeyError, TypeError, ValueError):
        return {}


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
    missing = [column for column in columns if column not in available]
    if missing:
        wanted = " and ".join(map(repr, missing))
        close = [name for column in missing for name in available if normalised(name) == normalised(column)]
        hint = f" Did you mean {' and '.join(map(repr, close))}?" if close else ""
        raise DataError(
            f"There is no column {wanted} in {where}; {listed_columns(table)}.{hint} Say which with {option}."
        )


def listed_columns(table: pd.DataFrame) -> str:
    """The names of a table's columns, for a message."""
    return f"its columns are {listed((repr(str(name)[:60]) for name in table.columns), 12)}"


def _kind_of(path: Path) -> str:
    if path.is_dir():
        if is_saved_dataset(path):
            return "saved"
        raise DataError(f"{path} is a folder; give one of its files.")
    name = inner_name(path)
    ending = Path(name).suffix.lower()
    kind = READERS.get(ending)
    if kind is None:
        remedy = _REMEDIES.get(ending, "")
        within = f" (it holds {name})" if name != path.name else ""
        raise DataError(
            f"{path} is not a file that can be read{within}; it should end in {', '.join(READERS)}, and may be "
            f"compressed ({', '.join(COMPRESSIONS)}).{remedy}"
        )
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return _kind_of_text(path) if kind == "text" else kind


def _kind_of_text(path: Path) -> str:
    """Whether a text file has fastText's labels, columns separated by tabs, or one text per line."""
    with _explained(path, "text"), opened(path) as file:
        lines = [line for line in itertools.islice(file, 200) if line.strip()]
    if lines and lines[0].removeprefix(b"\xef\xbb\xbf").startswith(FASTTEXT.encode()):
        return "fasttext"
    tabs = {line.count(b"\t") for line in lines}
    return "tsv" if len(tabs) == 1 and tabs != {0} else "text"


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file."""
    try:
        yield
    except DataError:
        raise
    except UnicodeError as error:
        encoding = str(error.args[0]).upper()
        raise DataError(
            f"{path} is not {encoding} ({error}). Save it as UTF-8 (a spreadsheet asks for the "
            "encoding), or say which it is, such as encoding=cp1252."
        ) from error
    except Exception as error:
        raise DataError(f"{path} could not be read as {kind}: {str(error)[:300]}") from error


def _in_parts(rows: Iterable, size: int, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    rows = iter(rows)
    while part := list(itertools.islice(rows, size)):
        yield pd.DataFrame(part, columns=columns, dtype=object)


def _csv_parts(path: Path, dialect: Dialect, rows: int) -> Iterator[pd.DataFrame]:
    _check_distinct(path, dialect.names)
    if dialect.quoting in ("lines", "none"):
        yield from _in_parts(rows_of(path, dialect), rows, list(dialect.names))
        return
    options = {
        "sep": dialect.delimiter,
        "engine": "c" if dialect.delimiter.isascii() else "python",
        # pandas skips a byte-order mark itself, and reads utf-8 faster than utf-8-sig
        "encoding": "utf-8" if dialect.encoding == "utf-8-sig" else dialect.encoding,
        "escapechar": "\\" if dialect.quoting == "escapes" else None,
        "header": 0 if dialect.header else None,
        "names": None if dialect.header else list(dialect.names),
    }
    with opened(path) as file, pd.read_csv(file, chunksize=rows, **options, **_AS_WRITTEN) as parts:
        for table in parts:
            if not isinstance(table.index, pd.RangeIndex):  # pandas takes additional fields for an index
                raise DataError(
                    f"{path} could not be read as CSV: rows have more fields than columns have names. "
                    "A text that contains the separator must be in double quotes."
                )
            yield table


def _check_distinct(path: Path, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name:
            raise DataError(f"{path} has the column {str(name)[:60]!r} twice; rename one.")


def _parquet(path: Path, file: IO[bytes], rows: int) -> Iterator[pa.RecordBatch]:
    # by default, pyarrow loads a whole row group into memory, which often is the whole file
    with pq.ParquetFile(file, buffer_size=1 << 16, pre_buffer=False) as table:
        _check_distinct(path, table.schema_arrow.names)
        yield from table.iter_batches(batch_size=rows)


def _arrow(path: Path, file: IO[bytes], rows: int) -> Iterator[pa.RecordBatch]:
    reader = _arrow_reader(file)
    _check_distinct(path, reader.schema.names)
    batches = (
        reader
        if isinstance(reader, pa.RecordBatchStreamReader)
        else map(reader.get_batch, range(reader.num_record_batches))
    )
    for batch in batches:
        for start in range(0, len(batch), rows):
            yield batch.slice(start, rows)


def _arrow_reader(file: IO[bytes]):
    """A reader of either of Arrow's two formats."""
    start = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if start == b"ARROW1" else pa.ipc.open_stream(file)


def _excel(path: Path, file: IO[bytes], options: TableOptions) -> tuple[list[str], Iterable[list]]:
    """The columns and rows of the only sheet that is not empty."""
    try:
        with needs_extra("excel"):
            from openpyxl import load_workbook
    except MissingExtra as error:
        raise DataError(f"{path} is an Excel file. Save it as CSV UTF-8, or install what reads it. {error}") from error
    sheets = load_workbook(file, read_only=True, data_only=True).worksheets
    filled = [sheet for sheet in sheets if next(_filled(sheet), None)]
    if len(filled) != 1:
        titles = ", ".join(repr(sheet.title) for sheet in filled[:6])
        if not filled:
            raise DataError(f"{path} holds no rows.")
        raise DataError(f"{path} has {len(filled)} sheets with rows ({titles}). Save the one you mean as CSV UTF-8.")
    head = list(itertools.islice(_filled(filled[0]), 200))
    header = has_header(head, options.columns, str(path)) if options.header is None else options.header
    names = ["" if name is None else str(name) for name in head[0]]
    if not header:
        names = [str(i + 1) for i in range(len(names))]
    _check_distinct(path, names)
    return names, itertools.islice(_filled(filled[0]), int(header), None)


def _filled(sheet: Any) -> Iterator[list]:
    """The rows of a sheet that hold anything, without empty cells to the right of the first row's."""
    width = 0
    for row in sheet.iter_rows(values_only=True):
        if any(value is not None for value in row):
            if not width:
                width = max(i for i, value in enumerate(row) if value is not None) + 1
            yield [*row[:width], *[None] * (width - len(row))]


def _lines(path: Path, file: Iterable[str], kind: str) -> Iterator[list[str]]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        if kind == "text":
            yield [text]
        elif text.strip():
            labels, rest = [], text.split()
            while rest and rest[0].startswith(FASTTEXT):
                labels.append(rest.pop(0).rstrip(","))
            if len(labels) != 1:
                raise DataError(f"Line {number} of {path} has {len(labels)} fastText labels; it should have one.")
            yield [labels[0].removeprefix(FASTTEXT), " ".join(rest)]


def _records(path: Path, file: IO[str]) -> Iterator[dict]:
    """The objects of JSON lines, or of one array."""
    start = file.read(1)
    while start.isspace():
        start = file.read(1)
    if start == "[":
        yield from _array(path, file)
        return
    file.seek(0)
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                record = _DECODER.decode(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"Line {number} of {path} is not JSON: {str(error)[:200]}") from error
            yield _as_record(record, line, f"Line {number} of {path}")


def _array(path: Path, file: IO[str]) -> Iterator[dict]:
    """The objects of a JSON array whose opening bracket is read, without holding all of it."""
    text, at, number = "", 0, 1
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if text[at : at + 1] == "]":
            return
        try:
            record, end = _DECODER.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            more = file.read(max(_PIECE, len(text) - at))
            if not more or isinstance(error, RecursionError):
                raise DataError(f"Item {number} of the array in {path} is not JSON: {str(error)[:200]}") from error
            text, at = text[at:] + more, 0
            continue
        except ArgumentError as error:
            raise DataError(f"Item {number} of the array in {path}: {error}") from error
        yield _as_record(record, text[at:end], f"Item {number} of the array in {path}")
        number += 1
        at = end
        while True:  # to the comma or the closing bracket
            while at < len(text) and text[at].isspace():
                at += 1
            if at < len(text) or not (more := file.read(_PIECE)):
                break
            text, at = text[at:] + more, 0
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            raise DataError(f"{path}: the array is not closed, or has no comma after item {number - 1}.")


def _as_record(record: Any, written: str, where: str) -> dict:
    if not isinstance(record, dict):
        raise DataError(f"{where} is {written.strip()[:60]!r}, not an object with columns.")
    return record


def _distinct_keys(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ArgumentError(
            f"a key occurs twice in it: {[name for name, n in Counter(k for k, _ in pairs).items() if n > 1]}"
        )
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct_keys)
