"""Limited patience: hooks of an HTTP client that stop repeating requests that bring nothing new.

huggingface_hub retries a failed request several times and waits between two attempts as long as the server asks it to,
which may be an hour. A :class:`Patience` limits the requests that clients send for one download.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from threading import Lock

from huggingface_hub.utils import parse_ratelimit_headers

from ._huggingface_hub import httpx

TRY_AGAIN = (408, 429, 500, 502, 503, 504)  # refusals that may be temporary


class GaveUp(Exception):
    """Raised instead of another attempt. huggingface_hub does not retry on this error."""


class Patience:
    """The unfinished requests of one download, shared by all of its threads and clients.

    Parameters
    ----------
    seconds : float
        How long the same request (method, URL and byte range) may be repeated. A completely received answer ends the
        count, and so does every byte of a file, because the next request asks for another range.
    stalled : float
        Time limit in seconds of a single attempt for the connection and for each part of the answer.
    """

    def __init__(self, seconds: float, stalled: float) -> None:
        self.seconds, self.stalled = seconds, stalled
        self._began: dict[tuple, float] = defaultdict(time.monotonic)  # the first attempt of each unfinished request
        self._outcomes: dict[tuple, str] = {}  # of the latest attempt
        self._reason = ""  # why the download was given up
        self._lock = Lock()

    def attempt(self, request) -> None:
        """Set the time limits of a request that is about to be sent.

        Raises
        ------
        GaveUp
            When it was repeated for too long, or when another request of the download was given up.
        """
        limits = request.extensions.setdefault("timeout", {})
        for part in ("connect", "read", "write", "pool"):  # some requests have no limit
            limits[part] = min(limits.get(part) or self.stalled, self.stalled)
        key = _key(request)
        with self._lock:
            if not self._reason and time.monotonic() - self._began[key] > self.seconds:
                self._reason = (
                    f"it did not deliver {request.url.path} in {self.seconds:.0f} s of retries; at last: "
                    f"{self._outcomes.get(key, 'no answer')}"
                )
            if self._reason:
                raise GaveUp(self._reason)

    def answered(self, response) -> None:
        """Note that an answer begins to arrive, or a refusal that may be temporary.

        Raises
        ------
        GaveUp
            When the server asks to wait for longer than `seconds`.
        """
        refused = response.status_code in TRY_AGAIN
        wait = _seconds_to_wait(response) if refused else 0
        with self._lock:
            self._outcomes[_key(response.request)] = (
                f"HTTP {response.status_code}" if refused else "the answer broke off"
            )
            if wait > self.seconds:
                self._reason = f"it is too busy (HTTP {response.status_code}) and asks to come back in {wait} s"
                raise GaveUp(self._reason)
        if not refused:
            response.stream = _Watched(response.stream, lambda: self.finished(response.request))

    def finished(self, request) -> None:
        """Note that an answer arrived completely."""
        with self._lock:
            self._began.pop(_key(request), None)
            self._outcomes.pop(_key(request), None)


def patient_client(client, patience: Patience):
    """`client`, which gives up when `patience` ends."""
    client.event_hooks["request"].append(patience.attempt)
    client.event_hooks["response"].append(patience.answered)
    return client


class _Watched(httpx.SyncByteStream):
    """The body of an answer; `finished` is called when all of it was read."""

    def __init__(self, stream, finished: Callable[[], None]) -> None:
        self._stream, self._finished = stream, finished

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream
        self._finished()

    def close(self) -> None:
        self._stream.close()


def _key(request) -> tuple:
    return request.method, str(request.url), request.headers.get("range")


def _seconds_to_wait(response) -> int:
    """How long a refusal asks to wait, as huggingface_hub reads it; 0 if it does not say."""
    limit = parse_ratelimit_headers(response.headers)
    if response.status_code == 429 and limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds
    wait = response.headers.get("retry-after", "").strip()
    return int(wait) if wait.isdigit() else 0
