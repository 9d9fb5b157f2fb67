"""The site: its pages, questions, search and looks, on disk and on a server."""

import json
import re

import nbformat
import pytest
from support.browser import chromium_page, listen, violations
from support.hostile import HOSTILE, LISTEN
from support.pages import dead_links, links, served

from sentiment_lib.cli import main
from sentiment_lib.course import pages
from sentiment_lib.course.exercises import exercises
from sentiment_lib.course.lesson_page import write_lesson
from sentiment_lib.course.question_bank import QUESTIONS, Question
from sentiment_lib.course.search_index import sections
from sentiment_lib.course.series import lessons
from sentiment_lib.course.site import DOCUMENTS, write_site


@pytest.fixture(scope="module")
def site(small_run, tmp_path_factory):
    """The site of the small run, in the sub-folder of a folder to serve."""
    settings, _ = small_run
    return write_site(settings.paths, tmp_path_factory.mktemp("übung 日本") / "some" / "course").parent


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_all_pages_are_there_and_every_link_leads_somewhere(site):
    names = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    documents = {file for file, _ in DOCUMENTS.values()}
    fixed = {"index.html", "results.html", "model_card.html", "glossary.html", "explorer/index.html"}
    assert names == fixed | documents | {f"{path.stem}.html" for path in lessons()}
    assert dead_links(site) == []
    for path in site.glob("*.html"):
        assert names - {"index.html"} <= {link.partition("#")[0] for link in links(path)}, path.name


def test_links_between_documents_lead_to_pages_and_those_to_other_files_are_text(site):
    text = (site / "teaching.html").read_text()
    assert '<a href="data_card.html">the data card</a>' in text
    assert "five of our examples;" in text
    assert 'href="data_card.html#your-own-reviews"' in (site / "use.html").read_text()


def test_the_first_page_says_what_there_is(site, small_run):
    settings, _ = small_run
    text = (site / "index.html").read_text()
    rows = re.findall(
        r'<li><a href="(\w+)\.html"><b>(\d\d)</b> [^<]+</a> <span>.{20,}</span> <small>\d+ (?:s|min)<', text
    )
    assert [name for name, _ in rows] == [path.stem for path in lessons()]
    assert (
        f"{sum(len(exercises(path.name[:2])) for path in lessons())} exercises that check themselves, {len(QUESTIONS)} questions"
        in text
    )
    row = json.loads(settings.paths.metrics.read_text())["intervals"]["accuracy"]
    assert f"{row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in text


def test_lessons_show_their_pictures_and_questions(site):
    for path in lessons():
        cells = nbformat.read(path, as_version=4).cells
        text = (site / f"{path.stem}.html").read_text()
        pictures = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
        shown = re.findall(r"<img[^>]*>", text)
        assert len(shown) == pictures + 1
        assert all(re.search(r'alt="[^"]{20,}"', image) for image in shown)
        questions = [question for question in QUESTIONS if question.name[:2] == path.name[:2]]
        assert text.count('<section class="question"') == len(questions)
        assert "quiz(" not in text
        assert text.count("<summary>Solution for ") == text.count(">Exercise ")


def test_sizes(site):
    assert size(site) - size(site / "explorer") < 15e6
    assert (site / "search_index.js").stat().st_size < 300e3


def test_reviews_of_other_sources_are_left_out(site):
    assert '"corpus": []' in (site / "explorer" / "index.html").read_text()


def test_the_index_has_neither_solutions_nor_outputs(site):
    found = {heading: text for _, heading, text in sections((site / "02_baselines.html").read_text())}
    task = next(text for heading, text in found.items() if heading.startswith("Exercise 02.1 "))
    assert len(task) > 100
    assert "Hint 1" not in task
    assert "Wrong." not in " ".join(found.values())
    assert not re.search(r"0\.\d{4,} 0\.\d{4,}", " ".join(found.values()))


