"""Classify files of any size in parts, so that memory does not grow with the file and interrupted work resumes."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.columns import find_text_column
from ..data.dialects import TableOptions
from ..data.labels import LABEL_NAMES
from ..data.preparation import clean_text
from ..data.tables import SEPARATORS, is_saved_dataset, listed_columns, table_parts, text_column_of
from ..errors import DataError
from ..run.files import check_writable, hidden_sibling, replacing, write_json
from ..run.locks import only_one
from ..run.processes import first_goes_first, is_first, process_count, process_number, wait_for_all
from ..run.progress import progress_bar
from .inference import Classifier

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROWS = 1024  # per part
WRITERS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
NEW_COLUMNS = ("probability", "predicted")
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def predict_file(
    source: Path | str,
    target: Path | str,
    classifier: Classifier,
    *,
    text_column: str | None = None,
    options: TableOptions = TableOptions(),
) -> int:
    """Classify the rows of a file and write them, in their order, with two new columns.

    The source is read three times, in parts of 1,024 rows: to check that all of it can be read, to classify it, and to
    write it with the predictions. The predictions of each part are kept in a hidden folder next to the target
    (``.<target>.parts``) until the end. If the work is interrupted, the same call resumes with the first missing part.
    Under ``torchrun`` the processes share the parts, and the first process writes.

    Parameters
    ----------
    source : pathlib.Path
        A file that :func:`sentiment_lib.data.table_parts` reads.
    target : pathlib.Path
        A CSV, TSV, JSON-lines or Parquet file, by its ending. It is written under a temporary name and then renamed.
        Values in CSV files stay the same, except that a value that a spreadsheet would take for a formula gets a
        leading apostrophe (:func:`harmless`).
    classifier : Classifier
    text_column : str, optional
        Column of `source` that holds the texts. They are cleaned like the training texts. Default: found by its name
        (:func:`text_column_in`).
    options : TableOptions
        How `source` is written, where that is not recognised.

    Returns
    -------
    int
        Number of rows. The new columns are ``probability`` (of positive) and ``predicted`` (the label's name).

    Raises
    ------
    DataError
        Before any prediction: for a file that cannot be read, a column that is missing or would be overwritten, an
        unknown ending, and a target that is the source. Afterwards: for a source that changed while it was read.
    BusyError
        When another process writes to the same target.
    StorageError
        When the target cannot be written.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in WRITERS:
        raise DataError(f"{target} has an unknown ending; it should end in {', '.join(WRITERS)}.")
    text_column = text_column_in(source, text_column, options)
    if target.exists() and target.samefile(source):
        raise DataError(f"{target} is the file that is read; give another one to write to.")
    with ExitStack() as stack:
        if is_first():
            check_writable(target.parent)
            stack.enter_context(only_one(target, str(target), "Wait for it, or give another --output."))
        total, columns, schema = _survey(source, text_column, target, options)
        job = {
            "source": _state(source),
            "rows": [total, ROWS],
            "text_column": text_column,
            "options": repr(options),
            "model": _fingerprint(classifier.model),
            "encoding": {**classifier.encoding, "precision": classifier.precision},
        }
        with first_goes_first():  # the others find the folder of this job
            parts = _parts_folder(hidden_sibling(target, "parts"), job)
        with progress_bar(total=total, desc="predicting", unit="text") as bar:
            for number, table in enumerate(table_parts(source, ROWS, options)):
                part = parts / f"{number:06d}.npy"
                if number % process_count() == process_number() and not part.is_file():
                    texts = text_column_of(table, text_column, str(source), "--text-column", number * ROWS)
                    probabilities = classifier.predict([clean_text(text) for text in texts], progress=False)
                    with replacing(part) as temporary, temporary.open("wb") as file:
                        np.save(file, probabilities)
                bar.update(len(table))
        wait_for_all()
        if job["source"] != _state(source):
            raise DataError(f"{source} changed while it was read. Run the command again; it will start over.")
        if is_first():
            with replacing(target) as temporary, _writer(temporary, WRITERS[target.suffix.lower()], schema) as write:
                written = 0
                for number, table in enumerate(table_parts(source, ROWS, options)):
                    write(with_predictions(table.reindex(columns=columns), np.load(parts / f"{number:06d}.npy")))
                    written += len(table)
                if written != total:
                    raise DataError(f"{source} had {total:,} rows when it was checked, but now has {written:,}.")
            shutil.rmtree(parts)
        return total


def text_column_in(source: Path | str, wanted: str | None = None, options: TableOptions = TableOptions()) -> str:
    """The column of a file that holds the texts: `wanted`, or the one whose name or content leaves no doubt.

    For a file that does not exist or cannot be read, or where no column or several could be meant, it is a DataError.
    """
    source = Path(source)
    if not source.is_file() and not (source.is_dir() and is_saved_dataset(source)):
        raise DataError(
            f"{source} is a folder; give one of its files." if source.is_dir() else f"There is no file {source}."
        )
    if wanted is not None:
        return wanted
    table = next(table_parts(source, ROWS, options), None)
    if table is None:
        raise DataError(f"{source} holds no rows.")
    column = find_text_column(table, option="--text-column")
    if column is None:
        raise DataError(
            f"No column of {source} has a usual name for texts; {listed_columns(table)}. Say which with --text-column."
        )
    return column


def with_predictions(table: pd.DataFrame, probability: np.ndarray) -> pd.DataFrame:
    """A table with the columns ``probability`` and ``predicted``, the name of the likelier label."""
    return table.assign(probability=probability, predicted=np.where(probability >= 0.5, LABEL_NAMES[1], LABEL_NAMES[0]))


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts no spreadsheet takes for formulas: possible formulas get a leading apostrophe.

    A possible formula begins with ``=``, ``+``, ``-``, ``@`` (also in their full-width forms, and after blanks), a tab
    or a line break, and is not a number (OWASP, CSV Injection).
    """
    table = table.rename(columns=_harmless)
    for i, dtype in enumerate(table.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            table.isetitem(i, table.iloc[:, i].map(_harmless))
    return table


def _harmless(value: Any) -> Any:
    formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def _survey(source: Path, text_column: str, target: Path, options: TableOptions) -> tuple[int, list[str], Any]:
    """Check the source. Return the number of rows, all columns and, for a Parquet target, types that hold all rows."""
    total, schemas = 0, []
    columns: dict[str, None] = {}  # ordered
    for table in table_parts(source, ROWS, options):
        text_column_of(table, text_column, str(source), "--text-column", total)
        if taken := set(NEW_COLUMNS) & set(table.columns):
            raise DataError(f"{source} already has a column {sorted(taken)[0]!r}; rename it first.")
        total += len(table)
        columns |= dict.fromkeys(table.columns)  # in JSON lines, a column may first appear in a later part
        if target.suffix.lower() == ".parquet":
            try:
                part = with_predictions(table, np.zeros(len(table)))
                schemas.append(pa.Schema.from_pandas(part, preserve_index=False).remove_metadata())
                schemas = [pa.unify_schemas(schemas, promote_options="permissive")]
            except pa.ArrowException as error:
                raise DataError(f"{source} has a column of mixed types, which Parquet cannot hold: {error}") from error
    if not total:
        raise DataError(f"{source} holds no rows.")
    names = (*columns, *NEW_COLUMNS)
    return total, list(columns), pa.schema([schemas[0].field(name) for name in names]) if schemas else None


def _state(source: Path) -> list[Any]:
    """Path, size and modification time of a file (or of the list of a saved dataset's files), to detect changes."""
    state = (source / "state.json" if source.is_dir() else source).stat()
    return [str(source.resolve()), state.st_size, state.st_mtime_ns]


def _fingerprint(model: PreTrainedModel) -> str:
    """A hash of all weights, so that predictions of different models are never mixed."""
    state = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        state.update(name.encode())
        state.update(value.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def _parts_folder(folder: Path, job: dict[str, Any]) -> Path:
    """The folder of the finished parts, emptied if they belong to another job."""
    note = folder / "job.json"
    if folder.is_dir() and not (note.is_file() and json.loads(note.read_text(encoding="utf-8")) == job):
        shutil.rmtree(folder)
    if not note.is_file():
        write_json(note, job)
    return folder


@contextmanager
def _writer(path: Path, kind: str, schema: Any) -> Iterator[Callable[[pd.DataFrame], Any]]:
    """Yield a function that appends a table to the file, which has the format `kind`."""
    if kind == "parquet":
        with pq.ParquetWriter(path, schema) as file:
            yield lambda table: file.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if kind == "json":
            options: Any = {"orient": "records", "lines": True, "double_precision": 15, "date_format": "iso"}
            yield lambda table: table.to_json(file, force_ascii=False, **options)
        else:
            yield lambda table: _append(file, harmless(table), SEPARATORS[kind])


def _append(file, table: pd.DataFrame, separator: str) -> None:
    """Write rows as CSV. If any text has a carriage return, which Python's csv does not quote, all texts are quoted."""
    texts = table.select_dtypes(exclude="number")
    returns = any("\r" in value for column in texts for value in texts[column] if isinstance(value, str))
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    table.to_csv(file, sep=separator, index=False, header=file.tell() == 0, quoting=quoting)
