"""Atomic file replacement: a file is written under another name, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write `path` completely or not at all: yields the name of a draft beside it, renamed when the block succeeds.

    The draft doesn't exist yet; its name is hidden, unique and ends in ``.part``. A file called `path` is replaced in
    one step (readers see the old one or the new one); if the block fails, it stays as it was and the draft is removed.

    Raises:
        OSError: the draft can't be renamed, or whatever the block raises.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "notes.txt")
    >>> with replacing(path) as draft:
    ...     _ = draft.write_text("complete")
    >>> path.read_text()
    'complete'
    """
    draft = path.with_name(f".photomend-{secrets.token_hex(8)}.part")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
