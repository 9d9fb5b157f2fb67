"""What the tests of the report and of the site ask of a folder of pages."""

import html
import re
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


def links(page):
    """All addresses of a page, those in scripts left out."""
    text = re.sub(r"<script.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [html.unescape(link) for link in re.findall(r'\s(?:href|src)="([^"]*)"', text)]


def dead_links(folder):
    """Links between the pages of a folder that lead to no file or to no anchor."""
    anchors = {
        path.resolve(): set(re.findall(r'\sid="([^"]+)"', path.read_text(encoding="utf-8")))
        for path in folder.rglob("*.html")
    }
    dead = []
    for page in anchors:
        for link in links(page):
            if link.startswith(("data:", "https://")):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.is_file() or (anchor and anchor not in anchors[target]):
                dead.append((page.name, link))
    return dead


@contextmanager
def served(folder):
    """Serve a folder on loopback; yields its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
