"""Which files of a repository belong to which configuration and split.

The author may list them in the front matter of the README (``configs``). Otherwise they follow from the names of files
and folders, by the rules of the library datasets, except that files that may not belong together are never joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from ..errors import DataError
from .compression import COMPRESSIONS

KINDS = (".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")  # of copies, the first is taken
_METADATA = ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_NO_DATA = (*_METADATA, "readme.txt", "license.txt", "requirements.txt")
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words}
_SPLIT_WORD = re.compile(rf"(?:^|[-._ 0-9])({'|'.join(_SPLIT_OF)})(?=$|[-._ 0-9])", re.IGNORECASE)
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(-[0-9a-f]+)?")
_PUSHED = re.compile(r"data/[\w.]+-\d{5}-of-\d{5}[^/]*")  # as Dataset.push_to_hub names files


def data_files(files: Iterable[str]) -> list[str]:
    """The paths of files that may hold reviews: of a kind that can be read, not hidden, not metadata."""
    named = ((file, PurePosixPath(file).name.lower()) for file in files)
    return [file for file, name in named if _kind(name) and name not in _NO_DATA and not _is_hidden(file)]


def listed_splits(entry: Mapping[str, Any], files: Sequence[str], what: str) -> dict[str, list[str]]:
    """The files of each split, as an entry of ``configs`` lists them.

    Parameters
    ----------
    entry : mapping
        With ``data_files`` (a pattern, a list of them, or a list of ``{split, path}``), ``data_dir``, or both.
    files : sequence of str
        The paths from which to choose.
    what : str
        The dataset, as the beginning of an error message.

    Raises
    ------
    DataError
        If the entry cannot be read or if a split has no files.
    """
    folder = str(entry.get("data_dir") or "").removeprefix("./").strip("/")
    prefix = f"{folder}/" if folder not in ("", ".") else ""
    if not entry.get("data_files"):
        named = splits_by_name(file.removeprefix(prefix) for file in files if file.startswith(prefix))
        merged: dict[str, list[str]] = {}
        for splits in named.values():
            for split, members in splits.items():
                merged.setdefault(split, []).extend(prefix + file for file in members)
        if not merged:
            raise DataError(f"{what}: its README names the folder {folder!r}, which has no files that can be read.")
        return {split: one_table(members, f"{what}, {split}") for split, members in merged.items()}
    found = {}
    for split, patterns in _patterns(entry["data_files"], what).items():
        wanted = [(prefix + pattern.removeprefix("./")).split("/") for pattern in patterns]
        found[split] = sorted(file for file in files if any(_matches(file.split("/"), parts) for parts in wanted))
        if not found[split]:
            raise DataError(
                f"{what}: its README names {', '.join(patterns)[:200]} for {split}, but there is no such file that can "
                f"be read ({', '.join(KINDS)}, also compressed)."
            )
    return found


def splits_by_name(files: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """The configurations, their splits and the files of these, by the names of files and folders alone.

    What is left of a folder's path without the part that names a split is the configuration, or "default" if nothing
    is left. If no name says which split a file is, all are train; otherwise files without a split are left out.
    """
    files = list(files)
    pushed = [file for file in files if _PUSHED.fullmatch(file)]
    places = {file: _place(file) for file in pushed or files}
    if not pushed and not any(split in _SPLITS for _, split in places.values()):
        places = {file: (file.rpartition("/")[0], "train") for file in files}
    found: dict[str, dict[str, list[str]]] = {}
    for file, (folder, split) in places.items():
        if split is not None:
            found.setdefault(folder or "default", {}).setdefault(split, []).append(file)
    return found


def one_table(files: Sequence[str], what: str) -> list[str]:
    """The files of one table, in one format if there are copies in several.

    Raises
    ------
    DataError
        If it is not clear that several files belong together; `what` is the beginning of the message.
    """
    formats: dict[str, list[str]] = {}
    for file in files:
        formats.setdefault(_kind(file) or "", []).append(file)
    tables = [{_SHARD.sub(r"\1", _stem(file)) for file in members} for members in formats.values()]
    copies = all(table == tables[0] for table in tables)
    if copies:
        files = formats[min(formats, key=KINDS.index)]
    if not copies or (len(files) > 1 and not _are_shards(files)):
        shown = ", ".join(files[:6]) + (f" and {len(files) - 6} more" if len(files) > 6 else "")
        raise DataError(
            f"{what}: there are several files, and nothing says that they belong together: {shown}. Download the one "
            "you need and give its path as the source."
        )
    return sorted(files)


def _patterns(listed: Any, what: str) -> dict[str, list[str]]:
    """The patterns of paths of each split."""
    entries = listed if isinstance(listed, list) else [listed]
    if all(isinstance(entry, str) for entry in entries):
        entries = [{"split": "train", "path": entries}]
    elif isinstance(listed, Mapping) and "path" not in listed:
        entries = [{"split": split, "path": path} for split, path in listed.items()]
    found: dict[str, list[str]] = {}
    for entry in entries:
        paths = entry.get("path") if isinstance(entry, Mapping) else None
        paths = [paths] if isinstance(paths, str) else paths
        if not (isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths)):
            raise DataError(f"{what}: its README has data_files that cannot be read: {str(entry)[:100]}.")
        for path in paths:
            if "://" in path:
                raise DataError(
                    f"{what}: its README names a file elsewhere, {path[:200]}. Download it and give its path as the "
                    "source."
                )
        found.setdefault(str(entry.get("split", "train")), []).extend(paths)
    return found


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path fits a pattern, both split at slashes: ``**`` is any number of folders, ``*`` stays in one."""
    if not path or not pattern:
        return not path and not pattern
    if pattern[0] == "**":
        return len(pattern) == 1 or any(_matches(path[i:], pattern[1:]) for i in range(len(path)))
    return fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _place(file: str) -> tuple[str, str | None]:
    """The folder of a file without the part that names its split, and this split; None if nothing names one."""
    *folders, last = file.split("/")
    for number, folder in reversed(list(enumerate(folders))):
        if word := _SPLIT_WORD.search(folder):
            return "/".join(folders[:number] + folders[number + 1 :]), _SPLIT_OF[word[1].lower()]
    stem, path = _stem(last), "/".join(folders)
    if word := _SPLIT_WORD.search(stem):
        return path, _SPLIT_OF[word[1].lower()]
    if shard := _SHARD.fullmatch(stem):
        return path, shard[1]
    if stem.isdigit() and folders:  # as in the hub's own Parquet copies: plain_text/unsupervised/0000.parquet
        return "/".join(folders[:-1]), folders[-1]
    return path, None


def _are_shards(files: Sequence[str]) -> bool:
    """Whether only a number differs between the names, and counts from 0 or 1 without a gap."""
    matches = [re.fullmatch(r"(.*?)(\d+)(?:-of-(\d+)(?:-[0-9a-f]+)?)?", _stem(file)) for file in files]
    found = [match.groups() for match in matches if match]
    numbers = sorted(int(number) for _, number, _ in found)
    return (
        len(found) == len(files)
        and len({(before, total) for before, _, total in found}) == 1
        and all(total is None or int(total) == len(files) for _, _, total in found)
        and numbers[0] in (0, 1)
        and numbers == list(range(numbers[0], numbers[0] + len(files)))
    )


def _kind(file: str) -> str | None:
    """The suffix of a file that can be read, without that of its compression."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(file).suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in KINDS else None


def _is_hidden(file: str) -> bool:
    path = PurePosixPath(file)
    return path.name.startswith(".") or any(folder.startswith((".", "__")) for folder in path.parent.parts)


def _stem(file: str) -> str:
    """A path without the suffixes of its format and compression."""
    path = PurePosixPath(file)
    if path.suffix.lower() in COMPRESSIONS:
        path = path.with_suffix("")
    return str(path.with_suffix(""))
