"""A canvas: how a photo of any kind shows its pixels as the colours that a model works on, and takes them back."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core import PhotomendError
from ...data.photos import Mask, Photo
from ...models.holes import Window

Colours = np.ndarray[Any, np.dtype[Any]]  # float32 (h, w, 3), or (n, 3), in [0, 1]
Places = NDArray[np.intp]


class RepairError(PhotomendError):
    """A photo and mask that cannot be repaired: sizes that differ, nothing missing, or nothing known."""


class Canvas(Protocol):
    """Pixels (H, W) of any kind. Only what is painted changes: every other pixel keeps its bits."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""

    def colours(self, window: Window) -> Colours:
        """The colours of a window, float32 (h, w, 3) in [0, 1]: an array of its own."""

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        """Set n pixels, at these rows (n,) and columns (n,), to `colours`, float32 (n, 3)."""


#: What 8-bit colours are divided by; a Python number would make them float64 to the type checker.
WHITE = np.float32(255)


class RGBCanvas:
    """The canvas of a photo `uint8 (H, W, 3)`, which is painted in place."""

    def __init__(self, photo: Photo) -> None:
        self.pixels: NDArray[np.uint8] = photo

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.pixels.shape[:2]
        return height, width

    def colours(self, window: Window) -> Colours:
        return self.pixels[window].astype(np.float32) / WHITE

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        self.pixels[rows, columns] = np.rint(colours * WHITE).astype(np.uint8)


def check_mask(mask: Mask, shape: tuple[int, int]) -> None:
    """Refuse masks that no repair can use, for a photo of this shape (H, W): the one place where masks are
    checked on their way in.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise RepairError(f"the mask must be bool (H, W), not {mask.dtype} {mask.shape}")
    if shape != mask.shape:
        (photo_height, photo_width), (height, width) = shape, mask.shape
        raise RepairError(f"the mask is {width}×{height} pixels, the photo {photo_width}×{photo_height}")
    if not mask.any():
        raise RepairError("the mask is empty: nothing is missing")
    if mask.all():
        raise RepairError("the mask covers the whole photo: nothing is known")
