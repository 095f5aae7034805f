"""Photos to train on."""

from __future__ import annotations

import numpy as np
import pytest
from photomend.data.sources import FolderSource
from photomend.tests.models.holes import crops
from PIL import Image


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> FolderSource:
    """Ten small pictures of smooth colour."""
    folder = tmp_path_factory.mktemp("photos")
    pictures, _ = crops(10, 80, seed=3)
    for i, picture in enumerate(pictures):
        pixels = (255 * picture).round().permute(1, 2, 0).numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return FolderSource(sorted(folder.iterdir()), folder)
