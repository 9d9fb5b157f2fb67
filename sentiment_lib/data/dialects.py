"""How a CSV file is written: its encoding, delimiter, header and quotes, recognised or as the user says."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, AnyStr

from ..errors import DataError
from .columns import has_header
from .compression import opened

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_BLOCK = 1 << 17  # bytes examined at once: they stay in the CPU's cache
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 17
_DETECTED_LINES = 2000
_SNIFFED_LINES = 100
_READER: dict[str, Any] = {"quotes": {}, "escapes": {"escapechar": "\\"}}
_UNCLOSED = "a quote opens and does not close at the end of a value"
_UNUSUAL_QUOTES = {
    "escapes": "quotes escaped by backslashes",
    "lines": "quotes that enclose no value are part of it",
    "none": "quotes are ordinary characters",
}
# What chardet may choose from: a byte means another letter in each, and the rest of its list is hardly used for text.
_ENCODINGS = [f"cp125{i}" for i in range(9)] + ["koi8-r", "cp932", "euc-jp", "gb18030", "big5hkscs", "cp949"]
_SURE = 0.1  # chardet's confidence: 0.12 for a line of Czech, which is right, and 0.06 for Mac Roman, which is not
_WESTERN = "àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÿ’‘“”„‚–—…•€£§°©®™«»¿¡´·½¼\xa0"
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class TableOptions:
    """What the user says about how tables are written; None: recognise it.

    Attributes
    ----------
    delimiter : str, optional
        One character; ``"tab"`` and ``"\\\\t"`` mean a tab.
    encoding : str, optional
        A name that Python knows, such as ``"cp1252"``.
    header : bool, optional
        Whether the first row holds the names of the columns. Without a header, the columns are called 1, 2, ...
    quotes : bool, optional
        Whether double quotes enclose values. False: they are ordinary characters, and every line is a row.
    columns : tuple of str
        Names of columns that the user asks for; a first row with one of them is a header.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    quotes: bool | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.delimiter in ("tab", "\\t"):
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\n\r'):
            raise DataError(f"delimiter={self.delimiter!r} must be one character, such as ';', or 'tab'.")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)  # not every codec is one of texts
                name = codecs.lookup(self.encoding).name
            except (LookupError, ValueError):
                raise DataError(
                    f"encoding={self.encoding!r} is not an encoding that Python knows, such as utf-8 or cp1252."
                ) from None
            object.__setattr__(self, "encoding", "utf-8-sig" if name == "utf-8" else name)


@dataclass(frozen=True)
class Dialect:
    """How one CSV file is written.

    Attributes
    ----------
    encoding, delimiter : str
    names : tuple of str
        The columns: the header, or 1, 2, ... if there is none.
    header : bool
        Whether the first row holds the names.
    quoting : {"quotes", "escapes", "lines", "none"}
        Values may stand in double quotes, where a quote is doubled ("quotes") or has a backslash ("escapes"). Or each
        line is a row, and a quote that does not enclose a value ("lines"), or any quote ("none"), is a character like
        others.
    unusual : str
        What differs from commas (or tabs), UTF-8 and a header, in words; empty if nothing does.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    header: bool
    quoting: str
    unusual: str = ""


def dialect_of(path: Path, default_delimiter: str, options: TableOptions) -> Dialect:
    """How a CSV file is written. The whole file is read, unless that was done before.

    Raises
    ------
    DataError
        For a file whose encoding, delimiter, header or quotes are in doubt. The message says what to set.
    """
    state = path.stat()
    return _dialect(path, default_delimiter, options, (state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=256)
def _dialect(path: Path, default_delimiter: str, options: TableOptions, _state: tuple[int, int]) -> Dialect:
    encoding = options.encoding or encoding_of(path)
    with open_text(path, encoding) as file:
        sample = list(io.StringIO(file.read(_SAMPLE_CHARACTERS) + file.readline(), newline=""))
    if not any(line.strip() for line in sample):
        raise DataError(f"{path} holds no rows.")
    if re.fullmatch(r"sep=.\s*", sample[0]):
        raise DataError(f"The first line of {path} is {sample[0].strip()!r}, a note for Excel. Delete it.")
    delimiter = options.delimiter or _delimiter(sample, default_delimiter)
    quoting = _quoting(path, encoding, delimiter, options.quotes)
    rows = list(itertools.islice(_parsed(sample, delimiter, quoting), _SAMPLE_ROWS))
    header = has_header(rows, options.columns, str(path)) if options.header is None else options.header
    names = [str(name) for name in rows[0]] if header else [str(i + 1) for i in range(len(rows[0]))]
    unusual = [
        "" if delimiter == default_delimiter else DELIMITERS.get(delimiter, f"delimiter {delimiter!r}"),
        "" if encoding in ("utf-8", "utf-8-sig") else encoding,
        "" if header else "no header",
        _UNUSUAL_QUOTES.get(quoting, ""),
    ]
    return Dialect(encoding, delimiter, tuple(names), header, quoting, ", ".join(filter(None, unusual)))


def rows_of(path: Path, dialect: Dialect) -> Iterator[list[str]]:
    """The rows of a file in which every line is a row, without the header.

    A row with more or fewer values than there are columns is a DataError that names its number.
    """
    with open_text(path, dialect.encoding) as file:
        rows = itertools.islice(_parsed(file, dialect.delimiter, dialect.quoting), int(dialect.header), None)
        for number, row in enumerate(rows, start=1):
            if len(row) != len(dialect.names):
                raise DataError(f"Row {number} of {path} has {len(row)} values for {len(dialect.names)} columns.")
            yield row


# Encoding


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """A file's text, decompressed, with its line ends as they are."""
    with opened(path) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
        yield text


