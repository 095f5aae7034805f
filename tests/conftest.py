"""What all tests share: `cuda` skips without a CUDA device, threads of workers, and a line about what was left out."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
import torch

#: pytest-xdist's name of this process, where it is one of its workers.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER:
    # Workers share the cores. Tests of what several threads do set their own number.
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
    torch.set_num_threads(1)

# Digits must not depend on a profile that the person who runs the tests has made of their machine.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="photomend-tests-")

LEFT_OUT = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[LEFT_OUT] += len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if WORKER:
        session.config.workeroutput["left out"] = session.config.stash[LEFT_OUT]  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker of pytest-xdist leaves out the same tests, and only it knows how many they are."""
    if "left out" in getattr(node, "workeroutput", {}):
        node.config.stash[LEFT_OUT] = node.workeroutput["left out"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash[LEFT_OUT]:
        chosen = config.option.markexpr or config.option.keyword or "the choice of tests"
        terminalreporter.write_line(f"{left_out} tests left out ({chosen}); make test-all runs all of them")
