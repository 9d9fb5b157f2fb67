"""Every setting of a run, with what it affects, and the presets."""

import ast
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import Field, asdict, dataclass, field, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from .errors import SettingsError
from .run.paths import RunPaths

TRUNCATIONS = ("head", "tail", "head+tail")
PRECISIONS = ("auto", "bfloat16", "float32")
# Parts of a run that a setting can affect: the splits, the optimiser's steps, the choice of a checkpoint by the
# validation split, how a text becomes a prediction, and where that is computed.
PARTS = ("data", "training", "validation", "evaluation", "device")


@dataclass(frozen=True)
class Encoding:
    """How a text becomes token ids. ``**encoding`` passes the three values as keyword arguments.

    Attributes
    ----------
    max_length : int
        Longest sequence in tokens, special tokens included.
    truncation : {"head", "tail", "head+tail"}
        Which part of a longer text is kept.
    head_share : float
        Share of the kept tokens that ``head+tail`` takes from the beginning.
    """

    max_length: int = 256
    truncation: str = "head+tail"
    head_share: float = 0.25

    def keys(self) -> list[str]:
        """Names of the three values, so that ``**encoding`` works."""
        return list(asdict(self))

    def __getitem__(self, name: str) -> Any:
        return asdict(self)[name]


def _field(default: Any, meaning: str, affects: str = "", limits: tuple = (None, None), choices: tuple = ()) -> Any:
    metadata = {"meaning": meaning, "affects": frozenset(affects.split()), "limits": limits, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings of one run; make one with :func:`make_settings`.

    Raises
    ------
    SettingsError
        When a value has the wrong type or is out of range. The message lists what is allowed.
    """

    preset: str = _field("quick", "the preset these settings started from")
    run: str = _field("quick", "name of the run: its files go to results/<run> and figures/<run>")
    source: str = _field("snippets", "snippets, imdb, your own file or folder, or owner/name on the hub", "data")
    text_column: str | None = _field(None, "column that holds the reviews; None: found by its name", "data")
    label_column: str | None = _field(None, "column that holds the labels; None: found by its name", "data")
    negative_label: str | None = _field(None, "what your file calls a negative review: bad, or a list 1,2", "data")
    positive_label: str | None = _field(None, "what your file calls a positive review: good, or a list 4,5", "data")
    drop_label: str | None = _field(None, "label whose reviews are left out, or a list", "data")
    delimiter: str | None = _field(None, "delimiter of a CSV file: ';', tab; None: recognised", "data")
    file_encoding: str | None = _field(None, "encoding of a text file: cp1252; None: recognised", "data")
    header: bool | None = _field(None, "whether a CSV file names its columns; None: recognised", "data")
    quotes: bool | None = _field(None, "whether quotes in a CSV file enclose values; None: recognised", "data")
    model: str = _field("bundled", "bundled, a local folder, or a name on the hub", "training evaluation")
    model_revision: str | None = _field(None, "commit or tag of a hub model; None: the newest", "training evaluation")
    split_seed: int = _field(0, "seed of the splits and of train_size", "data", (0, 2**32 - 1))
    seed: int = _field(0, "seed of new weights and of the training order", "training", (0, 2**32 - 1))
    train_size: int | None = _field(None, "number of training reviews; None: all", "data", (2, None))
    validation_size: float = _field(0.1, "share of the training reviews", "data", (0.001, 0.9))
    test_size: float = _field(0.2, "share of a file that has no test split", "data", (0.001, 0.9))
    sealed_size: float | None = _field(
        None, "share of the reviews kept for the last experiment; None: a tenth of the snippets", "data", (0, 0.5)
    )
    clean_test: bool = _field(False, "drop duplicates from a published test split, too", "data")
    max_length: int = _field(64, "longest input in tokens, [CLS] and [SEP] included", "training evaluation", (8, 8192))
    first_length: int | None = _field(
        None, "longest input of the first epoch, doubled in each one up to max_length; None: off", "training", (8, 8192)
    )
    truncation: str = _field("head+tail", "what is kept of a longer review", "training evaluation", choices=TRUNCATIONS)
    head_share: float = _field(
        0.25, "share of the tokens that head+tail takes from the head", "training evaluation", (0, 1)
    )
    epochs: float = _field(2.0, "passes through the training reviews", "training", (0.001, 1000))
    learning_rate: float = _field(1e-4, "peak learning rate of AdamW", "training", (1e-8, 1.0))
    batch_size: int = _field(32, "reviews in one optimiser step", "training", (1, 4096))
    weight_decay: float = _field(0.01, "weight decay of AdamW", "training", (0, 1))
    warmup: float = _field(0.1, "share of the steps over which the learning rate rises", "training", (0, 0.99))
    dropout: float = _field(0.0, "dropout of hidden states and attention", "training", (0, 0.9))
    trained_layers: int | None = _field(
        None, "encoder layers to train, counted from the top; 0: only the head; None: everything", "training", (0, None)
    )
    best_by: str = _field(
        "accuracy", "validation metric that picks the checkpoint", "validation", choices=("accuracy", "loss")
    )
    early_stopping: int = _field(0, "epochs without progress before training stops; 0: off", "validation", (0, 1000))
    device: str = _field("auto", "where the model runs", "device", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = _field("auto", "arithmetic of training and prediction", "training evaluation", choices=PRECISIONS)
    attention: str = _field(
        "auto", "attention kernel of training", "training", choices=("auto", "lean", "eager", "sdpa")
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check(setting, getattr(self, setting.name))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.run):
            raise SettingsError(
                f"run={self.run!r} cannot name a folder: use up to 100 letters, digits, '.', '_' and '-', "
                "beginning with a letter or digit."
            )
        if (self.negative_label is None) != (self.positive_label is None):
            raise SettingsError(
                "Give negative_label and positive_label together, or neither; "
                f"got {self.negative_label!r} and {self.positive_label!r}."
            )
        for name in ("negative_label", "positive_label", "drop_label"):
            if not all(_listed(getattr(self, name))):
                raise SettingsError(f"{name}={getattr(self, name)!r} is not a list of labels: one of them is empty.")
        negative, positive = (set(map(str.lower, _listed(name))) for name in (self.negative_label, self.positive_label))
        if both := negative & positive:
            raise SettingsError(
                f"negative_label={self.negative_label!r} and positive_label={self.positive_label!r}: both labels are "
                f"called {min(both)!r}."
            )

    @property
    def label_names(self) -> tuple[str | list[str], str | list[str]] | None:
        """The labels of the user's own file as ``(negative, positive)``, or None for the usual names."""
        if self.negative_label is None or self.positive_label is None:
            return None
        negative, positive = (
            _listed(name) if "," in name else name.strip() for name in (self.negative_label, self.positive_label)
        )
        return negative, positive

    @property
    def drop_labels(self) -> list[str]:
        """Labels whose reviews are left out."""
        return _listed(self.drop_label)

    @property
    def table_options(self) -> dict[str, Any]:
        """How tables are written, as far as the user says it: keyword arguments of `TableOptions`."""
        columns = tuple(name for name in (self.text_column, self.label_column) if name is not None)
        return {
            "delimiter": self.delimiter,
            "encoding": self.file_encoding,
            "header": self.header,
            "quotes": self.quotes,
            "columns": columns,
        }

    @property
    def encoding(self) -> Encoding:
        """How a text becomes token ids."""
        return Encoding(self.max_length, self.truncation, self.head_share)

    @property
    def paths(self) -> RunPaths:
        """Where this run's files are."""
        return RunPaths(self.run)

    def affecting(self, *parts: str) -> dict[str, Any]:
        """The settings that affect any of these :data:`PARTS` of a run, with their values."""
        return {s.name: getattr(self, s.name) for s in fields(self) if s.metadata["affects"] & set(parts)}

    def differences(self, kept: Mapping[str, Any], *parts: str) -> str:
        """Settings that differ from those that an earlier step kept, such as ``"epochs=3.0 (was 2.0)"``.

        Only those that affect some :data:`PARTS` are compared, or all. Empty if none differs.
        """
        now = self.affecting(*parts) if parts else asdict(self)
        return ", ".join(f"{key}={now[key]!r} (was {kept.get(key)!r})" for key in now if kept.get(key) != now[key])

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """The settings that :meth:`to_dict` returned, perhaps in an older version; those that are gone are left out."""
        return cls(**{name: values[name] for name in _types() if name in values})


def _listed(labels: str | None) -> list[str]:
    return [] if labels is None else [label.strip() for label in labels.split(",")]


@cache
def _types() -> dict[str, tuple[Any, bool]]:
    """The type of each setting, and whether it may be None."""
    hints = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Settings).items()}
    return {name: (kinds[0], NoneType in kinds) for name, kinds in hints.items()}


