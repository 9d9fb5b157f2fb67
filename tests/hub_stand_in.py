"""A stand-in for the hub on loopback: folders served by the hub's own routes, for the real client libraries."""

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

API = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


class Hub:
    """Serve `repositories`: ``{("datasets" or "models", "owner/name"): (folder, commit)}``."""

    def __init__(self, repositories):
        self.repositories = repositories
        self.requests = []
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
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def find(self, method, target, body):
        path, query = unquote(urlsplit(target).path), urlsplit(target).query.lower()
        self.requests.append((method, path))
        if match := API.match(path):
            return self.describe(*match.groups(), body, "recursive=true" in query)
        if match := FILE.match(path):
            kind = "datasets" if match[1] else "models"
            return self.file(kind, match[2], match[3], match[4])
        return (200, {}, b"") if path == "/" else self.missing("RepoNotFound")

    def missing(self, code, commit=None):
        headers = {"X-Error-Code": code} | ({"X-Repo-Commit": commit} if commit else {})
        return 404, headers, b"not found"

    def describe(self, kind, name, what, revision, below, body, recursive):
        if (kind, name) not in self.repositories:
            return self.missing("RepoNotFound")
        folder, commit = self.repositories[kind, name]
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
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else re.findall(r"paths=([^&]+)", body.decode())
            answer = [e for e in entries if e["path"] in map(unquote, wanted)]
        else:
            siblings = [{"rfilename": e["path"]} for e in entries]
            answer = {"id": name, "sha": commit, "siblings": siblings, "private": False, "gated": False, "tags": []}
            answer |= {"disabled": False, "downloads": 0, "likes": 0}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def entry(self, folder, path):
        content = path.read_bytes()
        return {
            "type": "file",
            "oid": hashlib.sha1(content).hexdigest(),
            "size": len(content),
            "path": path.relative_to(folder).as_posix(),
        }

    def file(self, kind, name, revision, file):
        if (kind, name) not in self.repositories:
            return self.missing("RepoNotFound")
        folder, commit = self.repositories[kind, name]
        if revision not in ("main", commit):
            return self.missing("RevisionNotFound")
        path = Path(folder) / file
        if not path.is_file():
            return self.missing("EntryNotFound", commit)
        content = path.read_bytes()
        etag = hashlib.sha1(content).hexdigest()
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Content-Type": "application/octet-stream"}, content
