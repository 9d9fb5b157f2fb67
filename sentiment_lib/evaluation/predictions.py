"""Labels and probabilities, checked, and what all results about them share. Needs nothing but NumPy."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ArgumentError


@dataclass(frozen=True)
class PlainData:
    """A result that can be stored as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, ready for JSON."""
        return asdict(self)


def logit(probabilities: ArrayLike) -> np.ndarray:
    """Log odds of probabilities, which are kept 1e-12 away from 0 and 1 so that all of them are finite."""
    kept = np.clip(as_numbers(probabilities), 1e-12, 1 - 1e-12)
    return np.log(kept) - np.log1p(-kept)


def as_numbers(probabilities: ArrayLike) -> np.ndarray:
    """Probabilities of positive as an array of float64.

    Raises
    ------
    ArgumentError
        If they are no numbers. For the dicts that a pipeline of transformers returns, the message has the line that
        converts them.
    """
    try:
        return np.asarray(probabilities, dtype=float)
    except (TypeError, ValueError):
        entries = np.asarray(probabilities, dtype=object)
    if not all(isinstance(entry, dict) and {"label", "score"} <= entry.keys() for entry in entries.flat):
        raise ArgumentError(f"probabilities must be numbers, one per text; they begin with {entries.flat[0]!r}.")
    names = sorted({str(entry["label"]) for entry in entries.flat})
    positive = next((name for name in names if name.lower().startswith("pos") or name == "LABEL_1"), "POSITIVE")
    convert = f"[one['score'] if one['label'] == {positive!r} else 1 - one['score'] for one in found]"
    if entries.ndim > 1:  # top_k=None gives all labels of a text
        convert = f"[one['score'] for all_labels in found for one in all_labels if one['label'] == {positive!r}]"
    raise ArgumentError(
        f"probabilities holds the dicts of a pipeline, which begin with {entries.flat[0]}. Each needs to be the "
        f"probability of positive, and a score is that of the label beside it. With found = pipeline(texts), write:\n"
        f"probabilities = {convert}"
    )


def packed(decisions: ArrayLike) -> str:
    """Truth values as hexadecimal text, eight in a byte, for records that hold the answer to every text."""
    return np.packbits(np.asarray(decisions, dtype=bool)).tobytes().hex()


def unpacked(text: str, count: int) -> np.ndarray:
    """What :func:`packed` has packed: 1 for true and 0 for false, float64, shape ``(count,)``."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8))[:count].astype(float)


def check_predictions(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of shape ``(n,)``, int64 and float64, or an ArgumentError that names what is wrong with them."""
    labels, probabilities = np.asarray(labels), as_numbers(probabilities)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ArgumentError(
            f"labels and probabilities must be two lists of the same length; their shapes are {labels.shape} "
            f"and {probabilities.shape}."
        )
    found = sorted(set(labels.tolist()), key=str)
    if set(found) != {0, 1}:
        raise ArgumentError(
            f"labels must be 0 or 1, and both must occur; found {', '.join(map(repr, found[:5])) or 'no labels'}."
        )
    return labels.astype("int64"), check_probabilities(probabilities)


def check_probabilities(probabilities: ArrayLike) -> np.ndarray:
    """Probabilities as :func:`as_numbers` returns them; an ArgumentError names the first that is not in [0, 1]."""
    probabilities = as_numbers(probabilities)
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ArgumentError(f"probabilities must lie in [0, 1]; number {first} is {probabilities[first]}.")
    return probabilities
