import json
import os
import subprocess
import sys

import numpy as np
import pytest

import sentiment_lib
from sentiment_lib.errors import SettingsError
from sentiment_lib.evaluation.uncertainty import Interval
from sentiment_lib.run.files import write_json
from sentiment_lib.run.paths import home, short_path
from sentiment_lib.settings import PRESETS, Settings, make_settings


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_name_their_run(preset):
    settings = make_settings(preset)
    assert (settings.preset, settings.run) == (preset, preset)


def test_the_presets_are_those_of_the_readme():
    assert make_settings("quick").source == "snippets"
    assert (make_settings("imdb").source, make_settings("imdb").model) == ("imdb", "bundled")
    assert (make_settings("full").model, make_settings("full").max_length) == ("google-bert/bert-base-uncased", 512)


def test_single_settings_override_a_preset_and_text_is_converted():
    settings = make_settings("imdb", run="mine", epochs="3", train_size="4000", truncation="tail")
    assert (settings.epochs, settings.train_size, settings.truncation, settings.run) == (3.0, 4000, "tail", "mine")
    assert make_settings(train_size="none").train_size is None


def test_another_model_does_not_keep_the_revision_of_the_presets_model():
    assert make_settings("full").model_revision
    assert make_settings("full", model="someone/else").model_revision is None
    assert make_settings("full", model="someone/else", model_revision="v2").model_revision == "v2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "fast"}, "Unknown preset 'fast'; there are quick, imdb, full."),
        ({"epoch": 3}, "Unknown setting 'epoch'. Did you mean 'epochs'? The settings are: attention, batch_size,"),
        ({"epochs": -1}, "epochs=-1.0 is out of range; allowed: from 0.001 to 1000."),
        ({"train_size": 1}, "train_size=1 is out of range; allowed: at least 2."),
        ({"truncation": "middle"}, "truncation='middle' is not one of head, tail, head+tail."),
        ({"train_size": "many"}, "train_size='many' is not a whole number."),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be a finite number."),
        ({"batch_size": 3.5}, "batch_size=3.5 must be of type int: reviews in one optimiser step."),
        ({"seed": True}, "seed=True must be of type int"),
        ({"run": "../elsewhere"}, "run='../elsewhere' cannot name a folder"),
        ({"source": " "}, "source must not be empty"),
        ({"negative_label": "bad"}, "Give negative_label and positive_label together"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(changes, message):
    with pytest.raises(SettingsError) as caught:
        make_settings(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['{"epochs": 1, "train_size": null}', "{'epochs': 1, 'train_size': None}", '{"epochs": "1"}', " {'epochs': 1}"],
)
def test_overrides_may_be_text_as_papermill_passes_them(text):
    assert (
        make_settings("quick", None, text) == make_settings("quick", overrides={"epochs": 1}) == make_settings(epochs=1)
    )


@pytest.mark.parametrize("overrides", ["epochs=1", "[1]", "{1: 2}", '{"epochs": 1', ["epochs"], "nan", "(" * 500])
def test_overrides_that_are_no_dict_are_refused_with_what_to_write(overrides):
    with pytest.raises(SettingsError) as caught:
        make_settings("quick", "mine", overrides)
    assert str(caught.value).endswith("""write -p overrides '{"epochs": 1}' or -y 'overrides: {epochs: 1}'.""")
    with pytest.raises(SettingsError, match="Did you mean 'epochs'"):
        make_settings("quick", "mine", '{"epoch": 1}')


def test_settings_of_an_older_version_are_read_without_those_that_are_gone():
    kept = make_settings("imdb", run="old", epochs=7).to_dict()
    older = {name: value for name, value in kept.items() if name != "first_length"} | {"averaging": 0.99}
    assert Settings.from_dict(kept) == make_settings("imdb", run="old", epochs=7)
    assert Settings.from_dict(older) == make_settings("imdb", run="old", epochs=7, first_length=None)


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings().epochs = 5


def test_paths_do_not_depend_on_the_current_folder(home, tmp_path, monkeypatch):
    before = make_settings(run="mine").paths.metrics
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert make_settings(run="mine").paths.metrics == before == tmp_path / "results" / "mine" / "metrics.json"
    assert make_settings(run="mine").paths.figures == tmp_path / "figures" / "mine"
    assert short_path(before) == "results/mine/metrics.json"


def test_without_a_variable_home_is_the_checkout(monkeypatch):
    monkeypatch.delenv("SENTIMENT_LIB_HOME")
    assert (home() / "pyproject.toml").is_file()


def test_what_is_missing_names_the_lesson_that_makes_it(home):
    paths = make_settings(run="mine").paths
    with pytest.raises(FileNotFoundError, match=r"results/mine/model is not there yet\. Run lesson 03 first"):
        paths.require(paths.model, "03")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = write_json(tmp_path / "new" / "a.json", {"x": 1})
    before = path.read_text()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": float("nan")})
    assert path.read_text() == before


def test_dataclasses_and_numpys_numbers_are_written_as_plain_data(tmp_path):
    data = {"a": [Interval(0.5, 0.4, 0.6)], "b": np.float64(0.25), "c": (np.arange(2), np.int64(3)), "d": None}
    path = write_json(tmp_path / "a.json", data)
    assert json.loads(path.read_text()) == {
        "a": [{"estimate": 0.5, "low": 0.4, "high": 0.6}],
        "b": 0.25,
        "c": [[0, 1], 3],
        "d": None,
    }


def test_importing_the_package_loads_no_heavy_package():
    code = (
        "import sys, sentiment_lib, sentiment_lib.__main__\n"
        "print([m for m in ('torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    for name in sentiment_lib.__all__:
        assert getattr(sentiment_lib, name) is not None
    with pytest.raises(AttributeError, match=r"attribute '?nonsense"):
        _ = sentiment_lib.nonsense
