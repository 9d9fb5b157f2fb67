"""What lessons and documents say in numbers is bound to what was measured, and cannot part from it unnoticed."""

import ast
import json
import re

import nbformat
import pytest
from support import CHECKOUT, facts, missing
from support.claims import Claim, ClaimError, Page, number, questions_page, read_page, values_of

from sentiment_lib.course.series import lessons

LESSONS = [*(path.stem for path in lessons()), "glossary"]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    *(path.relative_to(CHECKOUT).as_posix() for path in sorted((CHECKOUT / "docs").glob("*.md"))),
]
PAGES = {name: read_page(CHECKOUT / "notebooks" / f"{name}.ipynb") for name in LESSONS}
DOCUMENT_PAGES = {name: read_page(CHECKOUT / name) for name in DOCUMENTS}
QUESTIONS = questions_page()
CLAIMS = [claim for page in PAGES.values() for claim in page.claims]
FACTS = [claim for page in DOCUMENT_PAGES.values() for claim in page.claims]
ALL_PAGES = PAGES | DOCUMENT_PAGES | {"questions": QUESTIONS}
every_page = pytest.mark.parametrize("name", ALL_PAGES)
every_lesson = pytest.mark.parametrize("name", PAGES)
every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=[claim.key[:60] for claim in CLAIMS])
every_fact = pytest.mark.parametrize("claim", FACTS, ids=[f"{claim.page} {claim.key[:60]}" for claim in FACTS])


@every_page
def test_no_numeral_of_the_prose_is_unbound(name):
    assert ALL_PAGES[name].unbound(facts.text("benchmarks/RESULTS.md")) == []


@every_page
def test_what_is_bound_or_cited_is_in_the_prose_once(name):
    assert ALL_PAGES[name].misquoted() == []


@every_fact
def test_a_document_says_what_the_records_hold_and_nothing_else(claim):
    """Each value bears its sentence out, and stops doing so just outside of what the sentence allows."""
    found = facts.evaluate(claim.value)
    claim.check(found)
    assert is_bound(claim)
    for other in claim.moved(found):
        with pytest.raises(ClaimError, match="It should"):
            claim.check(other)


@every_lesson
def test_each_cell_whose_output_nobody_compares_has_a_claim(name):
    page, tested = PAGES[name], {claim.after for claim in PAGES[name].claims}
    ignored = {
        cell: code
        for cell, code in page.code.items()
        if "nbval-ignore-output" in code["metadata"].get("tags", []) and "course" not in code["metadata"]
    }
    assert set(ignored) - tested == set()


@every_claim
def test_a_claim_can_fail(claim):
    assert claim.after in PAGES[claim.page.removeprefix("notebooks/").removesuffix(".ipynb")].code
    assert is_bound(claim)


def is_bound(claim):
    """It rests on something, states something, and is not so tolerant that it says nothing."""
    rests = any(isinstance(node, ast.Name) for node in ast.walk(ast.parse(claim.value)))
    bounded = claim.above is not None or claim.below is not None or claim.equal is not None
    strict = claim.within is None or all(claim.within <= 0.5 * max(abs(stated), 0.01) for stated in claim.stated)
    return rests and (bounded or bool(claim.stated)) and strict


COMPARES = re.compile(
    r"\b(better|worse|beats?|wins?|loses?|lost|ahead|behind|more|less|fewer|higher|lower|larger|smaller|faster|slower|"
    r"falls? short|gains?|differ)\b",
    re.IGNORECASE,
)
PAIRED = re.compile(r"compar|gap|paired|differ|gain|mcnemar|ttest_rel|outcome|ablated|verdict|p_holm|crossed|steps\[")


@every_claim
def test_what_is_compared_is_compared_in_pairs(claim):
    """The value of a comparison comes from a paired statistic, or the claim says why it does not."""
    if COMPARES.search(claim.says):
        assert bool(PAIRED.search(claim.value)) != bool(claim.unpaired), claim.key
    else:
        assert not claim.unpaired


@pytest.mark.slow
@pytest.mark.last
@every_claim
def test_a_result_outside_of_what_a_claim_allows_fails(claim, request):
    """Each value that the lessons gave is moved to just outside its tolerance, and to the wrong side of its bound."""
    path = values_of(PAGES[claim.page.removeprefix("notebooks/").removesuffix(".ipynb")], request.config.test_home)
    if not path.is_file():
        missing("the lessons have not been run in this session; make test runs them first")
    found = json.loads(path.read_text(encoding="utf-8"))[claim.key]
    claim.check(found)
    moved = list(claim.moved(found))
    assert moved
    for other in moved:
        with pytest.raises(ClaimError, match="It should"):
            claim.check(other)


