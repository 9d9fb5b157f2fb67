"""Everything that a user can cause, and nothing else.

Each message names the value that was refused and a remedy. For a :class:`WorkbookError`, the command line prints only
the message; any other exception is a bug in this library and keeps its traceback. Each class is also the built-in
exception that Python code would expect, such as ValueError, so that either can be caught.
"""

from collections.abc import Iterable


def listed(names: Iterable[object], most: int) -> str:
    """Names separated by commas, for a message; "and more" stands for those after the first `most`."""
    shown = [str(name) for name in names]
    return ", ".join(shown[:most]) + " and more" * (len(shown) > most)


class WorkbookError(Exception):
    """The base of all errors that a user can cause and correct."""


class ArgumentError(WorkbookError, ValueError):
    """An argument whose value cannot be used."""


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise an ArgumentError unless the value of an argument is one of the choices."""
    if value not in choices:
        raise ArgumentError(f"{name}={value!r} is not one of {', '.join(map(repr, choices))}.")


class ArgumentTypeError(WorkbookError, TypeError):
    """An argument whose type cannot be used."""


class SettingsError(WorkbookError, ValueError):
    """A preset or setting that does not exist, or a value of a setting that cannot be used."""


class DataError(WorkbookError, ValueError):
    """Reviews that cannot be read or used."""


class ModelError(WorkbookError, ValueError):
    """A checkpoint that cannot be used."""


class NotOnHub(WorkbookError, ValueError):
    """The hub answers, but it does not have what was requested, or this user may not read it."""


class HubUnreachable(WorkbookError, ConnectionError):
    """The hub does not answer or deliver, and what was requested is not in the local cache."""


class MissingResult(WorkbookError, FileNotFoundError):
    """A file of the run that an earlier lesson writes. The message says which lesson to run first."""


class StorageError(WorkbookError, OSError):
    """A file or folder that cannot be written."""


class MissingExtra(WorkbookError, ImportError):
    """A package of an optional extra is not installed. The message has the command that installs it."""


class NeedsClone(WorkbookError, FileNotFoundError):
    """What an installed package does not have: the lessons, which belong to a clone of the project."""


class BusyError(WorkbookError, RuntimeError):
    """Another process is working on the same files."""


class LessonError(WorkbookError, RuntimeError):
    """A lesson that failed. The message names the lesson, the cell, the error, and the partly executed notebook."""
