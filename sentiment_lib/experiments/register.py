"""What is predicted is written down before it is tested, and what came out stays beside it (lessons 07 and 08).

A run keeps its register in ``results/<run>/register.json``: each entry is a plan with its hash and date, and later its
outcome with every deviation from the plan. Entries are not removed, refuted ones included.

References
----------
Nosek, Ebersole, DeHaven and Mellor, The preregistration revolution, PNAS 2018.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from datasets import Dataset

from ..data.preparation import sealed_reviews
from ..errors import ArgumentError, DataError, check_choice
from ..run.files import plain, write_json
from ..settings import Settings

VERDICTS = ("confirmed", "refuted", "not decided")


class Register:
    """The plans of a run and their outcomes; `settings` are those of the run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.path = settings.paths.results / "register.json"

    def entries(self) -> dict[str, dict[str, Any]]:
        """All entries by name: ``plan``, ``sha256``, ``sealed`` (a date), and ``outcomes``, the latest last.

        A plan that was changed after it was sealed is a DataError.
        """
        if not self.path.is_file():
            return {}
        entries = json.loads(self.path.read_text(encoding="utf-8"))
        for name, entry in entries.items():
            if fingerprint_of(entry["plan"]) != entry["sha256"]:
                raise DataError(
                    f"The plan {name!r} in {self.path} was changed after it was sealed on {entry['sealed'][:10]}. "
                    "Undo the change, or seal the changed plan under another name."
                )
        return entries

    def seal(self, name: str, **plan: Any) -> str:
        """Write a plan down: its hash and the date are kept with it.

        Sealing the same plan again changes nothing.

        Parameters
        ----------
        name : str
        **plan
            What is to be done and what is predicted, such as ``prediction``, ``decision``, ``seeds``: values that JSON
            can hold.

        Returns
        -------
        str
            The SHA-256 of the plan.

        Raises
        ------
        ArgumentError
            If another plan is sealed under this name, or the plan is empty.
        """
        if not plan:
            raise ArgumentError(f"The plan {name!r} is empty. Say at least what is predicted: prediction='...'.")
        entries, plan = self.entries(), plain(plan)
        known = entries.get(name)
        if known is not None and known["plan"] != plan:
            changed = [key for key in known["plan"] | plan if known["plan"].get(key) != plan.get(key)]
            raise ArgumentError(
                f"Another plan is sealed as {name!r} since {known['sealed'][:10]}; it differs in {', '.join(changed)}. "
                "Give the new plan another name: a plan is not changed after the fact."
            )
        if known is None:
            entries[name] = {"plan": plan, "sha256": fingerprint_of(plan), "sealed": _now(), "outcomes": []}
            write_json(self.path, entries)
        return entries[name]["sha256"]

    def open_sealed(self, name: str) -> Dataset:
        """The sealed reviews of the run, for the test that a sealed plan describes.

        If no plan is sealed under this name, it is an ArgumentError; if no reviews were sealed, or the plan was
        changed, a DataError.
        """
        if name not in self.entries():
            known = ", ".join(map(repr, self.entries())) or "none"
            raise ArgumentError(f"No plan is sealed as {name!r} (sealed: {known}). Seal one before you look.")
        reviews = sealed_reviews(self._settings)
        entries = self.entries()  # again, because preparing the reviews takes seconds
        entries[name].setdefault("opened", _now())
        write_json(self.path, entries)
        return reviews

    def close(self, name: str, verdict: str, outcome: Mapping[str, Any], done: Mapping[str, Any] | None = None) -> None:
        """Put an outcome beside its plan.

        Parameters
        ----------
        verdict : {"confirmed", "refuted", "not decided"}
        outcome : mapping
            The numbers on which the verdict rests.
        done : mapping, optional
            What was done, under the names of the plan. Each value that differs from the plan's is kept as a deviation.

        Raises
        ------
        ArgumentError
            For an unknown name or verdict, or for something that was done but not planned.
        """
        entries = self.entries()
        if name not in entries:
            raise ArgumentError(f"No plan is sealed as {name!r}; an outcome needs a plan that came before it.")
        check_choice("verdict", verdict, VERDICTS)
        plan, did = entries[name]["plan"], plain(dict(done or {}))
        if unplanned := did.keys() - plan.keys():
            raise ArgumentError(f"{sorted(unplanned)[0]!r} is not in the plan {name!r}, which has {', '.join(plan)}.")
        deviations = {key: {"planned": plan[key], "done": value} for key, value in did.items() if plan[key] != value}
        found = {"closed": _now(), "verdict": verdict, "outcome": plain(dict(outcome)), "deviations": deviations}
        entries[name]["outcomes"].append(found)
        write_json(self.path, entries)

    def table(self) -> pd.DataFrame:
        """One row per plan: ``sealed``, ``prediction``, ``verdict``, ``deviations`` and ``sha256`` (its beginning)."""
        rows = {}
        for name, entry in self.entries().items():
            last = entry["outcomes"][-1] if entry["outcomes"] else {}
            rows[name] = {
                "sealed": entry["sealed"][:10],
                "prediction": entry["plan"].get("prediction", ""),
                "verdict": last.get("verdict", "open"),
                "deviations": ", ".join(last.get("deviations", {})) or "none",
                "sha256": entry["sha256"][:12],
            }
        columns = ["sealed", "prediction", "verdict", "deviations", "sha256"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def fingerprint_of(plan: Mapping[str, Any]) -> str:
    """The SHA-256 of a plan, which does not depend on the order of its parts."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
