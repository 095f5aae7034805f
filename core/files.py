"""Files that are whole at every moment: written under another name, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write `path` whole or not at all: yields a draft beside it, which takes its name when the block ends well.

    The draft doesn't exist yet; its name is hidden, unique and ends in ``.part``. A file called `path` is replaced in
    one step (readers see the old one or the new one); if the block fails, it stays as it was and the draft is removed.

    Raises:
        OSError: the draft can't be renamed, or whatever the block raises.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "notes.txt")
    >>> with replacing(path) as draft:
    ...     _ = draft.write_text("whole")
    >>> path.read_text()
    'whole'
    """
    draft = path.with_name(f".photomend-{secrets.token_hex(8)}.part")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
