"""What sentiment_lib.data._huggingface_hub relies on, with the huggingface_hub that is installed."""

import pytest
from huggingface_hub import constants, get_session, set_client_factory
from huggingface_hub.utils._http import default_client_factory
from huggingface_hub.utils._runtime import is_xet_available

from sentiment_lib.data._huggingface_hub import httpx, without_xet, wrapped_clients


@pytest.fixture(autouse=True)
def default_factory():
    set_client_factory(default_client_factory)
    yield
    set_client_factory(default_client_factory)


def test_it_is_the_http_library_of_huggingface_hub():
    assert isinstance(get_session(), httpx.Client)


def test_clients_are_wrapped_in_the_block_only():
    before, wrapped = get_session(), []

    def wrap(client):
        wrapped.append(client)
        return httpx.Client()

    with wrapped_clients(wrap):
        session = get_session()
        assert get_session() is session
        assert len(wrapped) == 1
        assert wrapped[0] not in (before, session)
        assert (
            wrapped[0].event_hooks["request"] == before.event_hooks["request"]
        )  # made as huggingface_hub makes its own
    assert before.is_closed
    assert session.is_closed
    after = get_session()
    assert len(wrapped) == 1
    assert after.event_hooks["request"] == before.event_hooks["request"]


def test_the_factory_of_the_user_is_used_and_set_again():
    mine = []

    def factory():
        mine.append(httpx.Client(headers={"x-mine": "1"}))
        return mine[-1]

    set_client_factory(factory)
    with wrapped_clients(lambda client: client):
        assert get_session() is mine[0]
    assert get_session() is mine[1]


def test_hf_xet_is_switched_off_in_the_block_only(monkeypatch):
    pytest.importorskip("hf_xet")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    with without_xet():
        assert not is_xet_available()
    assert is_xet_available()
