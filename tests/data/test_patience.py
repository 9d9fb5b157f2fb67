"""The transport alone, with a fake clock and server; tests/data/test_hub.py tests it as part of the hub client."""

from contextlib import suppress
from threading import Thread

import pytest

from sentiment_lib.data import patience as module
from sentiment_lib.data._huggingface_hub import httpx
from sentiment_lib.data.patience import GaveUp, Patience, patient_client


class Server:
    """Answers from a list, repeating the last one; `seen` has the requests."""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def __call__(self, request):
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer()


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now)
    return Clock


def status(code, **headers):
    return lambda: httpx.Response(code, headers=headers)


class Body(httpx.SyncByteStream):
    """Comes from the network bit by bit, and may break off."""

    def __init__(self, *bits):
        self.bits = bits

    def __iter__(self):
        for bit in self.bits:
            if isinstance(bit, Exception):
                raise bit
            yield bit


def complete():
    return httpx.Response(200, stream=Body(b"who", b"le"))


def broken():
    return httpx.Response(200, stream=Body(b"who", httpx.ReadError("cut")))


def client_of(server, patience=None, **options):
    return patient_client(
        httpx.Client(transport=httpx.MockTransport(server), **options), patience or Patience(seconds=12, stalled=5)
    )


@pytest.mark.parametrize("failure", [status(503), broken, httpx.ConnectTimeout("no answer")])
def test_the_same_request_is_repeated_until_patience_ends(clock, failure):
    """Whatever else succeeds in between: that may be another thread's."""

    class Client:
        def __init__(self):
            self.failing, self.other = client_of(Server(failure), patience), client_of(Server(complete), patience)

        def ask(self):
            with suppress(httpx.TransportError):
                self.failing.get("http://hub/a")
            self.other.get(f"http://hub/{clock.now}")

    patience = Patience(seconds=12, stalled=5)
    for clock.now in (0, 5, 11.9):
        Client().ask()
    clock.now = 12.1
    with pytest.raises(GaveUp, match="it did not deliver /a in 12 s of retries; at last: "):
        Client().ask()


def test_an_answer_that_was_received_ends_the_count(clock):
    server = Server(status(503), complete, status(503), complete)
    client = client_of(server)
    assert [client.get("http://hub/a").status_code for _ in range(2)] == [503, 200]
    clock.now = 600
    assert [client.get("http://hub/a").status_code for _ in range(2)] == [503, 200]


def test_another_range_is_another_request(clock):
    client = client_of(Server(broken))
    for start in range(5):
        with pytest.raises(httpx.ReadError):
            client.get("http://hub/a", headers={"range": f"bytes={start}-"})
        clock.now += 13


def test_after_one_request_was_given_up_none_is_sent(clock):
    server = Server(status(429, **{"retry-after": "3600"}))
    patience = Patience(seconds=12, stalled=5)
    with pytest.raises(GaveUp, match=r"it is too busy \(HTTP 429\) and asks to come back in 3600 s"):
        client_of(server, patience).get("http://hub/a")
    found = []

    def other():
        try:
            client_of(server, patience).get("http://hub/b")
        except GaveUp as error:
            found.append(str(error))

    thread = Thread(target=other)
    thread.start()
    thread.join()
    assert "3600 s" in found[0]
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("code", "headers", "wait"),
    [
        (429, {"retry-after": "3600"}, "3600 s"),
        (503, {"retry-after": "60"}, "60 s"),
        (429, {"ratelimit": '"api";r=0;t=300'}, "300 s"),
        (429, {"ratelimit": '"api";r=5;t=300'}, None),
        (429, {"retry-after": "3"}, None),
        (404, {"retry-after": "3600"}, None),
    ],
)
def test_how_long_a_refusal_asks_to_wait(clock, code, headers, wait):
    client = client_of(Server(status(code, **headers)))
    if wait is None:
        assert client.get("http://hub/a").status_code == code
    else:
        with pytest.raises(GaveUp, match=wait):
            client.get("http://hub/a")


@pytest.mark.parametrize(("asked", "limit"), [(None, 5), (60, 5), (2, 2)])
def test_no_part_of_an_answer_is_waited_for_longer_than_stalled(clock, asked, limit):
    server = Server(complete)
    client_of(server).get("http://hub/a", timeout=asked)
    assert server.seen[0].extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), limit)


def test_hooks_headers_and_redirects_of_the_client_stay(clock):
    hooked = []
    server = Server(status(302, location="http://hub/b"), complete)
    client = client_of(server, headers={"x-mine": "1"}, follow_redirects=True, event_hooks={"request": [hooked.append]})
    assert client.get("http://hub/a").content == b"whole"
    assert [request.url.path for request in server.seen] == ["/a", "/b"]
    assert {request.headers["x-mine"] for request in server.seen} == {"1"}
    assert hooked == server.seen
    client.close()
    with pytest.raises(RuntimeError):
        client.get("http://hub/a")