def _check(setting: Field, value: Any) -> None:
    """Raise SettingsError unless `value` fits the type and range of a setting."""
    kind, optional = _types()[setting.name]
    if value is None and optional:
        return
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        wanted = f"{kind.__name__} | None" if optional else kind.__name__
        raise SettingsError(f"{setting.name}={value!r} must be of type {wanted}: {setting.metadata['meaning']}.")
    if kind is float and not math.isfinite(value):
        raise SettingsError(f"{setting.name}={value!r} must be a finite number.")
    choices, (low, high) = setting.metadata["choices"], setting.metadata["limits"]
    if choices and value not in choices:
        raise SettingsError(f"{setting.name}={value!r} is not one of {', '.join(choices)}.")
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise SettingsError(f"{setting.name}={value!r} is out of range; allowed: {allowed}.")
    if isinstance(value, str) and not value.strip():
        raise SettingsError(f"{setting.name} must not be empty: {setting.metadata['meaning']}.")


_IMDB = {"source": "imdb", "max_length": 512, "batch_size": 16}
# Names that users may give to settings besides their own.
ALIASES = {"encoding": "file_encoding"}  # Settings.encoding is how texts become tokens
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    "imdb": _IMDB | {"epochs": 3.0, "first_length": 128},
    "full": _IMDB
    | {
        "model": "google-bert/bert-base-uncased",
        "model_revision": "86b5e0934494bd15c9632b12f734a8a67f723594",
        "learning_rate": 2e-5,
        "epochs": 3.0,
        "dropout": 0.1,
    },
}


