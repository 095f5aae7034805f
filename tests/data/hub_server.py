"""A Hugging Face hub on this machine: as much of its protocol as streaming a dataset takes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import datasets
import huggingface_hub
import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Datasets are the folders OWNER/NAME below `root`; `gated` ones are given to those with `token` only.

    `requests` holds the paths of all requests and `authorizations` what they came with; with `broken_after` the
    connection drops at every request after so many. `commit` is the newest one; older ones hold the same files.
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.gated: set[str] = set()
        self.token = "hf_of_the_test"
        self.commit = COMMIT
        self.requests: list[str] = []
        self.authorizations: set[str | None] = set()
        self.broken_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        hub, path = self.server, unquote(urlsplit(self.path).path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        hub.requests.append(f"{self.command} {path}")
        hub.authorizations.add(self.headers.get("Authorization"))
        if hub.broken_after is not None and len(hub.requests) > hub.broken_after:
            self.close_connection = True
            return
        found = re.match(r"(?:/api)?/datasets/([^/]+/[^/]+)(/.*)?$", path)
        if not found or not (hub.root / found[1]).is_dir():
            self.answer(b"", 404, {"X-Error-Code": "RepoNotFound"})
            return
        repository, rest = found[1], found[2] or ""
        if repository in hub.gated and self.headers.get("Authorization") != f"Bearer {hub.token}":
            status = 403 if self.headers.get("Authorization") else 401
            self.answer(b"", status, {"X-Error-Code": "GatedRepo"})
            return
        folder = hub.root / repository
        if path.startswith("/api"):
            self.answer_json(self.describe(repository, folder, rest, body))
        else:
            self.send_file(folder / rest.split("/", 3)[3])

    do_HEAD = do_POST = do_GET  # noqa: N815 - named by the standard library

    def describe(self, repository: str, folder: Path, rest: str, body: str) -> object:
        if rest.startswith("/tree/"):
            below = folder / "/".join(rest.split("/")[3:])
            return [entry(path, folder) for path in (sorted(below.iterdir()) if below.is_dir() else [])]
        if rest.startswith("/paths-info/"):
            return [entry(path, folder) for path in folder.rglob("*") if str(path.relative_to(folder)) in unquote(body)]
        if rest == "/auth-check":
            return {}
        commit = rest.removeprefix("/revision/") if re.fullmatch("/revision/[0-9a-f]{40}", rest) else self.server.commit
        return {"id": repository, "sha": commit, "private": False, "tags": [], "downloads": 0, "siblings": []}

    def send_file(self, path: Path) -> None:
        if not path.is_file():
            self.answer(b"", 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        data = path.read_bytes()
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{path.name}"', "Accept-Ranges": "bytes"}
        if part := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            first, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            self.answer(data[first : last + 1], 206, headers)
        else:
            self.answer(data, 200, headers)

    def answer_json(self, value: object) -> None:
        self.answer(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    def answer(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def entry(path: Path, folder: Path) -> dict[str, object]:
    """How the hub lists a file or a folder."""
    kind = "directory" if path.is_dir() else "file"
    size = path.stat().st_size if path.is_file() else 0
    return {"type": kind, "oid": "0" * 40, "size": size, "path": path.relative_to(folder).as_posix()}


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    """The hub of the datasets below `root`, as long as the block runs."""
    with Hub(root) as hub:
        Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield hub
        hub.shutdown()


def use_hub(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the client take the hub at `url` for the real one."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", url)
    for name in ("STREAMING_READ_MAX_RETRIES", "STREAMING_OPEN_MAX_RETRIES"):
        monkeypatch.setattr(datasets.config, name, 1)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits before it tries again
    monkeypatch.delenv("HF_TOKEN", raising=False)
    huggingface_hub.HfFileSystem.clear_instance_cache()
