"""Every knob of a run."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from .errors import SettingsError
from .run.paths import RunPaths

TRUNCATIONS = ("head", "tail", "head+tail")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "bfloat16", "float32")
ATTENTION_KERNELS = ("auto", "lean", "eager", "sdpa")
BEST_BY = ("accuracy", "loss")


# What a setting affects: the splits, the optimiser's steps, what the validation split decides, how a text becomes a
# prediction, and where that is computed.
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
        return [knob.name for knob in fields(self)]

    def __getitem__(self, name: str) -> Any:
        return asdict(self)[name]


def _knob(
    default: Any, meaning: str, affects: str = "", *, low: Any = None, high: Any = None, choices: Any = None
) -> Any:
    parts = frozenset(affects.split())
    return field(
        default=default,
        metadata={"meaning": meaning, "affects": parts, "low": low, "high": high, "choices": choices},
    )


@dataclass(frozen=True)
class Settings:
    """All settings of one run; make one with :func:`make_settings`.

    Raises
    ------
    SettingsError
        When a value has the wrong type or is out of range. The message lists what is allowed.
    """

    preset: str = _knob("quick", "the preset these settings started from")
    run: str = _knob("quick", "name of the run: its files go to results/<run> and figures/<run>")
    source: str = _knob("snippets", "snippets, imdb, or the path of your own file or folder", "data")
    text_column: str = _knob("text", "column of a local file that holds the review", "data")
    label_column: str = _knob("label", "column of a local file that holds the label", "data")
    negative_label: str | None = _knob(None, "what your file calls a negative review, e.g. 'bad'", "data")
    positive_label: str | None = _knob(None, "what your file calls a positive review, e.g. 'good'", "data")
    model: str = _knob("bundled", "bundled, a local folder, or a name on the hub", "training evaluation")
    model_revision: str | None = _knob(None, "commit or tag of a hub model; None: the newest", "training evaluation")
    split_seed: int = _knob(0, "seed of the splits and of train_size", "data", low=0, high=2**32 - 1)
    seed: int = _knob(0, "seed of new weights and of the training order", "training", low=0, high=2**32 - 1)
    train_size: int | None = _knob(None, "number of training reviews; None: all", "data", low=2)
    validation_size: float = _knob(0.1, "share of the training reviews", "data", low=0.001, high=0.9)
    test_size: float = _knob(0.2, "share of a file that has no test split", "data", low=0.001, high=0.9)
    max_length: int = _knob(
        64, "longest input in tokens, [CLS] and [SEP] included", "training evaluation", low=8, high=8192
    )
    truncation: str = _knob("head+tail", "what is kept of a longer review", "training evaluation", choices=TRUNCATIONS)
    head_share: float = _knob(
        0.25, "share of the tokens that head+tail takes from the head", "training evaluation", low=0, high=1
    )
    epochs: float = _knob(2.0, "passes through the training reviews", "training", low=0.001, high=1000)
    learning_rate: float = _knob(1e-4, "peak learning rate of AdamW", "training", low=1e-8, high=1.0)
    batch_size: int = _knob(32, "reviews in one optimiser step", "training", low=1, high=4096)
    weight_decay: float = _knob(0.01, "weight decay of AdamW", "training", low=0, high=1)
    warmup: float = _knob(0.1, "share of the steps over which the learning rate rises", "training", low=0, high=0.99)
    dropout: float = _knob(0.0, "dropout of hidden states and attention", "training", low=0, high=0.9)
    token_masking: float = _knob(
        0.0, "share of a training review's tokens that are hidden as [MASK]", "training", low=0, high=0.9
    )
    label_smoothing: float = _knob(
        0.0, "share of each training label that is spread over both", "training", low=0, high=0.9
    )
    averaging: float = _knob(
        0.0, "decay of a moving average of the weights, such as 0.99; 0: none", "training", low=0, high=0.99999
    )
    trained_layers: int | None = _knob(
        None,
        "encoder layers that are trained, counted from the top; 0: the head only; None: everything",
        "training",
        low=0,
    )
    best_by: str = _knob("accuracy", "validation measure that picks the checkpoint", "validation", choices=BEST_BY)
    early_stopping: int = _knob(
        0, "epochs without progress before training stops; 0: off", "validation", low=0, high=1000
    )
    device: str = _knob("auto", "where the model runs", "device", choices=DEVICES)
    precision: str = _knob("auto", "arithmetic of training and prediction", "training evaluation", choices=PRECISIONS)
    attention: str = _knob("auto", "attention kernel of training", "training", choices=ATTENTION_KERNELS)

    def __post_init__(self) -> None:
        for knob in fields(self):
            _check(knob, getattr(self, knob.name))
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
        same = {name.strip().lower() for name in self.label_names or ("negative", "positive")}
        if len(same) < 2:
            raise SettingsError(
                f"negative_label={self.negative_label!r} and positive_label={self.positive_label!r}: both labels are "
                f"called {same.pop()!r}."
            )

    @property
    def label_names(self) -> tuple[str, str] | None:
        """The labels of the user's own file as ``(negative, positive)``, or None for the usual names."""
        if self.negative_label is None or self.positive_label is None:
            return None
        return self.negative_label, self.positive_label

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
        return {knob.name: getattr(self, knob.name) for knob in fields(self) if knob.metadata["affects"] & set(parts)}

    def differences(self, kept: Mapping[str, Any], *parts: str) -> str:
        """Settings whose values are not those in `kept`, such as ``"epochs=3.0 (was 2.0)"``; empty if there are none.

        Parameters
        ----------
        kept : mapping of str to any
            Settings as an earlier step of the run wrote them down.
        *parts : str
            Compare only what affects these :data:`PARTS`. Default: all settings.
        """
        now = self.affecting(*parts) if parts else asdict(self)
        return ", ".join(
            f"{name}={now[name]!r} (was {kept.get(name)!r})" for name in now if kept.get(name) != now[name]
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, ready for JSON."""
        return asdict(self)


@cache
def _types() -> dict[str, tuple[type, bool, str]]:
    """For each setting its type, whether it may be None, and both as they are written."""
    found = {}
    for name, annotated in get_type_hints(Settings).items():
        (kind,) = {*(get_args(annotated) or (annotated,))} - {NoneType}
        optional = NoneType in get_args(annotated)
        found[name] = kind, optional, f"{kind.__name__} | None" if optional else kind.__name__
    return found


def _check(knob: Field, value: Any) -> None:
    """Raise SettingsError unless `value` fits the type and range of the field `knob`."""
    kind, optional, written = _types()[knob.name]
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise SettingsError(f"{knob.name}={value!r} must be of type {written}: {knob.metadata['meaning']}.")
    if kind is float and not math.isfinite(value):
        raise SettingsError(f"{knob.name}={value!r} must be a finite number.")
    choices = knob.metadata["choices"]
    if choices and value not in choices:
        raise SettingsError(f"{knob.name}={value!r} is not one of {', '.join(choices)}.")
    low, high = knob.metadata["low"], knob.metadata["high"]
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise SettingsError(f"{knob.name}={value!r} is out of range; allowed: {allowed}.")
    if kind is str and not value.strip():
        raise SettingsError(f"{knob.name} must not be empty: {knob.metadata['meaning']}.")


_IMDB = {"source": "imdb", "max_length": 512, "batch_size": 16}
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    "imdb": _IMDB | {"epochs": 4.0, "token_masking": 0.1, "label_smoothing": 0.1, "averaging": 0.99},
    "full": _IMDB
    | {
        "model": "google-bert/bert-base-uncased",
        "model_revision": "86b5e0934494bd15c9632b12f734a8a67f723594",
        "learning_rate": 2e-5,
        "epochs": 3.0,
        "dropout": 0.1,
    },
}


def make_settings(preset: str = "quick", run: str | None = None, **overrides: Any) -> Settings:
    """Settings of a preset, with single ones changed.

    Parameters
    ----------
    preset : {"quick", "imdb", "full"}
    run : str, optional
        Name of the run. Default: the preset's name.
    **overrides
        Any field of :class:`Settings`. Strings are converted to the field's type, so that values may
        come straight from a command line.

    Raises
    ------
    SettingsError
        For an unknown preset or setting, and for a value out of range.

    Examples
    --------
    >>> make_settings("quick", epochs=1).epochs
    1.0
    """
    if preset not in PRESETS:
        raise SettingsError(f"Unknown preset {preset!r}; there are {', '.join(PRESETS)}.")
    known = {knob.name: knob for knob in fields(Settings)}
    values = dict(PRESETS[preset])
    for name, value in overrides.items():
        if name not in known or name == "preset":
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            allowed = ", ".join(sorted(set(known) - {"preset", "run"}))
            raise SettingsError(f"Unknown setting {name!r}.{hint} The settings are: {allowed}.")
        values[name] = _convert(name, value)
    if "model" in overrides and "model_revision" not in overrides:
        values["model_revision"] = None  # the preset's revision belongs to the preset's model
    return Settings(**(values | {"preset": preset, "run": run or preset}))


def _convert(name: str, value: Any) -> Any:
    """Text from a command line as the setting's type; anything else unchanged, but ints where floats go."""
    kind, optional, _ = _types()[name]
    if isinstance(value, str):
        if optional and value.lower() in ("none", ""):
            return None
        if kind is not str:
            try:
                return kind(value)
            except ValueError:
                wanted = "a whole number" if kind is int else "a number"
                raise SettingsError(f"{name}={value!r} is not {wanted}.") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def describe_settings() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, for help texts and tables."""
    return [(k.name, repr(k.default), k.metadata["meaning"]) for k in fields(Settings)]
