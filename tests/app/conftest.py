from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from photomend.app import reconstructors

from .helpers import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(autouse=True)
def no_shipped_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What commands do must not depend on which weights come with the package; `test_shipped.py` has its own."""
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", tmp_path / "no weights")
    reconstructors.shipped.cache_clear()
    yield
    reconstructors.shipped.cache_clear()