def make_settings(
    preset: str = "quick", run: str | None = None, overrides: Mapping[str, Any] | str | None = None, **more: Any
) -> Settings:
    """The settings of a preset, with some of them changed.

    Parameters
    ----------
    preset : {"quick", "imdb", "full"}
    run : str, optional
        Name of the run. Default: the preset's name.
    overrides : mapping of str to any, or str, optional
        Fields of :class:`Settings` with their values. Strings are converted to the field's type, so that values may
        come straight from a command line. The mapping itself may be text as well, such as ``'{"epochs": 1}'``: that
        is how papermill's option ``-p`` passes it on.
    **more
        The same as keyword arguments.

    Raises
    ------
    SettingsError
        For an unknown preset or setting, for a value out of range, and for text that is no mapping.
    """
    if preset not in PRESETS:
        raise SettingsError(f"Unknown preset {preset!r}; there are {', '.join(PRESETS)}.")
    values = dict(PRESETS[preset])
    changed = {ALIASES.get(name, name): value for name, value in (_mapping(overrides) | more).items()}
    refuse_unknown(changed)
    values |= {name: _convert(name, value) for name, value in changed.items()}
    if "model" in changed and "model_revision" not in changed:
        values["model_revision"] = None  # the preset's revision belongs to the preset's model
    return Settings(**(values | {"preset": preset, "run": run or preset}))


def refuse_unknown(names: Iterable[str]) -> None:
    """Raise SettingsError, with the nearest name, unless each name is that of a setting that can be changed."""
    known = _types()
    for name in names:
        if name not in known or name == "preset":
            close = difflib.get_close_matches(name, [*known, *ALIASES], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            allowed = ", ".join(sorted(set(known) - {"preset", "run"}))
            raise SettingsError(f"Unknown setting {name!r}.{hint} The settings are: {allowed}.")


def _mapping(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """The overrides as a dict; text is read as JSON or as Python."""
    found: Any = overrides or {}
    if isinstance(overrides, str):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                found = read(overrides)
                break
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise SettingsError(
            f"overrides={overrides!r} is no dict of settings. On papermill's command line, write "
            """-p overrides '{"epochs": 1}' or -y 'overrides: {epochs: 1}'."""
        )
    return dict(found)


def _convert(name: str, value: Any) -> Any:
    """Convert text from a command line, and an int where a float belongs, to the type of the setting."""
    kind, optional = _types()[name]
    if name == "delimiter" and value == "\t":
        return "tab"
    if isinstance(value, str):
        if optional and value.lower() in ("none", ""):
            return None
        if kind is bool:
            answer = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(value.lower())
            if answer is None:
                raise SettingsError(f"{name}={value!r} is neither true nor false.")
            return answer
        if kind is not str:
            try:
                return kind(value)
            except ValueError:
                wanted = "a whole number" if kind is int else "a number"
                raise SettingsError(f"{name}={value!r} is not {wanted}.") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
