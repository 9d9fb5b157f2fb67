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
    kept = np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1 - 1e-12)
    return np.log(kept) - np.log1p(-kept)


def check_predictions(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of shape ``(n,)``, int64 and float64, or an ArgumentError that names what is wrong with them."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=float)
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
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ArgumentError(f"probabilities must lie in [0, 1]; number {first} is {probabilities[first]}.")
    return labels.astype("int64"), probabilities
