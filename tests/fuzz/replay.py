"""The corpus read once more, in this process, where coverage.py sees which lines that reaches."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .fuzz import Found
from .targets import TARGETS, attempt


def replay(name: str, corpus: Path) -> Found:
    """Give a reader what the fuzzer begins with and what it has kept in the folder `corpus`, each once."""
    target, found = TARGETS[name], Found()
    kept = sorted((corpus / name).iterdir()) if (corpus / name).is_dir() else []
    with tempfile.TemporaryDirectory() as folder:
        for data in [*target.corpus(), *(path.read_bytes() for path in kept)]:
            found.inputs += 1
            try:
                found.refused += attempt(target, Path(folder, "file"), data)
            except Exception as error:
                found.findings.append(f"{type(error).__name__}: {error!s:.200}")
    return found