def _blocks(file: IO[AnyStr]) -> Iterator[AnyStr]:
    """Blocks of a file that end with a line."""
    while block := file.read(_BLOCK):
        yield block + file.readline()


def encoding_of(path: Path) -> str:
    """What a byte-order mark shows; UTF-8 if the whole file is valid UTF-8; otherwise what its bytes suggest."""
    with opened(path) as file:
        start = file.read(3)
    if marked := next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None):
        return marked
    with opened(path) as file:
        if all(map(_is_utf8, _blocks(file))):
            return "utf-8"
    return _guessed(path)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guessed(path: Path) -> str:
    """The encoding of a file that is not UTF-8, by its lines that are not."""
    import chardet

    lines, good, first = [], 0, 0
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.isascii():
                if _is_utf8(line):
                    good += 1
                else:
                    first = first or number
                    lines.append(line)
            if len(lines) == _DETECTED_LINES:
                break
    remedy = "Save it as UTF-8 (a spreadsheet asks for the encoding), or say which it is, such as encoding=cp1252."
    if good > len(lines):
        raise DataError(f"{path} is UTF-8, but line {first} is not. {remedy}")
    written = b"".join(lines)
    if _is_western(written):
        return "cp1252"
    found = chardet.detect(
        written, prefer_superset=True, compat_names=False, include_encodings=_ENCODINGS, no_match_encoding="cp1252"
    )
    if found["encoding"] is None or found["confidence"] < _SURE:
        raise DataError(f"{path} is not UTF-8 (line {first}), and its encoding is in doubt. {remedy}")
    return found["encoding"]


def _is_western(written: bytes) -> bool:
    """Whether bytes are text in a Western European language in Windows-1252 (and so in Latin-1).

    Detectors confuse it with other alphabets in English texts, where only a few letters show the encoding.
    """
    try:
        text = written.decode("cp1252")
    except UnicodeDecodeError:
        return False
    letters = [letter for letter in text if not letter.isascii()]
    usual = sum(letter.lower() in _WESTERN for letter in letters)
    return usual >= 0.99 * len(letters) and re.search(r"[^\W\d_a-zA-Z]{3}", text) is None


# Delimiter and quotes


def _delimiter(sample: list[str], default: str) -> str:
    """The delimiter of these lines; `default` if there is only one column."""
    first = next(line for line in sample if line.strip())
    there = [delimiter for delimiter in DELIMITERS if delimiter in first]
    if there in ([], [default]):
        return default
    from clevercsv import Detector

    found = Detector().detect("".join(sample[:_SNIFFED_LINES]), delimiters=list(DELIMITERS))
    return found.delimiter if found is not None and found.delimiter in there else default


def _quoting(path: Path, encoding: str, delimiter: str, wanted: bool | None) -> str:
    if wanted is False:
        return "none"
    if not _has_odd_quotes(path, encoding, delimiter):
        return "quotes"
    kind, enclosed = "quotes", _check_enclosed(path, encoding, delimiter, "quotes")
    problem = f"Line {enclosed.line} of {path}: {enclosed.problem}."
    if enclosed.problem and not (escapes := _check_enclosed(path, encoding, delimiter, "escapes")).problem:
        kind, enclosed = "escapes", escapes
    lines = _check_lines(path, encoding, delimiter)
    in_doubt = not enclosed.problem and not lines.problem and lines.rows != enclosed.rows and lines.values > 1
    if in_doubt and wanted is None:
        raise DataError(
            f"{path} can be read in two ways: the quote that opens in line {enclosed.spans} may enclose several lines "
            f"({enclosed.rows} rows in all), or be part of its text ({lines.rows} rows). Say which with quotes=true or "
            "quotes=false."
        )
    if not enclosed.problem:
        return kind
    if not lines.problem and wanted is None:
        return "lines"
    raise DataError(
        f"{problem} A text that contains the delimiter ({delimiter!r}), a line break or a quote must stand in double "
        "quotes, with the quotes in it doubled; or say quotes=false if quotes are ordinary characters."
    )


