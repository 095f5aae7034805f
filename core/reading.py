"""Text and JSON from files of anyone: a regular file of bounded size, and JSON that means one thing.

A pipe would wait for its writer and a device gives bytes for ever; JSON may be nested deeper than Python goes, or have
a key twice, of which two programs may take different ones.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

#: The most bytes of a text that is read: settings, a journal, a list of digests. A journal of a million photos that are
#: all unreadable, and named, has less.
MOST_TEXT = 2**28


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file.

    Raises OSError, where it can't be opened or read, and ValueError, where it is no file or has more than `most` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is a folder, a pipe or a device")
        if about.st_size > most:
            raise ValueError(f"it has {about.st_size:,} bytes, and at most {most:,} are read")
        return file.read(about.st_size)  # so much memory is asked for at once


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8. Raises OSError and ValueError, as `read_regular`."""
    return read_regular(path, MOST_TEXT).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says. Raises ValueError for what isn't JSON, is nested too deeply, or has a key twice.

    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' is there twice
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {key!r:.80} is there twice")
        made[key] = value
    return made
