"""`photomend.repair`: what the command `photomend repair` does, from Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np
from PIL import Image

from ..core import PhotomendError
from ..core.backend.runtime import choose_device
from ..data.masks import Box, boxes_mask
from ..data.photos import Mask, Photo, read_mask, read_photo
from .repair import Repairer

File: TypeAlias = str | Path | Image.Image
Missing: TypeAlias = File | Mask | Iterable[tuple[int, int, int, int]]
Model: TypeAlias = str | Path | Repairer | None


@overload
def repair(
    photo: Photo, mask: Missing, model: Model = None, *, device: str = "auto", views: int | None = None
) -> Photo: ...
@overload
def repair(
    photo: File, mask: Missing, model: Model = None, *, device: str = "auto", views: int | None = None
) -> Image.Image: ...
def repair(
    photo: File | Photo, mask: Missing, model: Model = None, *, device: str = "auto", views: int | None = None
) -> Photo | Image.Image:
    """Rebuild the missing parts of a photo.

    Args:
        photo: a file, a Pillow image, or a `uint8 (H, W, 3)` array, of any size. It stays as it is; files and images
            are worked on as upright 8-bit RGB.
        mask: what is missing: a file or a Pillow image, not black where the photo is missing; a `bool (H, W)` array,
            True where it is; or rectangles (x, y, width, height): column and row of the upper left pixel, and size.
        model: a model's name, a run folder, a weights file, or a `photomend.app.repair.Repairer`, which saves loading
            the same model for each of many photos. Without one, the shipped attention model.
        device: "auto" (a GPU if there is one), "cpu" or "cuda"; a `Repairer` has its own.
        views: 8 for test-time augmentation: eight times as long, and a little less error. A `Repairer` has its own.

    Returns:
        The repaired photo: an array for an array, else a Pillow image. Known pixels keep every bit.

    Raises:
        PhotomendError: a file that can't be read, no such model, a box outside the photo, a mask of another size than
            the photo's, or one where nothing or everything is missing.

    >>> import numpy as np
    >>> import photomend
    >>> photo = np.full((60, 80, 3), 200, np.uint8)
    >>> photo[20:30, 40:60] = 0
    >>> repaired = photomend.repair(photo, [(40, 20, 20, 10)], model="harmonic")
    >>> repaired.shape, int(repaired.min())
    ((60, 80, 3), 200)
    """
    pixels = photo if isinstance(photo, np.ndarray) else read_photo(_path(photo))
    if isinstance(mask, str | Path | Image.Image):
        missing = read_mask(_path(mask))
    elif isinstance(mask, np.ndarray):
        missing = mask
    else:
        missing = boxes_mask(map(_box, mask), *pixels.shape[:2])
    if not isinstance(model, Repairer):
        if views not in (None, 1, 8):
            raise PhotomendError(f"views (={views!r}) must be 1 or 8")
        model = Repairer.load(None if model is None else str(model), choose_device(device), views)
    repaired = model.repair(pixels, missing)
    return repaired if isinstance(photo, np.ndarray) else Image.fromarray(repaired)


def _path(source: File) -> Path | Image.Image:
    return Path(source) if isinstance(source, str) else source


def _box(numbers: tuple[int, int, int, int]) -> Box:
    try:
        return Box(*(int(number) for number in numbers))
    except (TypeError, ValueError) as error:
        raise PhotomendError(f"box: {numbers!r} is not four whole numbers (x, y, width, height)") from error
