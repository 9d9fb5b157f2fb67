"""A stand-in for the hub on loopback: folders served by the hub's own routes, for the real client libraries.

Before each answer, ``hub.fault(method, path)`` is called. It returns None for the true answer, or one of the faults below.
"""

import hashlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

REVISION = r"(refs/[^/]+/[^/]+|[^/]+)"
API = re.compile(rf"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/{REVISION}(?:/(.*))?)?$")
FILE = re.compile(rf"/(datasets/)?([^/]+/[^/]+)/resolve/{REVISION}/(.+)$")
TOKEN = re.compile(r"/api/(datasets|models)/[^/]+/[^/]+/xet-read-token/[^/]+$")


# Imported once, for all processes that run_python starts; none of these reads what run_python sets.
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["torch._dynamo", "torch.distributed.tensor", "pyarrow.parquet", "sklearn.linear_model"])


def run_python(code, endpoint, cache, *arguments, timeout=60, **variables):
    """Run `code` as a new process that knows no other hub than `endpoint` and no other cache than `cache`.

    The hub's libraries read their variables when they are imported, which happens in the new process.
    """
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache)} | variables
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("out", "error")]
        process = FRESH.Process(target=_run, args=(code, arguments, environment, streams))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(code, timeout)
        said = [stream.read_text(encoding="utf-8") for stream in streams]
        return subprocess.CompletedProcess(code, process.exitcode, *said)


def _run(code, arguments, environment, streams):
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    hub_libraries = {"huggingface_hub", "transformers", "datasets", "sentiment_lib"} & sys.modules.keys()
    assert not hub_libraries, hub_libraries
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})


@dataclass
class Status:
    """An answer with another status."""

    code: int
    headers: dict = field(default_factory=dict)


@dataclass
class Stall:
    """The body up to this share of its length, then nothing; below 0 not even headers."""

    share: float = 0.5


@dataclass
class Cut:
    """The body up to this share of its length, then a closed connection."""

    share: float = 0.5


class Wrong:
    """A body of the right size with other bytes."""


class Page:
    """The login page of a network that requires one."""


