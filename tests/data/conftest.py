"""Photos made on the spot: no test needs a file that is not in the repository or the dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from photomend.data.photos import find_photos
from photomend.data.sources import FolderSource
from PIL import Image

from .hub_server import Hub, serve, use_hub


def smooth_photo(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth random colours, uint8 (height, width, 3): no two seeds alike, and JPEG keeps them well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def photo() -> np.ndarray:
    return smooth_photo(0, 90, 120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photos in two class folders."""
    root = tmp_path / "photos"
    for number in range(10):
        path = root / ("cat" if number < 5 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth_photo(number, 60 + number, 80)).save(path)
    return root


@pytest.fixture
def source(folder: Path) -> FolderSource:
    return FolderSource(find_photos(folder), folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the datasets below `tmp_path`/hub, which the client takes for the real one."""
    with serve(tmp_path / "hub") as server:
        use_hub(server.url, tmp_path, monkeypatch)
        yield server
