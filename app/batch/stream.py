"""Standard output as the place where a repaired photo goes."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from ...core import PhotomendError
from ...core.files import write_all
from ..process import abandon_output


def require_stream(what: str) -> None:
    """Refuse, before the work, a standard output that `what` can't go to. Raises PhotomendError."""
    if sys.stdout is None:
        raise PhotomendError(f"{what} needs standard output, which is closed")


def require_no_terminal() -> None:
    """Refuse to fill a terminal with a photo. Raises PhotomendError."""
    require_stream("-o -")
    if sys.stdout.isatty():
        raise PhotomendError("standard output is a terminal, which shows no photo: -o - is for a pipe or a file")


def send(path: Path) -> None:
    """Write a file to standard output. Raises PhotomendError: its reader has left, or its disk is full."""
    sys.stdout.flush()
    try:
        write_all(sys.stdout.fileno(), path.read_bytes())
    except OSError as error:
        abandon_output()
        why = "nobody reads it any more" if error.errno == errno.EPIPE else os.strerror(error.errno or 0)
        raise PhotomendError(f"standard output: {why}; the photo is not complete there") from error
