import os

# On a machine with a GPU, the tests check what they check elsewhere; benchmarks/gpu.py checks the GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest
from support import CHECKOUT, architectures, missing, write_reviews

# Files of tests that share something costly, such as the small series. (The groups of xdist 3.8 fail with pytest 9.2.)
TOGETHER = {"test_series.py": "series", "test_report.py": "series", "test_site.py": "series"}
TOGETHER |= {name: name for name in ("test_grading.py", "test_processes.py", "test_hostile.py")}
HEADS = "07_test_the_heads.ipynb"
SHARED_IMDB = CHECKOUT.parent / "shared" / "data" / "imdb"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Run the lessons on one worker, tests that share something costly too, and the others where there is room.

    Lesson 07 computes for longest and needs only lesson 03, so it gets another worker as soon as that one has run.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0].rpartition("/")[2]
            if file.endswith(".ipynb"):
                return HEADS if file == HEADS else "lessons"
            return TOGETHER.get(file, nodeid)

        def _assign_work_unit(self, node):
            if HEADS in self.workqueue:
                lessons = next((work["lessons"] for work in self.assigned_work.values() if "lessons" in work), {})
                trained = all(done for nodeid, done in lessons.items() if "/03_" in nodeid)
                self.workqueue.move_to_end(HEADS, last=not (lessons and trained))
            super()._assign_work_unit(node)

    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Mark the tests that ``make check`` skips, and those that come last in ``make test``."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))  # a cell of a lesson has none
        if {"small_series", "quick_run"} & fixtures:
            item.add_marker(pytest.mark.slow)
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
        if "quick_run" in fixtures or (item.get_closest_marker("browser") and "small_series" not in fixtures):
            item.add_marker(pytest.mark.last)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A separate project folder for one test."""
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A BERT with 2 layers of 2 heads, random weights and the real vocabulary. It trains in seconds."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from sentiment_lib.model.pretrained import bundled_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(bundled_checkpoint()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_checkpoint):
    from sentiment_lib import initialize_model_and_tokenizer

    return initialize_model_and_tokenizer(str(tiny_checkpoint))


@pytest.fixture(
    scope="session",
    params=[
        kind if kind in architectures.SERIES else pytest.param(kind, marks=pytest.mark.slow)
        for kind in architectures.ARCHITECTURES
    ],
)
def each_checkpoint(request, tmp_path_factory):
    """A tiny random classifier of each architecture: its folder. Its classes are called negative and positive."""
    folder = tmp_path_factory.mktemp(request.param)
    return architectures.tiny_checkpoint(request.param, folder, labels=("negative", "positive"))


@pytest.fixture(scope="session")
def bundled():
    from sentiment_lib import initialize_model_and_tokenizer

    return initialize_model_and_tokenizer()


@pytest.fixture(scope="session")
def imdb_folder():
    if os.environ.get("GITHUB_ACTIONS") == "true":
        pytest.skip("the IMDB corpus is not available on GitHub")
    if not (SHARED_IMDB / "train.parquet").is_file():
        missing(f"the IMDB corpus is not at {SHARED_IMDB}")
    return SHARED_IMDB


@pytest.fixture
def review_file(tmp_path):
    """A file of forty short reviews of both labels."""
    return write_reviews(tmp_path)


@pytest.fixture(scope="session")
def quick_run():
    """Paths of the results of the lessons with the preset quick (make test runs the lessons before these tests)."""
    from sentiment_lib.run.paths import RunPaths

    paths = RunPaths("quick")
    if not paths.metrics.is_file() or not paths.model.is_dir():
        missing("the lessons have not been run in this session; make test runs them first")
    return paths


@pytest.fixture(scope="session")
def small_series(tiny_checkpoint, tmp_path_factory):
    """The complete series with a tiny model on a few reviews: its project folder, settings and lessons run."""
    import pandas as pd

    from sentiment_lib.course.series import run_series
    from sentiment_lib.settings import make_settings

    home = tmp_path_factory.mktemp("home – übung 日本")
    reviews = [f"Scene {i} is a {word} piece of film." for i in range(60) for word in ("wonderful", "dreadful")]
    pd.DataFrame({"text": reviews, "label": ["pos", "neg"] * 60}).to_csv(home / "reviews.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTIMENT_LIB_HOME", str(home))
        settings = make_settings(
            run="small",
            source=str(home / "reviews.csv"),
            model=str(tiny_checkpoint),
            epochs=3,
            learning_rate=3e-3,
            batch_size=8,
        )
        done = list(run_series(settings))
    return home, settings, done


@pytest.fixture(scope="module")
def small_run(small_series):
    """Settings and lessons of the small series, with its project folder in the environment."""
    home, settings, done = small_series
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTIMENT_LIB_HOME", str(home))
        yield settings, done
