"""The cells of lesson 03 that a learner copies into an empty notebook work there: without the workbook's library."""

import json
import subprocess
import sys

import pytest
from support import CHECKOUT, write_reviews

CELLS = json.loads((CHECKOUT / "notebooks" / "03_fine_tune.ipynb").read_text(encoding="utf-8"))["cells"]
BY_HAND = [
    "".join(cell["source"])
    for cell in CELLS
    if cell["id"].startswith(("03-a-", "03-b-")) and cell["cell_type"] == "code" and "course" not in cell["metadata"]
]
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sentiment_lib":
            raise ImportError("sentiment_lib is not to be used here")

sys.meta_path.insert(0, Blocker())
"""


def in_an_empty_notebook(folder, checkpoint, more=""):
    """Run the cells in a new process that cannot import sentiment_lib, after the two lines that a learner writes."""
    reviews = write_reviews(folder)
    reviews.write_text(reviews.read_text().replace(",neg", ",0").replace(",pos", ",1"))
    variables = f"csv_file = {str(reviews)!r}\ncheckpoint = {str(checkpoint)!r}\n"
    script = folder / "notebook.py"
    script.write_text("\n\n".join([BLOCKER, variables, *BY_HAND, more]), encoding="utf-8")
    return subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=600)


def test_there_are_cells_to_copy():
    assert len(BY_HAND) >= 7
    code = "\n".join(BY_HAND)
    assert "sentiment_lib" not in code
    for tool in (
        "AutoTokenizer", "AutoModelForSequenceClassification", "DataCollatorWithPadding", "DataLoader", ".map(",
        "id2label", "Trainer(", "compute_metrics", "pipeline(", "save_pretrained", "model.eval()",
    ):  # fmt: skip
        assert tool in code, tool


@pytest.mark.slow
def test_the_cells_of_a_and_b_run_without_this_library(tmp_path, tiny_checkpoint):
    shown = in_an_empty_notebook(tmp_path, tiny_checkpoint, "print(classify('A fine film.')[0]['label'])")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-1] in ("negative", "positive")
    assert "epoch 1: accuracy" in shown.stdout
    saved = {path.name for path in (tmp_path / "my_model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= saved


@pytest.mark.slow
def test_the_blocker_blocks(tmp_path, tiny_checkpoint):
    shown = in_an_empty_notebook(tmp_path, tiny_checkpoint, "import sentiment_lib.data")
    assert "sentiment_lib is not to be used here" in shown.stderr
