"""A server for the tests of the page, and a person who uses it: by mouse, finger and keyboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import uvicorn
from photomend.app.commands.app import address_of, listen
from photomend.app.web.jobs import Jobs
from photomend.app.web.limits import Limits
from photomend.app.web.models import offered
from photomend.app.web.server import Server
from photomend.app.web.sessions import Sessions
from photomend.app.web.work import Repairers

from .tab import Tab


class Running:
    """A server in a thread, at an address of its own."""

    def __init__(self, folder: Path, port: int = 0, **limits: Any) -> None:
        self.jobs = Jobs()
        self.server = Server(Sessions(folder, self.jobs, Limits(**limits)), self.jobs, Repairers("cpu"), offered())
        self.listener = listen("127.0.0.1", port)
        self.port = self.listener.getsockname()[1]
        self.address = address_of(self.listener)
        settings = uvicorn.Config(
            self.server.app("127.0.0.1"), log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        self.uvicorn = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.uvicorn.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.uvicorn.started:
            sleep(0.01)

    def stop(self) -> None:
        self.uvicorn.should_exit = True
        self.thread.join(20)
        self.listener.close()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The worker works for somebody else meanwhile."""
        go_on = threading.Event()
        from photomend.app.web.jobs import Job

        self.jobs.add(Job("somebody else", "repair", lambda job: go_on.wait(60)))
        try:
            yield
        finally:
            go_on.set()


class Restorer(Tab):
    """Who repairs a photo on the page; `asked` are the masks and models that the page has sent."""

    def __init__(self, page: Any, address: str) -> None:
        super().__init__(page, address)
        self.address = address
        self.asked: list[dict[str, Any]] = []
        page.on("request", lambda request: self._note(request))
        page.goto(address)
        page.locator("body[data-ready]").wait_for()

    def _note(self, request: Any) -> None:
        if request.url.endswith("/repair"):
            self.asked.append(json.loads(request.post_data))

    def offer(self, path: Path) -> None:
        self.page.set_input_files("#file", path)

    def load(self, path: Path) -> None:
        self.offer(path)
        self.page.locator("body[data-state=open]").wait_for()

    def load_with_hole(self, path: Path) -> None:
        """Load a photo and mark a rectangle in its middle."""
        self.load(path)
        self.press("r")
        self.drag((0.45, 0.4), (0.55, 0.6))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a place of the canvas is, given by its share of the width and height."""
        box = self.page.locator("#canvas").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag(self, *places: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self.place(*place), steps=5)
        mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def repair(self) -> None:
        self.page.get_by_role("button", name="Repair").click()
        self.repaired()

    def repaired(self) -> None:
        """Wait for the repair; one that fails says why."""
        self.page.locator("#result:not([hidden]), #repair-problem:not(:empty)").first.wait_for()
        assert self.text("repair-problem") == ""

    def download(self, path: Path) -> str:
        """Save the repaired photo; what it is called."""
        with self.page.expect_download() as found:
            self.page.get_by_role("button", name="Download").click()
        found.value.save_as(path)
        return str(found.value.suggested_filename)

    def text(self, name: str) -> str:
        return str(self.page.locator(f"#{name}").inner_text())


#: Opens the page in a window of its own: its address, width, height and what else Playwright takes.
Person = Callable[..., Restorer]