def test_a_line_of_what_was_measured_is_bound():
    text = "| BERT | 0.86 |\n| probe | 0.79 |"
    assert len(page(text).unbound("| BERT | 0.86 |\n")) == 1


def page(text, **rows):
    return Page("page", {"a": text}, {}, {}, rows.get("claims", []), rows.get("cited", []), rows.get("fixed", []))


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 0.86 on validation.",
        "It wins by 3 points.",
        "A share of 86 % is right.",
        "They differ by −0.02.",
        "Of 7,608 reviews, all are read.",
    ],
)
def test_the_scanner_finds_a_numeral(text):
    assert len(page(text).unbound()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Lesson 04 tests it, and lessons 06 to 08 go on. See exercise 03.5 and question 02.a.",
        "Set `epochs=3` in a cell of BERT-L6 with bfloat16 and F1.",
        "```\nx = 1\n```",
        "Hutto and Gilbert, ICWSM 2014.",
        "![12 heads](images/12.svg) [the lesson](03_fine_tune.ipynb#cell-id=03-1)",
        "# 03 · Fine-tune",
    ],
)
def test_the_scanner_leaves_names_and_code_alone(text):
    assert page(text).unbound() == []


def test_a_bound_cited_or_fixed_numeral_is_covered_also_across_lines():
    text = "It reaches 0.86\nhere, others 0.91 (Smith), of 1."
    claims = [Claim("page", "a", "reaches 0.86 here", "accuracy", "c")]
    rows = {"claims": claims, "cited": [{"cell": "a", "says": "0.91"}], "fixed": [{"cell": "*", "says": "of 1"}]}
    assert page(text, **rows).unbound() == []
    assert page(text, **rows).misquoted() == []
    assert len(page(text.replace("0.86", "0.87"), **rows).unbound()) == 1
    assert len(page(text.replace("0.86", "0.87"), **rows).misquoted()) == 1
    assert page(f"{text} It reaches 0.86 here.", **rows).misquoted() == ["page a: 'reaches 0.86 here'"]


@pytest.mark.parametrize(
    ("says", "options", "good", "bad"),
    [
        ("accuracy 0.86", {}, [0.856, 0.8649], [0.854, 0.866, None, float("nan"), "0.86"]),
        ("86 %", {}, [0.8551], [0.8549, 86]),
        ("from 0.38 to 0.18", {"within": 0.05}, [[0.4, 0.2]], [[0.44, 0.18], [0.38], 0.38]),
        ("ahead", {"above": 0}, [0.1, [0.1, 0.2]], [0, -0.1, [0.1, -0.1]]),
        ("none is needed", {"below": 0.05}, [0.01], [0.05, 0.2]),
        ("all 7,608 reviews", {}, [7608], [7609]),
        ("the first is dull", {"equal": "dull"}, ["dull"], ["fine", None]),
        ("−3 points", {"within": 0.01}, [-0.035], [0.03]),
    ],
)
def test_a_claim_accepts_what_bears_it_out_and_nothing_else(says, options, good, bad):
    claim = Claim("page", "a", says, "x", "c", **options)
    for found in good:
        claim.check(found)
        for other in claim.moved(found):
            with pytest.raises(ClaimError):
                claim.check(other)
    for found in bad:
        with pytest.raises(ClaimError, match=r"page, cell a: .* rests on x ="):
            claim.check(found)


@pytest.mark.parametrize(("numeral", "value"), [("7,608", 7608), ("−0.5", -0.5), ("86 %", 0.86), ("3 points", 0.03)])
def test_numerals_have_the_values_that_readers_give_them(numeral, value):
    assert number(numeral) == pytest.approx(value)


@pytest.mark.slow
@pytest.mark.parametrize("shown", [2, 3])
def test_a_lesson_is_written_only_if_its_prose_agrees_with_what_it_shows(shown, monkeypatch, tmp_path):
    from support import claims
    from support.execute import execute

    monkeypatch.setattr(claims, "FOLDER", tmp_path)
    monkeypatch.setattr(claims, "CHECKOUT", tmp_path)
    (tmp_path / "lesson.toml").write_text('[[claim]]\ncell = "text"\nsays = "It is 3"\nvalue = "x"\nafter = "code"\n')
    code = nbformat.v4.new_code_cell(f"x = {shown}\nx", id="code")
    path = tmp_path / "lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[code, nbformat.v4.new_markdown_cell("It is 3.", id="text")]), path)
    before = path.read_bytes()
    complaints = execute(path)
    if shown == 3:
        assert complaints == []
        assert nbformat.read(path, as_version=4).cells[0].outputs[0]["data"]["text/plain"] == "3"
    else:
        assert "cell text: 'It is 3' rests on x = 2" in complaints[0]
        assert path.read_bytes() == before
