"""The bar: photos and steps, at no time more than all, and a clock that goes on."""

from __future__ import annotations

import io
import sys
import time

import pytest
from photomend.app.batch import bar as module
from photomend.app.batch.bar import bar_over


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def as_terminal(monkeypatch: pytest.MonkeyPatch, delay: float = 0.01) -> Terminal:
    """A standard error that is a terminal; not a fixture, because pytest puts its own there before a test begins."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(module, "DELAY", delay)
    return terminal


def test_photos_and_steps_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with bar_over(2) as bar:
        for _ in range(2):
            for done in (1, 2, 3):
                time.sleep(0.03)
                bar.step(done, 3)
            bar.step(1, 1)  # a second round, such as alpha's
            bar.next()
        assert bar.bar.n == pytest.approx(2)
    shown = terminal.getvalue()
    assert "photo 1/2, step 2/3" in shown
    assert "photo 2/2" in shown
    assert "83%" in shown
    assert shown.endswith("\r")  # nothing of it stays


def test_the_clock_goes_on_within_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with bar_over(1):
        time.sleep(0.1)
    assert terminal.getvalue().count("[00:00<") > 3


def test_work_of_a_moment_and_no_terminal_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch, delay=60)
    with bar_over(1) as bar:
        bar.step(1, 2)
        bar.next()
    assert terminal.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", plain := io.StringIO())
    monkeypatch.setattr(module, "DELAY", 0)
    with bar_over(1) as bar:
        bar.step(1, 2)
    assert plain.getvalue() == ""
