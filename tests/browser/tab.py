"""A tab of the browser: what a page says, what it asks the network for, and what is wrong with how it looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[2]
DETECT = (Path(__file__).parent / "detect.js").read_text(encoding="utf-8")
SITE = Path(os.environ.get("PHOTOMEND_SITE", ROOT / "build" / "site"))
#: Every page at the widths of a desktop and of a phone, in light and in dark.
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
#: What is folded away is unfolded, and all frames of a picture to step through are shown, to be looked at as well.
UNFOLD = """() => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  for (const frame of document.querySelectorAll(".stepper li")) frame.hidden = false;
}"""


def pages(holding: str = "") -> list[str]:
    """The names of the site's pages, or of those with this text in them; none where there is no site."""
    return [
        path.relative_to(SITE).as_posix()
        for path in sorted(SITE.rglob("*.html"))
        if holding in path.read_text(encoding="utf-8")
    ]


def missing(reason: str) -> NoReturn:
    if os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Tab:
    """A page of Playwright's.

    Attributes:
        page: it.
        said: complaints so far: errors on the console or in scripts, and requests to anything but files.
        allowed: what requests may begin with.
    """

    def __init__(self, page: Any, *allowed: str) -> None:
        self.page, self.allowed = page, (*allowed, "file://", "data:", "blob:")
        self.said: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(f"script error: {error}"))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"console {message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(self.allowed):
            self.said.append(f"asks for {request.url}")

    def open(self, name: str) -> None:
        """A page of the site."""
        self.page.goto((SITE / name).as_uri())

    def look(self, width: int, scheme: str) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)

    def faults(self) -> dict[str, list[str]]:
        """What is wrong with the page as it looks now; see `detect.js`."""
        return self.page.evaluate(DETECT)

    def faults_in_every_look(self) -> list[str]:
        """All faults at both widths, in light and dark, with everything unfolded; and what the page has said."""
        self.page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        self.page.evaluate(UNFOLD)
        found = []
        for width, scheme in LOOKS:
            self.look(width, scheme)
            for kind, each in self.faults().items():
                found += [f"{width} {scheme}, {kind}: {fault}" for fault in each[:6]]
                found += [f"{width} {scheme}, {kind}: {len(each) - 6} more"] if len(each) > 6 else []
        return found + self.said
