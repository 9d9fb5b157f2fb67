"""Datasets on the hub by name, such as ``owner/name:configuration@revision``.

Only the files of the chosen configuration are downloaded. Code of a repository is never run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import metadata_load

from ..errors import DataError, HubUnreachable, NotOnHub
from .hub import Repository, hub_error, open_repository
from .hub_layout import COMPRESSIONS, KINDS, data_files, listed_splits, one_table, splits_by_name

CONVERTED = "refs/convert/parquet"  # the branch to which the hub writes Parquet copies
_NAME = re.compile(r"(\b[\w.-]+\b/\b[\w.-]{1,96}\b)(?::([^@:]+))?(?:@([^\s:@]+))?", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """The name of a dataset on the hub, and which of its configurations and revisions is meant."""

    name: str
    config: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        config = "" if self.config is None else f":{self.config}"
        return self.name + config + ("" if self.revision is None else f"@{self.revision}")


def parse_name(source: str) -> HubName | None:
    """The parts of ``owner/name``, with ``:configuration`` and ``@revision`` if given; None for any other text.

    A path may look the same, so ask first whether it exists. What ends like a file of reviews (``reviews/train.csv``)
    is taken for a path.
    """
    match = _NAME.fullmatch(source.strip())
    if match is None or match[1].lower().endswith((*KINDS, *COMPRESSIONS, ".xlsx", ".xls")):
        return None
    return HubName(*match.groups())


def fetch_dataset(name: HubName, remedy: str) -> dict[str, list[Path]]:
    """The local files of each split of a dataset on the hub, downloaded unless they are cached.

    Parameters
    ----------
    name : HubName
        The configuration is needed if the repository has several and no default.
    remedy : str
        What to do without the hub, the end of an error message.

    Returns
    -------
    dict of str to list of pathlib.Path
        The keys are the splits as the repository names them: train, validation, test or others.

    Raises
    ------
    DataError
        If the configuration does not exist or has to be chosen, if there are no files of a kind that can be read, or if
        it is not clear that several files belong together.
    HubUnreachable, NotOnHub
        As :func:`sentiment_lib.data.hub.fetch`.
    """
    dataset = _locate(name, remedy, hub_error())
    paths = iter(dataset.repository.fetch([file for files in dataset.splits.values() for file in files]))
    return {split: [next(paths) for _ in files] for split, files in dataset.splits.items()}


def class_names(name: HubName) -> dict[str, list[str]]:
    """The names of the classes 0, 1, ... of each column of class labels, as the README of a dataset lists them.

    Parquet files carry the same names in their metadata; CSV and JSON do not. The cached README is read and no request
    sent, so call this after :func:`fetch_dataset`.
    """
    dataset = _locate(name, "", "class names are read from the local cache only.")
    infos = dataset.card.get("dataset_info")
    found = {}
    for info in infos if isinstance(infos, list) else [infos]:
        if isinstance(info, Mapping) and info.get("config_name", dataset.config) == dataset.config:
            for feature in info.get("features") or []:
                if names := _names_of(feature):
                    found[str(feature["name"])] = names
    return found


def _names_of(feature: Any) -> list[str]:
    try:
        names = feature["dtype"]["class_label"]["names"]
        return [str(names[key]) for key in sorted(names, key=int)] if isinstance(names, Mapping) else list(names)
    except (KeyError, TypeError, ValueError):  # a feature of another type
        return []


@dataclass(frozen=True)
class _Dataset:
    """The chosen configuration of a dataset, and where its files are."""

    repository: Repository
    card: Mapping[str, Any]
    config: str
    splits: Mapping[str, list[str]]


def _locate(name: HubName, remedy: str, problem: str | None) -> _Dataset:
    repository = open_repository(name.name, "dataset", name.revision, remedy, problem)
    card, what = _card(repository), f"The dataset '{name}'"
    if listed := _listed(card):
        defaults = {config: config == "default" or bool(entry.get("default")) for config, entry in listed.items()}
        config = _choose(name, defaults)
        return _Dataset(repository, card, config, listed_splits(listed[config], data_files(repository.files), what))
    script = f"{name.name.split('/')[1]}.py"
    if script not in repository.files:
        script = ""
    elif name.revision is None:  # data files beside a script are what it reads, not what it returns
        repository = _converted(repository) or repository
    found = splits_by_name(data_files(repository.files))
    if not found and script:
        copy = f"The hub may have a copy of its output: --source {replace(name, revision=CONVERTED)}."
        raise DataError(
            f"{what} consists of a program ({script}), which is not run, and has no data files. "
            f"{copy if name.revision else 'The hub has no copy of its output.'} {remedy}"
        )
    if not found:
        shown = ", ".join([file for file in repository.files if not file.startswith(".")][:10]) or "nothing"
        raise DataError(
            f"{what} has no files that can be read ({', '.join(KINDS)}, also compressed); it holds {shown}. {remedy}"
        )
    config = _choose(name, dict.fromkeys(found, False))
    splits = {split: one_table(files, f"{what}, {split}") for split, files in found[config].items()}
    return _Dataset(repository, card, config, splits)


def _card(repository: Repository) -> Mapping[str, Any]:
    """The front matter of a repository's README."""
    if "README.md" not in repository.files:
        return {}
    (path,) = repository.fetch(["README.md"])
    try:
        return metadata_load(path) or {}
    except Exception as error:  # the YAML library has many
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(
            f"The dataset {repository.name!r}: the front matter of its README.md cannot be read: {reason}. "
            f"{repository.remedy}"
        ) from error


def _listed(card: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The configurations whose files the README lists."""
    entries = card.get("configs")
    return {
        str(entry["config_name"]): entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping) and "config_name" in entry and ("data_files" in entry or "data_dir" in entry)
    }


def _converted(repository: Repository) -> Repository | None:
    """The hub's Parquet copy of a dataset; None if there is none."""
    try:
        return open_repository(repository.name, repository.kind, CONVERTED, repository.remedy, repository.problem)
    except NotOnHub:
        return None
    except HubUnreachable:
        if repository.problem is None:
            raise
        return None  # had there been a copy, it would be cached with the rest


def _choose(name: HubName, defaults: Mapping[str, bool]) -> str:
    """The configuration that is meant; `defaults` says of each whether it is the repository's default."""
    if name.config in defaults:
        return str(name.config)
    if len(defaults) == 1 and name.config in (None, "default"):
        return next(iter(defaults))
    shown = ", ".join(list(defaults)[:12]) + (f" and {len(defaults) - 12} more" if len(defaults) > 12 else "")
    if name.config is not None:
        close = difflib.get_close_matches(name.config, defaults, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"The dataset {name.name!r} has no configuration {name.config!r}; it has {shown}.{hint}")
    if sum(defaults.values()) == 1:
        return next(config for config, is_default in defaults.items() if is_default)
    example = replace(name, config=next(iter(defaults)))
    raise DataError(f"The dataset '{name}' has several configurations: {shown}. Choose one, as in --source {example}.")
