"""Every knob of a run."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import SettingsError
from .run.paths import RunPaths

TRUNCATIONS = ("head", "tail", "head+tail")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "bfloat16", "float32")
ATTENTION_KERNELS = ("auto", "lean", "eager", "sdpa")
BEST_BY = ("accuracy", "loss")


def _knob(default: Any, meaning: str, *, low: Any = None, high: Any = None, choices=None) -> Any:
    return field(
        default=default,
        metadata={"meaning": meaning, "low": low, "high": high, "choices": choices},
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
    source: str = _knob("snippets", "snippets, imdb, or the path of your own file or folder")
    text_column: str = _knob("text", "column of a local file that holds the review")
    label_column: str = _knob("label", "column of a local file that holds the label")
    negative_label: str | None = _knob(None, "what your file calls a negative review, e.g. 'bad'")
    positive_label: str | None = _knob(None, "what your file calls a positive review, e.g. 'good'")
    model: str = _knob("bundled", "bundled, a local folder, or a name on the hub")
    model_revision: str | None = _knob(None, "commit or tag of a hub model; None: the newest")
    split_seed: int = _knob(0, "seed of the splits and of train_size", low=0, high=2**32 - 1)
    seed: int = _knob(0, "seed of new weights and of the training order", low=0, high=2**32 - 1)
    train_size: int | None = _knob(None, "number of training reviews; None: all", low=2)
    validation_size: float = _knob(0.1, "share of the training reviews", low=0.001, high=0.9)
    test_size: float = _knob(0.2, "share of a file that has no test split", low=0.001, high=0.9)
    max_length: int = _knob(64, "longest input in tokens, [CLS] and [SEP] included", low=8, high=8192)
    truncation: str = _knob("head+tail", "what is kept of a longer review", choices=TRUNCATIONS)
    head_share: float = _knob(0.25, "share of the tokens that head+tail takes from the head", low=0, high=1)
    epochs: float = _knob(2.0, "passes through the training reviews", low=0.001, high=1000)
    learning_rate: float = _knob(1e-4, "peak learning rate of AdamW", low=1e-8, high=1.0)
    batch_size: int = _knob(32, "reviews in one optimiser step", low=1, high=4096)
    weight_decay: float = _knob(0.01, "weight decay of AdamW", low=0, high=1)
    warmup: float = _knob(0.1, "share of the steps over which the learning rate rises", low=0, high=0.99)
    dropout: float = _knob(0.0, "dropout of hidden states and attention", low=0, high=0.9)
    token_masking: float = _knob(0.0, "share of a training review's tokens that are hidden as [MASK]", low=0, high=0.9)
    label_smoothing: float = _knob(0.0, "share of each training label that is spread over both", low=0, high=0.9)
    averaging: float = _knob(
        0.0, "decay of a moving average of the weights, such as 0.99; 0: none", low=0, high=0.99999
    )
    trained_layers: int | None = _knob(
        None, "encoder layers that are trained, counted from the top; 0: the head only; None: everything", low=0
    )
    best_by: str = _knob("accuracy", "validation measure that picks the checkpoint", choices=BEST_BY)
    early_stopping: int = _knob(0, "epochs without progress before training stops; 0: off", low=0, high=1000)
    device: str = _knob("auto", "where the model runs", choices=DEVICES)
    precision: str = _knob("auto", "arithmetic of training and prediction", choices=PRECISIONS)
    attention: str = _knob("auto", "attention kernel of training", choices=ATTENTION_KERNELS)

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

        if self.label_names and len({name.strip().lower() for name in self.label_names}) < 2:
            raise SettingsError(
                f"negative_label={self.negative_label!r} and positive_label={self.positive_label!r}: both labels are "
                f"called {self.negative_label.strip().lower()!r}."
            )

    @property
    def label_names(self) -> tuple[str, str] | None:
        """The labels of the user's own file as ``(negative, positive)``, or None for the usual names."""
        if self.negative_label is None:
            return None
        return self.negative_label, self.positive_label

    @property
    def encoding(self) -> dict[str, Any]:
        """How a text becomes tokens: the last arguments of :func:`sentiment_lib.data.encode`."""
        return {"max_length": self.max_length, "truncation": self.truncation, "head_share": self.head_share}

    @property
    def paths(self) -> RunPaths:
        """Where this run's files are."""
        return RunPaths(self.run)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, ready for JSON."""
        return asdict(self)


def _check(knob: Any, value: Any) -> None:
    """Raise SettingsError unless `value` fits the type and range of the field `knob`."""
    optional = knob.type.endswith("| None")
    wanted = knob.type.removesuffix(" | None")
    if value is None and optional:
        return
    types = {"str": str, "int": int, "float": (int, float)}[wanted]
    if isinstance(value, bool) or not isinstance(value, types):
        raise SettingsError(f"{knob.name}={value!r} must be of type {knob.type}: {knob.metadata['meaning']}.")
    if wanted == "float" and not math.isfinite(value):
        raise SettingsError(f"{knob.name}={value!r} must be a finite number.")
    choices = knob.metadata["choices"]
    if choices and value not in choices:
        raise SettingsError(f"{knob.name}={value!r} is not one of {', '.join(choices)}.")
    low, high = knob.metadata["low"], knob.metadata["high"]
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise SettingsError(f"{knob.name}={value!r} is out of range; allowed: {allowed}.")
    if wanted == "str" and not value.strip():
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
        values[name] = _convert(known[name], value)
    if "model" in overrides and "model_revision" not in overrides:
        values["model_revision"] = None  # the preset's revision belongs to the preset's model
    return Settings(**(values | {"preset": preset, "run": run or preset}))


def _convert(knob: Any, value: Any) -> Any:
    """Text from a command line as the field's type; anything else unchanged, but ints where floats go."""
    wanted = knob.type.removesuffix(" | None")
    if isinstance(value, str):
        if knob.type.endswith("| None") and value.lower() in ("none", ""):
            return None
        if wanted in ("int", "float"):
            try:
                return int(value) if wanted == "int" else float(value)
            except ValueError:
                kind = "a whole number" if wanted == "int" else "a number"
                raise SettingsError(f"{knob.name}={value!r} is not {kind}.") from None
    if wanted == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def describe_settings() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, for help texts and tables."""
    return [(k.name, repr(k.default), k.metadata["meaning"]) for k in fields(Settings)]
