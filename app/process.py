"""What the command `photomend` asks of its process: an orderly end, and streams that are what they seem."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

#: Signals that end a process at once unless it asks for something else: `kill`, and a terminal that goes away.
ENDING = ("SIGTERM", "SIGHUP")
#: What libraries say when the system gives them no memory; torch and libvips have no exceptions of their own for it.
NO_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "bad_alloc"),
    "failed to map segment",  # while torch is imported
)
NO_THREAD = "can't start new thread"  # whose stack is memory, too


class Stopped(KeyboardInterrupt):
    """A signal that isn't Ctrl-C's asked the process to end.

    Attributes:
        number: which one.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: drafts are removed, and it says how far it came.

    One that is ignored already, as `nohup` asks for, stays ignored.
    """
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def secure_streams() -> None:
    """Standard streams that the caller has closed lead nowhere, and no name of a file is too odd to be printed.

    The number of a closed stream would go to the next file that is opened, perhaps a photo, and a message that a
    library prints there would become part of it. `sys.stdout` stays None, so that one can see that it was closed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for all temporary files of the process, those of libraries included, that is removed at the end.

    jpeglib for one leaves its own behind when it is interrupted, or when the disk is full.

    Raises OSError: there is no place for temporary files.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="photomend-") as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def abandon_output() -> None:
    """Let the rest of what is printed go nowhere: its reader has left, or its disk is full.

    Otherwise Python would try to write what is left when it exits, and complain.
    """
    with suppress(OSError, AttributeError):  # one that was replaced, as tests do, or closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, by whatever library it was raised."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError | ImportError) and any(words in text for words in (*NO_MEMORY, NO_THREAD))


def printable(text: str) -> str:
    """The text in one line that a terminal shows as it is: control characters and broken letters are escaped.

    Names of files may hold anything but a zero and a slash.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