def test_the_command(small_run, tmp_path, capsys):
    folder = tmp_path / "site"
    assert main(["site", "--name", "small", "--no-model", "--output", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "index.html")
    assert "This site is without it: left out (--no-model)" in (folder / "index.html").read_text()
    assert not (folder / "explorer").exists()
    assert dead_links(folder) == []
    assert main(["site", "--name", "nobody", "--output", str(folder)]) == 1  # and what was there stays
    assert "Run lesson 04 first" in capsys.readouterr().err
    (folder / "search_index.js").unlink()
    assert main(["site", "--name", "small", "--output", str(folder)]) == 2
    assert "holds other files" in capsys.readouterr().err


@pytest.mark.browser
def test_a_question_is_answered_with_the_keyboard(site):
    with chromium_page(offline=True) as page:
        page.goto(f"file://{site / '04_measure.html'}")
        question = page.locator("section.question").first
        assert not question.locator("summary").is_visible()
        question.locator("input").first.focus()
        page.keyboard.press("Enter")
        assert question.get_by_role("status").text_content() == "Choose first."
        (options,) = (question.options for question in QUESTIONS if question.name == "04.a")
        (right,) = (number for number, (_, is_right, _) in enumerate(options) if is_right)
        for chosen, verdict in ((1 - min(right, 1), "Not right yet."), (right, "Right.")):
            question.locator("input").nth(chosen).focus()
            page.keyboard.press("Space")
            page.keyboard.press("Enter")
            said = question.get_by_role("status").text_content()
            assert said.startswith(verdict)
            assert options[chosen][2] in said
        page.goto(f"file://{site / '00_start_here.html'}")
        several = page.locator("section.question[data-multiple]").first
        several.get_by_role("checkbox").nth(1).check()
        several.get_by_role("button", name="Check").click()
        assert "something is missing" in several.get_by_role("status").text_content()


@pytest.mark.browser
def test_without_javascript_answers_and_solutions_unfold(site):
    with chromium_page(offline=True, java_script_enabled=False) as page:
        page.goto(f"file://{site / '01_prepare_data.html'}")
        for text in ("Options and answers", "Solution for"):
            folded = page.locator("details", has_text=text).first
            assert not folded.locator("li, pre").first.is_visible()
            folded.locator("summary").click()
            assert folded.locator("li, pre").first.is_visible()


@pytest.mark.browser
def test_search_leads_to_a_section(site):
    with chromium_page(offline=True) as page:
        _, errors = listen(page)
        page.goto(f"file://{site / '03_fine_tune.html'}")
        page.keyboard.press("/")
        page.keyboard.type("learning ra")
        first = page.locator(".found a").first
        assert first.locator("b").text_content() == "learning rate"  # the glossary's entry
        assert page.locator(".found a", has_text="Choose a learning rate").count() == 1
        page.keyboard.press("ArrowDown")
        assert first.evaluate("link => link === document.activeElement")
        page.keyboard.press("Enter")
        page.wait_for_url("**/glossary.html#learning-rate")
        page.keyboard.press("/")
        page.keyboard.type("xyzzy (")
        page.get_by_text("Nothing found").wait_for()
        page.keyboard.press("Escape")
        assert not page.locator(".found").is_visible()
        page.goto(f"file://{site / 'explorer' / 'index.html'}")
        page.wait_for_selector("[data-shown]")
        page.get_by_role("textbox").first.fill("good")
        page.keyboard.press("/")  # a slash of the text
        assert page.get_by_role("textbox").first.input_value() == "good/"
        page.get_by_role("searchbox").fill("rollout")
        page.locator(".found a").first.click()
        page.wait_for_url("**/glossary.html#rollout")
        assert errors == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("scheme", "width", "files"),
    [("dark", 1400, "*.html"), ("light", 390, "[egir]*.html"), ("light", 390, "04_*.html")],
)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(site, scheme, width, files):
    found = {}
    with chromium_page(offline=True, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 900})
        for path in site.rglob(files):
            page.goto(f"file://{path}")
            if path.parent != site:
                page.wait_for_selector("[data-shown]")
            found[path.name] = violations(page)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[path.name].append("scrolls sideways")
        page.goto(f"file://{site / 'index.html'}")
        page.get_by_role("searchbox").fill("attention")
        page.locator(".found a").first.wait_for()
        found["search"] = violations(page)
    assert not any(found.values()), json.dumps(found, indent=1)