def _has_odd_quotes(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether a quote is neither doubled nor at an end of a value, follows a backslash, or is open at a line end."""
    special = re.escape(b'"\r\n' + delimiter.encode()[:1])
    within = re.compile(b'"(?<=[^%b]")(?=[^%b])' % (special, special))
    return any(
        b'\\"' in block or within.search(block) or any(line.count(b'"') % 2 for line in block.split(b"\n"))
        for block in _utf8_blocks(path, encoding)
        if b'"' in block
    )


def _utf8_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    if encoding in ("utf-8", "utf-8-sig"):
        with opened(path) as file:
            yield from _blocks(file)
        return
    with open_text(path, encoding) as text:
        yield from (block.encode() for block in _blocks(text))


@dataclass
class _Finding:
    """What comes of reading a file in one way: rows, values per row, and the first line that does not fit."""

    rows: int = 0
    values: int = 0
    line: int = 0
    problem: str = ""
    spans: int = 0  # first line whose row continues in the next line

    def add(self, row: list[str], line: int) -> None:
        """Count a row, which must have as many values as the first."""
        self.rows += 1
        self.values = self.values or len(row)
        if len(row) != self.values and not self.problem:
            self.line, self.problem = line, f"it has {len(row)} values, but the first row has {self.values}"


def _check_enclosed(path: Path, encoding: str, delimiter: str, quoting: str) -> _Finding:
    """Read a file whose values may stand in quotes; all quotes must close at the end of a value."""
    found, start = _Finding(), 1
    with open_text(path, encoding) as file, _long_values():
        reader = csv.reader(file, delimiter=delimiter, strict=True, **_READER[quoting])
        try:
            for row in reader:
                if row:
                    found.add(row, start)
                if reader.line_num > start and not found.spans:
                    found.spans = start
                if found.problem:
                    break
                start = reader.line_num + 1
        except csv.Error:
            found.line, found.problem = start, _UNCLOSED
    return found


def _check_lines(path: Path, encoding: str, delimiter: str) -> _Finding:
    """Read a file as one row per line. A quote may stay open, unless most values of its column stand in quotes."""
    found, enclosed = _Finding(), Counter[int]()
    unclosed: dict[int, int] = {}  # first line by column
    with open_text(path, encoding) as file, _long_values():
        for number, line in enumerate(file, start=1):
            if not (text := line.rstrip("\r\n")):
                continue
            row = _line(text, delimiter)
            found.add(row, number)
            values = text.split(delimiter) if '"' in text else []
            closed = [len(value) > 1 and value[0] == value[-1] == '"' for value in values]
            if len(values) == len(row):
                enclosed.update(j for j, is_closed in enumerate(closed) if is_closed)
            if values == row:
                for j in [j for j, value in enumerate(values) if value.startswith('"') and not closed[j]]:
                    unclosed.setdefault(j, number)
                    if any(closed) and not found.problem:
                        found.line, found.problem = number, _UNCLOSED
            if found.problem:
                return found
    for j, number in unclosed.items():
        if enclosed[j] > found.rows / 2:
            found.line, found.problem = number, _UNCLOSED
    return found


def _line(text: str, delimiter: str) -> list[str]:
    """The values of a line; where its quotes do not enclose values, they are ordinary characters."""
    if '"' in text:
        with suppress(csv.Error):
            return next(csv.reader([text], delimiter=delimiter, strict=True))
    return text.split(delimiter)


def _parsed(lines: Iterable[str], delimiter: str, quoting: str) -> Iterator[list[str]]:
    """The rows of some lines, without empty lines."""
    with _long_values():
        if quoting in _READER:
            yield from filter(None, csv.reader(lines, delimiter=delimiter, **_READER[quoting]))
            return
        for line in lines:
            if text := line.rstrip("\r\n"):
                yield text.split(delimiter) if quoting == "none" else _line(text, delimiter)


@contextmanager
def _long_values() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters per value."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
