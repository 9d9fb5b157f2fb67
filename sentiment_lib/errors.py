"""Everything that a user can cause, and nothing else.

Each message names the value that was refused and a remedy. The command line prints the message of a
:class:`WorkbookError` alone; any other exception is a fault of this library and keeps its traceback. Each kind is
also the built-in exception that Python code would expect, such as ValueError, so that either can be caught.
"""


class WorkbookError(Exception):
    """What a user can cause and mend: the base of all errors below."""


class ArgumentError(WorkbookError, ValueError):
    """An argument with a value that cannot be used."""


class ArgumentTypeError(WorkbookError, TypeError):
    """An argument of a type that cannot be used."""


class SettingsError(WorkbookError, ValueError):
    """A preset or setting that does not exist, or a value that is out of range."""


class DataError(WorkbookError, ValueError):
    """Reviews that cannot be read or used."""


class ModelError(WorkbookError, ValueError):
    """A checkpoint that cannot be used."""


class NotOnHub(WorkbookError, ValueError):
    """The hub answers, but it does not have what was wanted, or this user may not read it."""


class HubUnreachable(WorkbookError, ConnectionError):
    """The hub does not deliver, and what was wanted is not in its local cache."""


class MissingResult(WorkbookError, FileNotFoundError):
    """A file of the run that an earlier lesson makes. The message says which lesson to run first."""


class StorageError(WorkbookError, OSError):
    """A file or folder that cannot be written."""


class MissingExtra(WorkbookError, ImportError):
    """A package of an optional extra is not installed. The message has the command that installs it."""


class NeedsClone(WorkbookError, FileNotFoundError):
    """What an installed package does not have: the lessons, which belong to a clone of the project."""


class BusyError(WorkbookError, RuntimeError):
    """Another process is at work on the same files."""


class LessonError(WorkbookError, RuntimeError):
    """A lesson that failed. The message names lesson, cell and error, and where the half-run notebook is."""
