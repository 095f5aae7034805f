from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from photomend.app.web.jobs import Jobs
from photomend.app.web.limits import Limits
from photomend.app.web.models import offered
from photomend.app.web.server import Server
from photomend.app.web.sessions import Sessions
from photomend.app.web.work import Repairers

from .client import Client

Serve = Callable[..., Client]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these limits, and gives a client of it."""
    clients: list[Client] = []

    def start(**limits: Any) -> Client:
        folder = tmp_path / f"server {len(clients)}"
        folder.mkdir()
        jobs = Jobs()
        sessions = Sessions(folder, jobs, Limits(**limits))
        client = Client(Server(sessions, jobs, Repairers("cpu"), offered()))
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
