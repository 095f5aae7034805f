"""The command: one line for what can't be started, and no file left behind, however it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from photomend.app.commands.app import address_of, listen
from photomend.app.web.guard import is_local
from photomend.app.web.models import offered
from photomend.app.web.sessions import own_folder

from ..helpers import Shell, picture


def test_without_the_extra_it_says_what_to_install(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = shell.fails(1, "app")
    assert said == "photomend: error: app needs Starlette and uvicorn: pip install 'photomend[app]'\n"


def test_what_cannot_be_started_is_one_line(shell: Shell) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        said = shell.fails(1, "app", "--port", port, "--model", "harmonic")
        assert said.endswith(f"port {port} (Address already in use); --port 0 takes a free one\n")
    assert "can't listen on 203.0.113.7" in shell.fails(1, "app", "--host", "203.0.113.7", "--model", "harmonic")
    assert "no model, run folder or weights file 'harmonc'" in shell.fails(1, "app", "--model", "harmonc")
    shell.fails(2, "app", "--port", "70000")


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with listen("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with listen("::1", 0) as listener:
            assert address_of(listener).startswith("http://[::1]:")
    assert [is_local(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.1.1.1", "name")] == [
        *(True, True, True),
        *(False, False, False),
    ]


def test_models_that_are_not_here_are_not_offered() -> None:
    assert [offer.name for offer in offered()][:2] == ["harmonic", "biharmonic"]  # these tests have no weights
    assert [offer.name for offer in offered("biharmonic")][:2] == ["biharmonic", "harmonic"]
    assert offered("runs/mine")[0].title == "runs/mine"


def test_folders_of_killed_servers_are_removed_and_of_living_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "photomend-app-left"
    left.mkdir()
    (left / "lock").touch()
    (left / "photo.png").touch()
    strange = tmp_path / "photomend-app-strange"  # without a lock: perhaps somebody else's
    strange.mkdir()
    (tmp_path / "photomend-app-link").symlink_to(strange)
    with own_folder() as first:
        assert not left.exists()
        assert first.stat().st_mode & 0o777 == 0o700
        with own_folder() as second:
            assert first.is_dir()
            assert second != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photomend-app-link", "photomend-app-strange"]


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command in a process of its own, and its port."""
    command = [sys.executable, "-m", "photomend", "app", "--port", "0", "--model", "harmonic"]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("photomend app: http://127.0.0.1:"), (line, process.stderr)
            yield process, int(line.split(":")[3].partition("/")[0])
        finally:
            process.kill()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """A request as it stands: no client straightens the path."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {"Origin": f"http://127.0.0.1:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.slow  # three processes
def test_files_go_at_its_end_however_it_ends(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    photo, folder = (tmp_path / "a.png").read_bytes(), tmp_path / "temporary"
    folder.mkdir()
    for ending in (signal.SIGINT, signal.SIGTERM):
        with started(folder) as (process, port):
            assert ask(port, "POST", "/api/photos?name=a.png", photo)[0] == 201
            assert len(list(folder.glob("photomend-app-*/*/photo.png"))) == 1
            for path in ("/../../etc/passwd", "/page/../../../etc/passwd", "//etc/passwd", "/page/%2e%2e%2fserver.py"):
                assert ask(port, "GET", path)[0] == 404
            process.send_signal(ending)
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        assert list(folder.glob("photomend-app-*")) == []
    with started(folder) as (process, port):
        ask(port, "POST", "/api/photos?name=a.png", photo)
        process.kill()
    assert len(list(folder.glob("photomend-app-*"))) == 1
    with started(folder) as (process, port):  # and the next one tidies up
        assert ask(port, "GET", "/")[0] == 200
        assert [list(each.iterdir()) for each in folder.glob("photomend-app-*")] == [[next(folder.glob("*/lock"))]]
        process.terminate()
        process.wait(20)
