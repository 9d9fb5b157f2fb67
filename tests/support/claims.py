"""Claims: what a lesson or a document says in numbers, each bound to the value that has to bear it out.

The claims of a page stand in `notebooks/claims/<page>.toml`, in tables of three kinds:

[[claim]]   `says` is a piece of the page's prose that occurs once in its cell. `value` is a Python expression over the
            variables of the lesson. Its numbers must be the numerals of `says`, correctly rounded, or at most `within`
            away from them; or it must be `above` or `below` a bound, or `equal` to something. In `says`, 86 % is 0.86
            and 3 points are 0.03. The expression is evaluated when the code cell `after` has run (default: the code
            cell before the prose). In a document, it is an expression over the functions of `support.facts`.
            If a lesson compares, the value is a paired statistic, or `unpaired` says why there is none.
[[cited]]   `says` rests on a source, which is named.
[[fixed]]   `says` holds by definition or by choice: `because` says which. The cell "*" is every cell.

Everywhere else prose has no numerals.
"""

import ast
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support import CHECKOUT

FOLDER = CHECKOUT / "notebooks" / "claims"
NUMERAL = re.compile(r"(?<![\w.,#])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:\s?%|\spoints?\b)?(?![\w]|\.\d)")
# What is no prose: code, pictures, targets of links, and names with numbers in them.
NO_PROSE = re.compile(
    r"""```.*?```|`[^`\n]*`|!\[[^]]*\]\([^)]*\)|\]\([^)]*\)|<[^>]+>
    |\b[Ll]essons?\s\d\d(?:(?:\s(?:to|and|or)|,)\s\d\d)*|\[?\b0\d(?:\s·)?\s[A-Z]\w+|\#\s0\d\s·
    |(?:[Ee]xercises?|[Qq]uestions?|[Hh]int|Solution\sfor)\s\d+(?:\.\w)?(?:\sfor\s\d\d\.\w)?|\(\d\d\.\w\)
    |\b(?:19|20)\d\d\b|\b0\d\b|^\d\.\s|\b[A-Z][A-Za-z]*-\d[\d.]*|\bZen\s\d|\bPython\s3\.\d+""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class ClaimError(AssertionError):
    """A sentence that its value does not bear out."""


@dataclass(frozen=True)
class Claim:
    """A sentence with the value that it rests on."""

    page: str
    cell: str
    says: str
    value: str
    after: str = ""
    within: float | None = None
    above: float | None = None
    below: float | None = None
    equal: Any = None
    unpaired: str = ""

    @property
    def key(self) -> str:
        """What tells this claim from the others of its page."""
        return f"{self.cell}: {self.says}: {self.value}"

    @cached_property
    def stated(self) -> list[float]:
        """The numerals of the sentence."""
        return [number(numeral) for numeral in NUMERAL.findall(self.says)]

    def check(self, found: Any) -> None:
        """Raise ClaimError unless the value that was found bears the sentence out."""
        if problem := self._problem(found):
            raise ClaimError(
                f"{self.page}, cell {self.cell}: {self.says!r} rests on {self.value} = {found!r}. {problem}"
            )

    def _problem(self, found: Any) -> str:
        if self.equal is not None:
            return "" if found == self.equal else f"It should equal {self.equal!r}."
        values = found if isinstance(found, list) else [found]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            return "It should be a finite number."
        if self.above is not None and not all(value > self.above for value in values):
            return f"It should be above {self.above}."
        if self.below is not None and not all(value < self.below for value in values):
            return f"It should be below {self.below}."
        if self.above is not None or self.below is not None:
            return ""
        if len(values) != len(self.stated):
            return f"The sentence has {len(self.stated)} numerals."
        for value, stated, allowed in zip(values, self.stated, self.tolerances, strict=True):
            if abs(value - stated) > allowed * (1 + 1e-9) + 1e-12:
                return f"It should be within {allowed:g} of {stated:g}."
        return ""

    @property
    def tolerances(self) -> list[float]:
        """How far each value may be from its numeral: half a unit of its last digit unless `within` is given."""
        if self.within is not None:
            return [self.within] * len(self.stated)
        return [precision(numeral) / 2 for numeral in NUMERAL.findall(self.says)]

    def moved(self, found: Any) -> Iterator[Any]:
        """Values just outside what the sentence allows, and on the other side of each of its bounds."""
        if self.equal is not None:
            yield _other(self.equal)
            return
        values = found if isinstance(found, list) else [found]
        for i in range(len(values)):
            for other in self._outside(i):
                yield [*values[:i], other, *values[i + 1 :]] if isinstance(found, list) else other

    def _outside(self, i: int) -> Iterator[float]:
        for bound, side in ((self.above, -1), (self.below, 1)):
            if bound is not None:
                yield bound
                yield bound + side * max(1e-6, 0.01 * abs(bound))
        if self.above is None and self.below is None:
            for side in (-1, 1):
                yield self.stated[i] + side * (1.01 * self.tolerances[i] + 1e-9)


@dataclass(frozen=True)
class Page:
    """A lesson or document: its cells of prose, its cells of code, and what is said about its numerals."""

    name: str
    prose: dict[str, str]
    code: dict[str, dict]
    before: dict[str, str]
    claims: list[Claim]
    cited: list[dict]
    fixed: list[dict]

    def unbound(self, measured: str = "") -> list[str]:
        """Each numeral of the prose that is neither bound nor cited nor fixed, with its cell and some context.

        Lines of `measured` need no claim: a program made them of what was measured.
        """
        found, tables = [], set(measured.splitlines())
        for cell, prose in self.prose.items():
            text = "\n".join("" if line in tables else line for line in prose.split("\n"))
            covered = [match.span() for match in NO_PROSE.finditer(text)]
            for says in [c.says for c in self.claims if c.cell == cell] + [
                row["says"] for row in (*self.cited, *self.fixed) if row["cell"] in (cell, "*")
            ]:
                covered += [match.span() for match in re.finditer(_flexible(says), text)]
            for match in NUMERAL.finditer(text):
                if not any(start <= match.start() and match.end() <= end for start, end in covered):
                    context = " ".join(text[max(0, match.start() - 30) : match.end() + 30].split())
                    found.append(f"{self.name} {cell}: {match.group()!r} in {context!r}")
        return found

    def misquoted(self) -> list[str]:
        """Each quotation that does not occur in its cell, or, for a claim, not exactly once."""
        found = []
        for claim in self.claims:
            if len(re.findall(_flexible(claim.says), self.prose.get(claim.cell, ""))) != 1:
                found.append(f"{self.name} {claim.cell}: {claim.says!r}")
        for row in (*self.cited, *self.fixed):
            cells = self.prose.values() if row["cell"] == "*" else [self.prose.get(row["cell"], "")]
            if not any(re.search(_flexible(row["says"]), text) for text in cells):
                found.append(f"{self.name} {row['cell']}: {row['says']!r}")
        return found


def read_page(path: Path) -> Page:
    """A notebook, or a Markdown file whose cells are its sections, with its claims."""
    prose, code, before, last = {}, {}, {}, ""
    if path.suffix == ".ipynb":
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                code[cell["id"]] = cell
                last = cell["id"]
            else:
                before[cell["id"]] = last
                if cell["metadata"].get("course", "").rpartition(" ")[2] not in ("task", "help"):
                    prose[cell["id"]] = "".join(cell["source"]).partition("## Further reading")[0]
    else:
        for section in re.split(r"^(?=#+ )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            heading = section.partition("\n")[0].strip("# ")
            prose[heading] = section
    name = path.relative_to(CHECKOUT).as_posix()
    file = (
        FOLDER
        / f"{path.relative_to(CHECKOUT).with_suffix('').as_posix().replace('/', '_').removeprefix('notebooks_')}.toml"
    )
    rows = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    claims = [Claim(name, **({"after": before.get(row["cell"], "")} | row)) for row in rows.get("claim", [])]
    return Page(name, prose, code, before, claims, rows.get("cited", []), rows.get("fixed", []))


def questions_page() -> Page:
    """The questions of lessons 00 to 03, each as a cell of prose."""
    from sentiment_lib.course.quizzes import questions

    prose = {
        question.name: "\n".join([question.text, *(part for option in question.options for part in option[::2])])
        for lesson in ("00", "01", "02", "03")
        for question in questions(lesson)
    }
    rows = tomllib.loads((FOLDER / "questions.toml").read_text(encoding="utf-8"))
    return Page("questions", prose, {}, {}, [], rows.get("cited", []), rows["fixed"])


def evaluate(claims: list[Claim], run: Callable[[str], Any]) -> tuple[list[Any], list[str]]:
    """The values of claims, and the complaints about those that are not borne out; `run` evaluates an expression."""
    values: list[Any] = []
    complaints = []
    for claim in claims:
        values.append(None)
        try:
            values[-1] = run(claim.value)
            claim.check(values[-1])
        except AssertionError as error:
            complaints.append(str(error))
    return values, complaints


def check_cell(page: Page, cell: str, run: Callable[[str], Any], home: Path) -> None:
    """Check what is claimed of a code cell that has just run, and keep the values under `home`.

    Raises
    ------
    ClaimError
        With every sentence that its value does not bear out.
    """
    claims = [claim for claim in page.claims if claim.after == cell]
    values, complaints = evaluate(claims, run)
    kept = values_of(page, home)
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    known |= {claim.key: value for claim, value in zip(claims, values, strict=True)}
    kept.write_text(json.dumps(known), encoding="utf-8")
    if complaints:
        raise ClaimError("\n".join(complaints))


def values_of(page: Page, home: Path) -> Path:
    """Where the values of a page's claims are kept."""
    return home / "claims" / f"{Path(page.name).stem}.json"


def in_kernel(client: Any) -> Callable[[str], Any]:
    """Evaluate expressions in a kernel without leaving a trace in it, through a blocking client."""

    def run(expression: str) -> Any:
        sent = client.execute("", silent=True, store_history=False, user_expressions=asked(expression))
        while True:
            reply = client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == sent:
                return answered(expression, reply["content"])

    return run


def asked(expression: str) -> dict[str, str]:
    """The user expressions that ask a kernel for a value as JSON."""
    return {"value": f"__import__('json').dumps({expression}, default=lambda x: x.tolist())"}


def answered(expression: str, content: dict) -> Any:
    """The value in a kernel's reply."""
    value = content["user_expressions"]["value"]
    if value["status"] != "ok":
        raise ClaimError(f"{expression} cannot be evaluated: {value.get('ename')}: {value.get('evalue')}")
    return json.loads(ast.literal_eval(value["data"]["text/plain"]))


def number(numeral: str) -> float:
    """The number that a numeral of prose stands for: 1,000 is 1000, 86 % is 0.86, 3 points are 0.03."""
    digits = re.sub(r"[^\d.]", "", numeral)
    sign = -1 if numeral[0] in "−-" else 1
    return sign * float(digits) * (0.01 if re.search(r"%|point", numeral) else 1)


def precision(numeral: str) -> float:
    """One unit of a numeral's last digit."""
    digits = re.sub(r"[^\d.]", "", numeral)
    return 10.0 ** -len(digits.partition(".")[2]) * (0.01 if re.search(r"%|point", numeral) else 1)


def _flexible(says: str) -> str:
    """A pattern for a quotation that may be broken into lines anywhere, also within a block quotation."""
    return r"[\s>]+".join(re.escape(word) for word in says.split())


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else [value, "other"]