class Hub:
    """Serve `repositories`: ``{("datasets" or "models", "owner/name"): (folder, commit)}``.

    These are the newest commits; ``hub.branches`` has others, by ``(..., ..., revision)``. With ``hub.xet`` set, large
    files are announced as kept in Xet storage, whose server never answers.
    """

    def __init__(self, repositories):
        self.repositories = repositories
        self.branches = {}
        self.xet = False
        self.requests = []
        self.fault = lambda method, path: None
        self.closed = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.answer(*hub.find("HEAD", self.path, b""))

            def do_GET(self):
                self.answer(*hub.find("GET", self.path, b""))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.answer(*hub.find("POST", self.path, body))

            def answer(self, status, headers, body):
                fault = hub.fault(self.command, unquote(urlsplit(self.path).path))
                if isinstance(fault, Status):
                    code = {"X-Error-Code": "RepoNotFound"} if fault.code in (401, 404) else {}
                    status, headers, body = fault.code, code | fault.headers, b"no"
                elif isinstance(fault, Page):
                    status, headers, body = 200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"
                elif isinstance(fault, Wrong):
                    body = bytes(255 - byte for byte in body)
                full_length, start = len(body), re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                if start and status == 200:
                    size, body = len(body), body[int(start[1]) :]
                    status, headers = 206, headers | {"Content-Range": f"bytes {start[1]}-{size - 1}/{size}"}
                if isinstance(fault, Stall) and fault.share < 0:
                    self.close_connection = True
                    return hub.wait()
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "HEAD":
                    return None
                if isinstance(fault, (Stall, Cut)):
                    self.wfile.write(body[: max(0, int(fault.share * full_length) - (full_length - len(body)))])
                    self.wfile.flush()
                    self.close_connection = True
                    return hub.wait() if isinstance(fault, Stall) else None
                self.wfile.write(body)
                return None

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def wait(self):
        """Do not answer for a minute, or until this stand-in is closed."""
        for _ in range(600):
            if self.closed:
                break
            time.sleep(0.1)

    def find(self, method, target, body):
        path, query = unquote(urlsplit(target).path), urlsplit(target).query.lower()
        self.requests.append((method, path))
        if match := API.match(path):
            return self.describe(*match.groups(), body, "recursive=true" in query)
        if match := FILE.match(path):
            kind = "datasets" if match[1] else "models"
            return self.file(kind, match[2], match[3], match[4])
        if TOKEN.match(path):
            token = {
                "X-Xet-Cas-Url": f"{self.url}/storage",
                "X-Xet-Access-Token": "t",
                "X-Xet-Token-Expiration": "9" * 10,
            }
            return 200, token, b""
        if path.startswith("/storage/"):
            self.wait()
        return (200, {}, b"") if path == "/" else self.missing("RepoNotFound")

    def missing(self, code, commit=None):
        headers = {"X-Error-Code": code} | ({"X-Repo-Commit": commit} if commit else {})
        return 404, headers, b"not found"

    def at(self, kind, name, revision):
        """Folder and commit of a revision; None if there is none."""
        folder, commit = self.repositories[kind, name]
        if revision in (None, "main", commit):
            return folder, commit
        others = [found for key, found in self.branches.items() if key[:2] == (kind, name)]
        by_commit = {commit: (folder, commit) for folder, commit in others}
        return self.branches.get((kind, name, revision)) or by_commit.get(revision)

    def describe(self, kind, name, what, revision, below, body, recursive):
        if (kind, name) not in self.repositories:
            return self.missing("RepoNotFound")
        found = self.at(kind, name, revision)
        if found is None:
            return self.missing("RevisionNotFound")
        folder, commit = found
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        entries = [self.entry(folder, path) for path in files]
        if what == "tree":
            prefix = f"{below}/" if below else ""
            answer = [e for e in entries if e["path"].startswith(prefix)]
            if not recursive:
                inner = {
                    e["path"].removeprefix(prefix).partition("/")[0] for e in answer if "/" in e["path"][len(prefix) :]
                }
                answer = [e for e in answer if "/" not in e["path"][len(prefix) :]]
                answer += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": prefix + d} for d in sorted(inner)]
        elif what == "paths-info":
            paths = json.loads(body)["paths"] if body.startswith(b"{") else re.findall(r"paths=([^&]+)", body.decode())
            answer = [e for e in entries if e["path"] in map(unquote, paths)]
        else:
            siblings = [{"rfilename": e["path"]} for e in entries]
            answer = {"id": name, "sha": commit, "siblings": siblings, "private": False, "gated": False, "tags": []}
            answer |= {"disabled": False, "downloads": 0, "likes": 0}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def entry(self, folder, path):
        content = path.read_bytes()
        entry = {"type": "file", "size": len(content), "path": path.relative_to(folder).as_posix()}
        entry["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if self.large(path):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            if self.xet:
                entry["xetHash"] = entry["lfs"]["oid"]
        return entry

    def large(self, path):
        """Whether the hub keeps a file in its large file storage, which names files by SHA-256."""
        return path.suffix in (".parquet", ".safetensors", ".bin")

    def file(self, kind, name, revision, file):
        if (kind, name) not in self.repositories:
            return self.missing("RepoNotFound")
        found = self.at(kind, name, revision)
        if found is None:
            return self.missing("RevisionNotFound")
        folder, commit = found
        path = Path(folder) / file
        if not path.is_file():
            return self.missing("EntryNotFound", commit)
        content = path.read_bytes()
        entry = self.entry(path.parent, path)
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Content-Type": "application/octet-stream"}
        if "xetHash" in entry:
            route = f"{self.url}/api/{kind}/{name}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": entry["xetHash"], "X-Xet-Refresh-Route": route}
        return 200, headers, content
