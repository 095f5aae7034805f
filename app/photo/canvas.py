"""A canvas: how a photo of any kind shows its pixels as the colours that a model works on, and takes them back.

Models know RGB between 0 and 1. Grey is shown as three equal channels, and comes back as their mean; a palette as its
colours, and each rebuilt pixel takes the nearest; ink (CMYK) as the light that it leaves, and comes back with the black
ink that is there already, so that the colour is the model's and the separation that of the surroundings.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core import PhotomendError
from ...data.photos import Mask
from ...models.holes import Window

Colours = np.ndarray[Any, np.dtype[Any]]  # float32 (h, w, 3), or (n, 3), in [0, 1]
Pixels = NDArray[Any]
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


class Scale(NamedTuple):
    """The numbers that mean black and white in a photo, and their type."""

    black: float
    white: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, pixels: Pixels, known: Mask, white: int | None = None) -> Scale:
        """The scale of pixels (H, W) or (H, W, C).

        Unsigned integers go up to their largest, or to `white` where fewer bits are used (1023 for 10). Floats between
        0 and 1 are taken as they are; others, and signed integers, from the least to the greatest that is `known`.
        """
        kind = pixels.dtype.kind
        if kind == "b":
            return cls(0, 1, pixels.dtype)
        if kind == "u" and pixels.dtype.itemsize <= 2:
            return cls(0, white or np.iinfo(pixels.dtype).max, pixels.dtype)
        values = pixels[known]
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        if (kind == "f" and low >= 0 and high <= 1) or low == high:
            low, high = (0, 1) if kind == "f" and 0 <= low <= 1 else (low, low + 1)
        return cls(low, high, pixels.dtype)

    def to_unit(self, values: Pixels) -> Colours:
        """Numbers of the photo to float32 in [0, 1]."""
        if self.dtype.itemsize <= 2 and self.dtype.kind in "bu":
            return values.astype(np.float32) / np.float32(self.white)
        return ((values.astype(np.float64) - self.black) / (self.white - self.black)).astype(np.float32)

    def from_unit(self, colours: Colours) -> Pixels:
        """What `to_unit` gave, as numbers of the photo: rounded where these are whole."""
        if self.dtype.kind == "f":
            return (colours.astype(np.float64) * (self.white - self.black) + self.black).astype(self.dtype)
        if self.black == 0:
            return np.rint(colours * np.float32(self.white)).astype(self.dtype)
        return np.rint(colours.astype(np.float64) * (self.white - self.black) + self.black).astype(self.dtype)


BYTE = Scale(0, 255, np.dtype(np.uint8))


class RGBCanvas:
    """The first three channels of an array (H, W, C), painted in place."""

    def __init__(self, pixels: Pixels, scale: Scale = BYTE) -> None:
        self.pixels, self.scale = pixels, scale

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.pixels.shape[:2]
        return height, width

    def colours(self, window: Window) -> Colours:
        return self.scale.to_unit(self.pixels[window][..., :3])

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        self.pixels[rows, columns, :3] = self.scale.from_unit(colours)


class GreyCanvas(RGBCanvas):
    """An array (H, W): one channel, shown as three equal ones."""

    def colours(self, window: Window) -> Colours:
        return np.repeat(self.scale.to_unit(self.pixels[window])[..., None], 3, axis=-1)

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        self.pixels[rows, columns] = self.scale.from_unit(colours.mean(axis=-1))


class InkCanvas(RGBCanvas):
    """Cyan, magenta, yellow and black ink, the first four channels of an array (H, W, C); the more, the darker.

    Light that is left: (1 − C)(1 − K), and so for M and Y, which is the simple model that Pillow converts by. What is
    painted takes the black ink that stands in the array, as far as the colour is not too light for it.
    """

    def colours(self, window: Window) -> Colours:
        ink = self.scale.to_unit(self.pixels[window][..., :4])
        return (1 - ink[..., :3]) * (1 - ink[..., 3:])

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        black = self.scale.to_unit(self.pixels[rows, columns, 3:4])
        black = np.minimum(black, 1 - colours.max(axis=-1, keepdims=True))
        light = np.divide(colours, 1 - black, out=np.zeros_like(colours), where=black < 1)
        self.pixels[rows, columns, :4] = self.scale.from_unit(np.concatenate((1 - light, black), axis=-1))


class PaletteCanvas(RGBCanvas):
    """Indices (H, W) into a palette, uint8 (N, 4) with alpha; rebuilt pixels take the nearest of its opaque colours."""

    def __init__(self, pixels: Pixels, palette: NDArray[np.uint8]) -> None:
        super().__init__(pixels)
        from scipy.spatial import KDTree  # here, as below, because it takes a moment and most photos need none

        self.palette = palette
        opaque = palette[:, 3] == 255
        self.choice = np.flatnonzero(opaque if opaque.any() else np.ones_like(opaque))
        self.nearest = KDTree(BYTE.to_unit(palette[self.choice, :3]))

    def colours(self, window: Window) -> Colours:
        return BYTE.to_unit(self.palette[self.pixels[window], :3])

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        self.pixels[rows, columns] = self.choice[self.nearest.query(colours)[1]]


class Hiding:
    """A canvas some of whose known pixels show no colour: transparent ones, and floats that aren't finite.

    What is stored there, often black, must not leak into the hole beside it, so they are shown in the colour of the
    nearest pixel that is seen. What is painted goes to the canvas as it is.
    """

    def __init__(self, canvas: Canvas, hidden: Mask, missing: Mask) -> None:
        self.canvas, self.hidden, self.missing = canvas, hidden, missing

    @property
    def shape(self) -> tuple[int, int]:
        return self.canvas.shape

    def colours(self, window: Window) -> Colours:
        colours, hidden = self.canvas.colours(window), self.hidden[window]
        unseen = hidden | self.missing[window]
        if not hidden.any():
            return colours
        if unseen.all():
            return np.where(hidden[..., None], np.float32(0.5), colours)
        from scipy import ndimage

        nearest = ndimage.distance_transform_edt(unseen, return_distances=False, return_indices=True)
        colours[hidden] = colours[tuple(nearest)][hidden]
        return colours

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        self.canvas.paint(rows, columns, colours)


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
