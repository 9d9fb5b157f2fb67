"""Which files of a folder hold which split: tables named after splits, or folders of text files named after labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import DataError, listed
from .columns import SPLIT_OF, all_without_test
from .compression import COMPRESSIONS
from .dialects import TableOptions
from .tables import READERS, is_table

UNLABELLED = "unsup"  # IMDB's folder of reviews without labels
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]+)?$")
_STARS = re.compile(r"\d+_(\d+)")


@dataclass(frozen=True)
class _TableName:
    """What a file's name says: the split, the rest of the name, where the file is, and the number of its shards."""

    split: str | None
    rest: str
    home: Path
    shards: int


def table_files(folder: Path) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of each split, and the tables that belong to none.

    A split is named by the file (``train.csv``, ``name_train.csv``, ``training.csv``, ``dev.tsv``) or by its folder.
    Several files are one split only when they are shards (``train-00000-of-00002.parquet``).

    Returns
    -------
    dict of str to list of pathlib.Path
        Files by train, validation and test; only ``"all"`` if there is one table without a split in its name.
    list of pathlib.Path
        Tables that are left out.

    Raises
    ------
    DataError
        When no file is for training, and when it is not certain which files belong together.
    """
    tables = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path, folder)]
    names = {path: _name(path, folder) for path in tables if is_table(path)}
    by_split = {path: name for path, name in names.items() if name.split}
    left_out = [path for path in names if path not in by_split]
    if not by_split:
        candidates = [path for path in names if not path.suffix.lower().endswith(".txt")]
        if len(candidates) == 1 or (candidates and _are_shards(candidates, names)):
            return {"all": candidates}, [path for path in left_out if path not in candidates]
    if not any(name.split == "train" for name in by_split.values()):
        seen = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise DataError(
            f"No training file in {folder}: it should hold train.csv, train.jsonl or train.parquet, and may hold "
            f"test and validation files; found {seen}. Or give one file."
        )
    homes = sorted({name.home for name in by_split.values()})
    if len(homes) > 1:
        whole = sorted({name.home for name in by_split.values() if name.split == "train"})
        raise DataError(
            f"{folder} holds files of several data sets: {_listed(by_split, folder)}. Give the folder of one: "
            f"{', '.join(map(str, whole))}; or move the others elsewhere."
        )
    files: dict[str, list[Path]] = {}
    for path, name in by_split.items():
        files.setdefault(str(name.split), []).append(path)
    for split, paths in files.items():
        if not _are_shards(paths, names) and len(paths) > 1:
            raise DataError(
                f"{folder} holds several files for {split}: {_listed(paths, folder)}. Keep one of them there (shards "
                f"are called {split}-00000-of-00002 and so on), or give a single file."
            )
    if len({name.rest for name in by_split.values()}) > 1:
        raise DataError(
            f"The files in {folder} have names that do not belong together: {_listed(by_split, folder)}. Call them "
            "train, validation and test, or give a single file."
        )
    return all_without_test(files), left_out


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a file or its folder is hidden: Jupyter keeps old copies there."""
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)


def _name(path: Path, folder: Path) -> _TableName:
    stem = path.name
    while Path(stem).suffix.lower() in (*READERS, *COMPRESSIONS):
        stem = Path(stem).stem
    shard = _SHARD.search(stem)
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", _SHARD.sub("", stem))
    of_words = [SPLIT_OF.get(word.lower()) for word in words]
    parts = path.relative_to(folder).parts[:-1]
    home = folder.joinpath(*(part for part in parts if part.lower() not in SPLIT_OF))
    found = {split for split in of_words if split} or {SPLIT_OF[p.lower()] for p in parts if p.lower() in SPLIT_OF}
    rest = " ".join(word.lower() for word, split in zip(words, of_words, strict=True) if not split)
    named_by_folder = not any(of_words)
    return _TableName(
        split=found.pop() if len(found) == 1 else None,
        rest="" if named_by_folder else rest,
        home=home,
        shards=int(shard[2]) if shard else 0,
    )


def _are_shards(paths: list[Path], names: dict[Path, _TableName]) -> bool:
    """Whether the files are all shards of one table."""
    counts = {(names[path].rest, names[path].home, names[path].shards) for path in paths}
    number = next(iter(counts))[2]
    if len(counts) != 1 or not number:
        return False
    if len(paths) != number:
        raise DataError(f"{paths[0].parent} holds {len(paths)} of the {number} shards of {paths[0].name}.")
    return True


def _listed(paths: Iterable[Path], folder: Path) -> str:
    return listed((path.relative_to(folder) for path in paths), 8)


def label_folders(folder: Path) -> dict[str, dict[str, list[Path]]] | None:
    """Text files by split and by the label that their folder names, as in the archive of IMDB; None if it is not so.

    ``train/pos/0_9.txt``, or ``pos/cv000.txt`` without splits, which gives the only key ``"all"``. The folder may also
    hold the folder with that structure.
    """
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    for root in (folder, *(inner if len(inner) == 1 else [])):
        folders = {path.name: path for path in sorted(root.iterdir()) if path.is_dir()}
        splits = {SPLIT_OF[name.lower()]: path for name, path in folders.items() if name.lower() in SPLIT_OF}
        found = {}
        for split, path in (all_without_test(splits) or {"all": root}).items():
            labels = {inside.name: sorted(inside.glob("*.txt")) for inside in sorted(path.iterdir()) if inside.is_dir()}
            found[split] = {label: texts for label, texts in labels.items() if texts}
        if all(len(labels.keys() - {UNLABELLED}) >= 2 for labels in found.values()) and {"train", "all"} & set(found):
            return found
    return None


def read_label_folders(texts: dict[str, list[Path]], options: TableOptions) -> pd.DataFrame:
    """One split of :func:`label_folders` as a table: ``text``, ``label`` and, where the names say them, ``stars``.

    Reviews in the folder ``unsup`` are left out. IMDB's file names are ``<number>_<stars>.txt``.
    """
    rows = []
    for label, paths in texts.items():
        for path in paths if label != UNLABELLED else []:
            try:
                text = path.read_bytes().decode(options.encoding or "utf-8-sig")
            except UnicodeDecodeError as error:
                raise DataError(f"{path} is not UTF-8 ({error}). Say what it is, such as encoding=cp1252.") from error
            stars = _STARS.fullmatch(path.stem)
            rows.append((text, label, float(stars[1]) if stars else None))
    table = pd.DataFrame(rows, columns=["text", "label", "stars"])
    return table if table["stars"].notna().all() else table.drop(columns="stars")
