"""Asks a server what the page would ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from photomend.app.web.server import Server
from starlette.testclient import TestClient

HOME = "http://127.0.0.1:8765"
HOLE = {"kind": "box", "x": 40, "y": 30, "width": 20, "height": 12}


class Client(TestClient):
    """Sends what a browser sends from our own page."""

    def __init__(self, server: Server) -> None:
        app = server.app("127.0.0.1")
        super().__init__(app, base_url=HOME, headers={"Origin": HOME}, raise_server_exceptions=False)
        self.server = server

    def upload(self, path: Path, name: str | None = None) -> str:
        """Send a photo; its id."""
        answer = self.post(f"/api/photos?name={quote(name or path.name)}", content=path.read_bytes())
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def finished(self, photo: str) -> dict[str, Any]:
        """What is said about a photo once its job is over."""
        job = self.server.sessions.find(photo).job
        assert job is not None
        assert job.over.wait(30)
        return self.get(f"/api/photos/{photo}").json()

    def opened(self, path: Path, name: str | None = None) -> str:
        """Send a photo that can be read; its id."""
        photo = self.upload(path, name)
        assert self.finished(photo)["job"]["state"] == "done", self.finished(photo)
        return photo

    def repair(self, photo: str, *edits: dict[str, Any], model: str = "harmonic") -> dict[str, Any]:
        """Repair it, and wait; what is said then."""
        answer = self.post(
            f"/api/photos/{photo}/repair", json={"edits": edits or [HOLE], "model": model, "look": "faithful"}
        )
        assert answer.status_code == 202, answer.text
        return self.finished(photo)


def problem(answer: Any) -> str:
    """The one line that an error answers."""
    body = answer.json()
    assert list(body) == ["error"], body
    return str(body["error"])
