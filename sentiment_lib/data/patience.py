"""Patience with an end: an HTTP transport that stops retrying requests that bring nothing new.

huggingface_hub retries a failed request several times and waits between two attempts as long as the server asks it to,
which may be an hour. A :class:`Patience` keeps track of the requests of one download, and :class:`PatientTransport`
reports each of them to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from huggingface_hub.utils import parse_ratelimit_headers

from ._huggingface_hub import httpx

TRY_AGAIN = (408, 429, 500, 502, 503, 504)  # refusals that may pass


class GaveUp(Exception):
    """Raised in place of another attempt. It is none of the errors on which huggingface_hub tries again."""


@dataclass
class _Attempts:
    began: float  # when the request was first made
    outcome: str = "no answer"  # of the last attempt


@dataclass
class Patience:
    """The unfinished requests of one download, shared by all of its threads and clients.

    Parameters
    ----------
    seconds : float
        How long the same request (method, URL and byte range) may be repeated. An answer that is received completely
        ends the count, and so does every byte of a file, because the next request asks for another range.
    stalled : float
        Time limit in seconds of a single attempt for the connection and for each part of the answer.
    """

    seconds: float
    stalled: float
    _unfinished: dict[tuple, _Attempts] = field(default_factory=dict, init=False)
    _reason: str = field(default="", init=False)  # why the download was given up
    _lock: Any = field(default_factory=Lock, init=False)

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
        with self._lock:
            attempts = self._attempts(request)
            if not self._reason and time.monotonic() - attempts.began > self.seconds:
                self._reason = (
                    f"it did not deliver {request.url.path} in {self.seconds:.0f} s of retries; at last: "
                    f"{attempts.outcome}"
                )
            if self._reason:
                raise GaveUp(self._reason)

    def refused(self, request, response) -> None:
        """Note a refusal that may pass.

        Raises
        ------
        GaveUp
            When the server asks to wait for longer than this patience lasts.
        """
        wait = _seconds_to_wait(response)
        with self._lock:
            self._attempts(request).outcome = f"HTTP {response.status_code}"
            if wait > self.seconds:
                self._reason = f"it is too busy (HTTP {response.status_code}) and asks to come back in {wait} s"
                raise GaveUp(self._reason)

    def begun(self, request) -> None:
        """Note that an answer begins to arrive."""
        with self._lock:
            self._attempts(request).outcome = "the answer broke off"

    def finished(self, request) -> None:
        """Note that an answer arrived completely."""
        with self._lock:
            self._unfinished.pop(_key(request), None)

    def _attempts(self, request) -> _Attempts:
        return self._unfinished.setdefault(_key(request), _Attempts(time.monotonic()))


class PatientTransport(httpx.BaseTransport):
    """Sends requests through `client`, which keeps its own proxies, certificates and hooks, as `patience` allows."""

    def __init__(self, client, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def handle_request(self, request):
        """Send one request; redirects are left to the caller."""
        self._patience.attempt(request)
        response = self._client.send(request, stream=True, follow_redirects=False)
        if response.status_code in TRY_AGAIN:
            try:
                self._patience.refused(request, response)
            except GaveUp:
                response.close()
                raise
        else:
            self._patience.begun(request)
            response.stream = _Watched(response.stream, lambda: self._patience.finished(request))
        return response

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def patient_client(client, patience: Patience):
    """A client that sends the same requests as `client`, but gives up when `patience` ends."""
    return httpx.Client(
        transport=PatientTransport(client, patience),
        headers=client.headers,
        cookies=client.cookies,
        timeout=client.timeout,
        follow_redirects=client.follow_redirects,
    )


class _Watched(httpx.SyncByteStream):
    """The body of an answer; `finished` is called when all of it was read."""

    def __init__(self, stream, finished: Callable[[], None]) -> None:
        self._stream = stream
        self._finished = finished

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream
        self._finished()

    def close(self) -> None:
        self._stream.close()


def _key(request) -> tuple:
    return request.method, str(request.url), request.headers.get("range")


def _seconds_to_wait(response) -> int:
    """How long a refusal asks to wait, as huggingface_hub reads it; 0 where it does not say."""
    limit = parse_ratelimit_headers(response.headers)
    if response.status_code == 429 and limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds
    wait = response.headers.get("retry-after", "").strip()
    return int(wait) if wait.isdigit() else 0
