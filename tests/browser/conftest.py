"""One headless Chromium for all tests of pages, and a tab that keeps what a page says and asks for.

A site is looked for in `build/site`, or where PHOTOMEND_SITE says. Where it, Playwright or Chromium is missing, the
tests are skipped and say so; with BROWSER_TESTS=required they fail instead, so that nobody takes them for passed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from .restorer import Person, Restorer, Running
from .tab import Tab, missing

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no Playwright: pip install --group browser")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        missing(f"no Chromium: none of {', '.join(CHROMIUM)} is on the path")
    with sync_playwright() as playwright:
        # Containers are often run as root, for whom Chromium has no sandbox; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_tab(chromium) -> Iterator[Tab]:
    context = chromium.new_context(reduced_motion="reduce")
    yield Tab(context.new_page())
    context.close()


@pytest.fixture
def tab(shared_tab: Tab) -> Tab:
    """The one tab, as wide as a desktop, in light colours, with nothing said or asked for yet."""
    shared_tab.look(1280, "light")
    shared_tab.said.clear()
    return shared_tab


@pytest.fixture
def tab_without_scripts(chromium) -> Iterator[Tab]:
    context = chromium.new_context(java_script_enabled=False)
    yield Tab(context.new_page())
    context.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(tmp_path_factory.mktemp("server"), upload=2 * 2**20, pixels=1_000_000)
    yield server
    server.stop()


@pytest.fixture
def person(chromium: Any, running: Running) -> Iterator[Person]:
    """Opens the page in a window of its own, by default a desktop's on the server of this module."""
    contexts = []

    def open_page(address: str = "", width: int = 1280, height: int = 900, **options: Any) -> Restorer:
        size = {"width": width, "height": height}
        contexts.append(chromium.new_context(viewport=size, reduced_motion="reduce", **options))
        return Restorer(contexts[-1].new_page(), address or running.address)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    Image.fromarray(data.chelsea()).save(path)
    return path
