"""Files of reviews of any size: they are read, classified and written in parts, in their order.

Memory does not grow with the file. Finished parts are kept beside the target, so that interrupted work resumes.
"""

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

from ..data.labels import LABEL_NAMES
from ..data.preparation import clean_text
from ..data.tables import READERS, SEPARATORS, table_parts, text_column_of
from ..errors import DataError
from ..run.files import aside, check_writable, replacing, write_json
from ..run.locks import only_one
from ..run.processes import first_goes_first, is_first, process_count, process_number, wait_for_all
from ..run.progress import progress_bar
from .inference import Classifier

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel

ROWS = 1024  # per part
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
NEW_COLUMNS = ("probability", "predicted")


def predict_file(source: Path | str, target: Path | str, classifier: Classifier, *, text_column: str) -> int:
    """Classify the rows of a file and write them, in their order, with two new columns.

    The source is read three times, in parts of 1,024 rows: to check that all of it can be read, before any long work;
    to classify it; and to write it with the predictions. The predictions of each part are kept in a folder beside the
    target (``.<target>.parts``) until the end. If the work is interrupted, the same call resumes with the first
    missing part. Under ``torchrun`` the processes share the parts, and the first process writes.

    Parameters
    ----------
    source, target : pathlib.Path
        CSV, TSV, JSON-lines or Parquet files, as their endings say. The target is written under a temporary name and
        then renamed. Values in CSV files stay as they are, but a value that a spreadsheet would take for a formula
        gets an apostrophe in front (:func:`harmless`).
    classifier : Classifier
    text_column : str
        Column of `source` that holds the texts. They are cleaned as the training texts were.

    Returns
    -------
    int
        Number of rows. The new columns are ``probability`` (of positive) and ``predicted`` (its name).

    Raises
    ------
    DataError
        For a file that cannot be read, a column that is missing or would be overwritten, an unknown ending, and a
        target that is the source, all before anything is computed; and for a source that changed while it was read.
    BusyError
        When another process writes to the same target.
    StorageError
        When the target cannot be written.
    """
    source, target = Path(source), Path(target)
    if READERS.get(target.suffix.lower()) is None:
        raise DataError(f"{target} is not a file this can write; it should end in {', '.join(READERS)}.")
    if not source.is_file():
        raise DataError(f"There is no file {source}.")
    if target.exists() and target.samefile(source):
        raise DataError(f"{target} is the file that is read; give another one to write to.")
    with ExitStack() as stack:
        if is_first():
            check_writable(target.parent)
            stack.enter_context(only_one(target, f"{target}", "Wait for it, or give another --output."))
        return _predict_file(source, target, classifier, text_column)


def _predict_file(source: Path, target: Path, classifier: Classifier, text_column: str) -> int:
    total, columns, schema = _survey(source, text_column, target)
    job = {
        "source": _state(source),
        "rows": [total, ROWS],
        "text_column": text_column,
        "model": _fingerprint(classifier.model),
        "encoding": {**classifier.encoding, "precision": classifier.precision},
    }
    with first_goes_first():  # so that the others find the folder of this job
        parts = _parts_folder(aside(target, "parts"), job)
    with progress_bar(total=total, desc="predicting", unit="text") as bar:
        for number, table in enumerate(table_parts(source, ROWS)):
            part = parts / f"{number:06d}.npy"
            if number % process_count() == process_number() and not part.is_file():
                texts = [clean_text(text) for text in _texts(table, source, text_column, number * ROWS)]
                probabilities = classifier.predict(texts, progress=False)
                with replacing(part) as temporary, temporary.open("wb") as file:
                    np.save(file, probabilities)
            bar.update(len(table))
    wait_for_all()
    if job["source"] != _state(source):
        raise DataError(f"{source} changed while it was read. Run the command again; it will start over.")
    if not is_first():
        return total
    with replacing(target) as temporary, _writer(temporary, target, schema) as write:
        for number, table in enumerate(table_parts(source, ROWS)):
            write(with_predictions(table.reindex(columns=columns), np.load(parts / f"{number:06d}.npy")))
    shutil.rmtree(parts)
    return total


