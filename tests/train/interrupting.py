"""Ctrl-C at a chosen moment."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest


def interrupt(owner: Any, method: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C arrives while `method` runs for the n-th time."""
    original = getattr(owner, method)
    calls = itertools.count(1)

    def interrupted(*args: Any) -> Any:
        if next(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return original(*args)

    monkeypatch.setattr(owner, method, interrupted)
