import json

import pytest
from support import write_reviews

from sentiment_lib.errors import ArgumentError, DataError
from sentiment_lib.experiments import Register
from sentiment_lib.settings import make_settings

PLAN = {"prediction": "fewer failures", "seeds": [0, 1, 2], "smallest": 0.05}


@pytest.fixture
def register(tmp_path, monkeypatch):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    return Register(make_settings("quick", run="planned", source=str(write_reviews(tmp_path)), sealed_size=0.3))


def test_a_plan_is_kept_with_its_hash_and_date(register):
    digest = register.seal("repair", **PLAN)
    (entry,) = register.entries().values()
    assert entry["plan"] == PLAN
    assert entry["sha256"] == digest
    assert entry["sealed"][:2] == "20"
    assert register.seal("repair", **dict(reversed(PLAN.items()))) == digest
    assert register.entries()["repair"]["sealed"] == entry["sealed"]


def test_a_plan_cannot_be_changed_afterwards(register):
    register.seal("repair", **PLAN)
    with pytest.raises(ArgumentError, match=r"Another plan is sealed as 'repair' .* differs in seeds\."):
        register.seal("repair", **PLAN | {"seeds": [0]})
    entries = json.loads(register.path.read_text())
    entries["repair"]["plan"]["smallest"] = 0.01
    register.path.write_text(json.dumps(entries))
    with pytest.raises(DataError, match=r"'repair' .* was changed after it was sealed"):
        register.entries()


def test_sealed_reviews_open_only_against_a_plan(register):
    with pytest.raises(ArgumentError, match="No plan is sealed as 'repair'"):
        register.open_sealed("repair")
    register.seal("repair", **PLAN)
    reviews = register.open_sealed("repair")
    assert len(reviews) > 0
    opened = register.entries()["repair"]["opened"]
    register.open_sealed("repair")
    assert register.entries()["repair"]["opened"] == opened


def test_without_sealed_reviews_nothing_opens(tmp_path, monkeypatch):
    monkeypatch.setenv("SENTIMENT_LIB_HOME", str(tmp_path))
    register = Register(make_settings("quick", run="planned", source=str(write_reviews(tmp_path))))
    register.seal("repair", **PLAN)
    with pytest.raises(DataError, match="sealed_size=0"):
        register.open_sealed("repair")
    assert "opened" not in register.entries()["repair"]


def test_outcomes_stay_and_every_deviation_is_kept(register):
    register.seal("repair", **PLAN)
    register.seal("heads", prediction="head 4.3")
    register.close("repair", "not decided", {"difference": 0.01}, {"seeds": [0, 1], "smallest": 0.05})
    register.close("repair", "refuted", {"difference": -0.2}, PLAN)
    first, second = register.entries()["repair"]["outcomes"]
    assert first["deviations"] == {"seeds": {"planned": [0, 1, 2], "done": [0, 1]}}
    assert second["verdict"] == "refuted"
    assert second["deviations"] == {}
    table = register.table()
    assert table["verdict"].to_dict() == {"repair": "refuted", "heads": "open"}
    assert table.loc["repair", "prediction"] == "fewer failures"


@pytest.mark.parametrize(
    ("close", "message"),
    [
        (("other", "refuted", {}), "No plan is sealed as 'other'"),
        (("repair", "true", {}), "verdict='true' is not one of"),
        (("repair", "refuted", {}, {"arms": 2}), "'arms' is not in the plan"),
    ],
)
def test_what_does_not_fit_the_plan_is_an_error(register, close, message):
    register.seal("repair", **PLAN)
    with pytest.raises(ArgumentError, match=message):
        register.close(*close)
    assert register.entries()["repair"]["outcomes"] == []


def test_an_empty_plan_is_an_error(register):
    with pytest.raises(ArgumentError, match="is empty"):
        register.seal("repair")
