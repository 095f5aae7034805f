"""What primitives leave behind: nodes on the tape, or nothing; with the nodes their values, or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


class _Mode(threading.local):
    """Each thread's own; what it has not set is what stands here."""

    recording = True
    keeping = False
    checking = False
    listener: Callable[[Any], object] | None = None


_mode = _Mode()


def is_recording() -> bool:
    """Whether primitives called now leave nodes on the tape (True outside `no_grad`)."""
    return _mode.recording


def is_keeping() -> bool:
    """Whether nodes made now keep their values."""
    return _mode.keeping


def is_checking() -> bool:
    """Whether values and gradients are looked through for NaN and infinities, as inside `detect_anomaly`."""
    return _mode.checking


@contextmanager
def _switched(name: str, on: Any) -> Iterator[None]:
    before = getattr(_mode, name)
    setattr(_mode, name, on)
    try:
        yield
    finally:
        setattr(_mode, name, before)


def checking(on: bool) -> AbstractContextManager[None]:
    """Inside this context values and gradients are looked through, or aren't."""
    return _switched("checking", on)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this context nothing is recorded and nothing is kept for a backward pass.

    It is this engine's own: ``torch.no_grad()`` stops torch's recording, and Tensors go on being recorded inside it.
    """
    with recording(False):
        yield


def recording(on: bool) -> AbstractContextManager[None]:
    """Inside this context primitives leave nodes on the tape, or don't."""
    return _switched("recording", on)


def keep_values() -> AbstractContextManager[None]:
    """Inside this context every node keeps its value and its arguments until it is walked, for `photomend.draw`."""
    return _switched("keeping", True)


def reporting(listener: Callable[[Any], object]) -> AbstractContextManager[None]:
    """Inside this context a walk over the tape tells `listener` about each leaf as soon as its gradient is complete."""
    return _switched("listener", listener)


@contextmanager
def listening() -> Iterator[Callable[[Any], object]]:
    """Who is to be told by the walk that enters this, but not by a walk inside one of its pullbacks: the gradients that
    such a one finds are part of those to come."""
    listener = _mode.listener
    with _switched("listener", None):
        yield listener or _nobody


def _nobody(leaf: object) -> None:
    pass
