"""What sentiment_lib.model._trainer relies on in Accelerate, with the release that is installed."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState

from sentiment_lib.model._trainer import _ADDED_BY_ACCELERATE, unprepared_afterwards


def reset():
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture(autouse=True)
def fresh_state():
    reset()
    yield
    reset()


class Seen(torch.nn.Linear):
    """A layer that notes in which precision it computed."""

    def forward(self, states):
        output = super().forward(states)
        self.seen.append(output.dtype)
        return output


def prepared(model):
    return Accelerator(mixed_precision="bf16", cpu=True).prepare_model(model)


def test_these_attributes_are_all_that_it_adds_to_a_model():
    model = torch.nn.Linear(2, 2)
    before = set(vars(model))
    assert prepared(model) is model
    assert set(vars(model)) - before == set(_ADDED_BY_ACCELERATE)


def test_without_them_a_model_computes_as_before_and_can_be_prepared_again():
    model = Seen(2, 2)
    model.seen = []
    before = dict(vars(model))
    for _ in range(2):
        with unprepared_afterwards(model):
            prepared(model)(torch.ones(2))
        assert vars(model) == before
        model(torch.ones(2))
    assert model.seen == [torch.bfloat16, torch.float32] * 2


def test_a_model_with_the_mark_alone_is_not_prepared_again():
    """This is why the mark must be removed; when Accelerate fixes this, `unprepared_afterwards` can be deleted."""
    model = Seen(2, 2)
    model.seen = []
    prepared(model)
    del model.forward, model._original_forward
    prepared(model)(torch.ones(2))
    assert model.seen == [torch.float32]


def test_a_forward_of_the_users_own_stays():
    model = torch.nn.Linear(2, 2)
    mine = model.forward = lambda states: states + 1
    with pytest.raises(KeyError), unprepared_afterwards(model):
        raise KeyError(prepared(model))
    assert model.forward is mine