def with_predictions(table: pd.DataFrame, probability: np.ndarray) -> pd.DataFrame:
    """A table with the columns ``probability`` and ``predicted``, the name of the likelier label."""
    return table.assign(probability=probability, predicted=np.where(probability >= 0.5, LABEL_NAMES[1], LABEL_NAMES[0]))


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts no spreadsheet takes for formulas: those that could be get an apostrophe in front.

    These begin with ``=``, ``+``, ``-``, ``@`` (also in their wide forms, also after blanks), a tab or a line break,
    and are not numbers (OWASP, CSV Injection).
    """
    import pandas as pd

    table = table.rename(columns=lambda name: _harmless(name) if isinstance(name, str) else name)
    for position, kind in enumerate(table.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            values = table.iloc[:, position]
            table.isetitem(position, values.map(lambda v: _harmless(v) if isinstance(v, str) else v))
    return table


def _harmless(value: str) -> str:
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value


def _survey(source: Path, text_column: str, target: Path) -> tuple[int, list[str], Any]:
    """Number of rows, all columns, and for a Parquet target the types that hold all rows; errors come here."""
    import pyarrow as pa

    total, schemas = 0, []
    columns: dict[str, None] = {}  # in their order
    for table in table_parts(source, ROWS):
        _texts(table, source, text_column, total)
        taken = set(NEW_COLUMNS) & set(table.columns)
        if taken:
            raise DataError(f"{source} already has a column {sorted(taken)[0]!r}; rename it first.")
        total += len(table)
        columns |= dict.fromkeys(table.columns)  # JSON lines may bring a column late
        if target.suffix.lower() == ".parquet":
            try:
                part = with_predictions(table, np.zeros(len(table)))
                schemas.append(pa.Schema.from_pandas(part, preserve_index=False).remove_metadata())
                schemas = [pa.unify_schemas(schemas, promote_options="permissive")]
            except pa.ArrowException as error:
                raise DataError(f"{source} has a column of mixed types, which Parquet cannot hold: {error}") from error
    if not total:
        raise DataError(f"{source} holds no rows.")
    if schemas:  # in the order of the columns, the new ones last
        schemas = [pa.schema([schemas[0].field(name) for name in (*columns, *NEW_COLUMNS)])]
    return total, list(columns), schemas[0] if schemas else None


def _texts(table: pd.DataFrame, source: Path, column: str, before: int) -> pd.Series:
    return text_column_of(table, column, str(source), "--text-column", before)


def _state(source: Path) -> list[Any]:
    """What tells whether a file is the one that was read before: path, size and time of change."""
    return [str(source.resolve()), source.stat().st_size, source.stat().st_mtime_ns]


def _fingerprint(model: PreTrainedModel) -> str:
    """A hash of all weights, so that predictions of different models are never mixed."""
    state = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        state.update(name.encode())
        state.update(value.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def _parts_folder(folder: Path, job: dict[str, Any]) -> Path:
    """The folder of the finished parts; emptied if they belong to another job."""
    note = folder / "job.json"
    if folder.is_dir() and not (note.is_file() and json.loads(note.read_text(encoding="utf-8")) == job):
        shutil.rmtree(folder)
    if not note.is_file():
        write_json(note, job)
    return folder


@contextmanager
def _writer(path: Path, target: Path, schema: Any) -> Iterator[Callable[[pd.DataFrame], Any]]:
    """A function that appends a table to the file, in the format that the target's ending says."""
    kind = READERS[target.suffix.lower()]
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema) as file:
            yield lambda table: file.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if kind == "json":
            yield lambda table: file.write(_lines(table))
        else:
            yield lambda table: _append(file, harmless(table), SEPARATORS[kind])


def _append(file, table: pd.DataFrame, separator: str) -> None:
    """Rows as CSV; with a bare carriage return in them all texts are quoted, since Python's csv would not do it."""
    texts = table.select_dtypes(exclude="number")
    bare = any("\r" in value for column in texts for value in texts[column] if isinstance(value, str))
    how = csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
    table.to_csv(file, sep=separator, index=False, header=file.tell() == 0, quoting=how)


def _lines(table: pd.DataFrame) -> str:
    text = table.to_json(orient="records", lines=True, force_ascii=False, double_precision=15, date_format="iso")
    return text if text.endswith("\n") else text + "\n"
