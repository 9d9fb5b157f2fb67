"""`make lab` as a user calls it listens on loopback only and requires a token."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support import CHECKOUT, missing


@pytest.fixture
def lab(tmp_path):
    if not (CHECKOUT / ".venv" / ".ready").is_file():
        missing("make has not set up .venv")
    config = tmp_path / "config"
    config.mkdir()
    settings = {"ServerApp": {"open_browser": False, "allow_root": True}}
    (config / "jupyter_server_config.json").write_text(json.dumps(settings))
    runtime = tmp_path / "runtime"
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(config), "JUPYTER_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(
        ["make", "lab"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(240):
            found = list(runtime.glob("jpserver-*.json"))
            if found and found[0].stat().st_size:
                break
            assert server.poll() is None, "make lab ended"
            time.sleep(0.25)
        yield json.loads(found[0].read_text())
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def status(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_make_lab_listens_on_loopback_and_requires_its_token(lab):
    assert lab["hostname"] == "127.0.0.1"
    assert len(lab["token"]) >= 32
    address = f"http://127.0.0.1:{lab['port']}/api/contents"
    assert status(address) == 403
    assert status(f"{address}?token=wrong") == 403
    assert status(f"{address}?token={lab['token']}") == 200
    assert listening(lab["port"]) <= {"0100007F"}  # 127.0.0.1 in the notation of Linux, and nothing in tcp6


def listening(port):
    """The addresses, in hexadecimal, on which a process listens at this port (empty on systems without /proc)."""
    tables = [path for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.is_file()]
    rows = [line.split() for path in tables for line in path.read_text().splitlines()[1:]]
    sockets = [row[1].split(":") for row in rows if row[3] == "0A"]
    found = {address for address, number in sockets if int(number, 16) == port}
    assert found or not tables
    return found