@pytest.mark.browser
@pytest.mark.parametrize("place", ["disk", "server"])
def test_everything_works_from_disk_and_from_a_folder_of_a_server(site, place):
    with served(site.parents[1]) as server, chromium_page() as page:
        root = f"file://{site}" if place == "disk" else f"{server}/some/course"
        requested, errors = listen(page)
        for path in sorted(site.glob("*.html")):
            page.goto(f"{root}/{path.name}")
            page.wait_for_load_state("load")
        page.goto(f"{root}/06_explore_attention.html")
        page.wait_for_selector("[data-drawn]")
        page.get_by_role("searchbox").fill("explorer")
        page.locator(".found a").first.wait_for()
        page.goto(f"{root}/index.html")
        page.get_by_role("link", name="Question the model now").click()
        page.wait_for_selector("[data-shown]")
        page.get_by_role("link", name="Glossary").click()
        page.wait_for_selector("#ablation")
        allowed = ("file:" if place == "disk" else f"{root}/", "data:", "blob:")
        assert [url for url in requested if not url.startswith(allowed)] == []
        assert errors == []


@pytest.mark.browser
def test_print_leaves_the_navigation_out_and_unfolds_the_rest(site):
    with chromium_page(offline=True, color_scheme="dark") as page:
        page.goto(f"file://{site / '01_prepare_data.html'}")
        page.emulate_media(media="print")
        for left_out in ("header", ".menu", ".onward", ".question form"):
            assert not page.locator(left_out).first.is_visible(), left_out
        for shown in ("h1", ".question li", "details pre"):
            assert page.locator(shown).first.is_visible(), shown
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.browser
def test_hostile_texts_stay_texts(tmp_path, monkeypatch):
    """In questions, prose, code, outputs, titles and what is searched."""
    options = tuple((text, number == 1, text) for number, text in enumerate(HOSTILE))
    monkeypatch.setattr("sentiment_lib.course.lesson_page.QUESTIONS", [Question("00.a", HOSTILE[0], options)])
    cell = nbformat.v4.new_code_cell("\n".join(HOSTILE))
    cell.outputs = [nbformat.v4.new_output("stream", text=text) for text in HOSTILE]
    cell.outputs += [nbformat.v4.new_output("execute_result", data={"text/plain": text}) for text in HOSTILE]
    cell.outputs += [nbformat.v4.new_output("error", ename="E", evalue=text, traceback=[text]) for text in HOSTILE]
    picture = {"image/png": "QUJD"}
    cell.outputs.append(
        nbformat.v4.new_output(
            "display_data", data=picture, metadata={"image/png": {"alt": HOSTILE[5], "width": HOSTILE[5]}}
        )
    )
    question = nbformat.v4.new_markdown_cell("asked", metadata={"course": "00.a question"})
    notebook = nbformat.v4.new_notebook(cells=[question, cell])
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    folder = tmp_path / "site"
    folder.mkdir()
    book = pages.Book(folder, HOSTILE[0], {HOSTILE[1]: [("lesson.html", HOSTILE[2]), ("words.html", HOSTILE[3])]})
    write_lesson(book, tmp_path / "lesson.ipynb", {})
    book.write("words.html", "document", content=pages.reader()("# wicked\n\n" + "\n\n".join(HOSTILE)))
    book.finish()
    with chromium_page(offline=True) as page:
        page.add_init_script(LISTEN)
        for file in ("words.html", "lesson.html"):
            page.goto(f"file://{folder / file}")
            page.get_by_role("searchbox").fill("onerror")
            page.locator(".found a mark").first.wait_for()
            for button in page.get_by_role("button", name="Check").all():
                for box in page.locator(".question input").all():
                    box.check()
                button.click()
            page.wait_for_timeout(700)
            assert page.evaluate("window.ran") == []
        assert HOSTILE[-1] in page.locator(".question").first.text_content()
