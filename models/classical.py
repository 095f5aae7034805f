"""Classical fills of two image libraries: OpenCV's Telea and Navier–Stokes, and scikit-image's biharmonic.

They are what a restorer would use instead, so they stand in the table as the libraries have them. All three run on the
CPU and on a piece of the photo around the hole, which is all that they look at.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import skimage  # loads its parts when they are first used
import torch

from ..core import Array, PhotomendError
from .holes import hole_bounds
from .reconstructor import require_hole

#: Known pixels that a piece shows on each side of the hole. OpenCV looks 3 pixels far (and takes differences there),
#: the biharmonic operator 2.
CONTEXT = 16

#: A piece (h, w, 3) with values from 0 to 1 and its missing pixels (h, w) to the piece with these filled.
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]


class OpenCVFill:
    """A method of ``cv2.inpaint`` with its customary radius of 3 pixels.

    OpenCV works on 8-bit colours, so the known ones are rounded to whole grey levels for it, and what it gives are
    whole grey levels.

    Raises:
        PhotomendError: OpenCV isn't installed.
    """

    name: str
    method: str
    radius = 3

    def __init__(self) -> None:
        self.cv2 = _opencv(self.name)

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """(N, 3, H, W) with the holes of mask (N, 1, H, W) filled; known pixels are those of `masked`."""
        return _fill_pieces(masked, mask, self._fill)

    def _fill(self, piece: np.ndarray, missing: np.ndarray) -> np.ndarray:
        pixels = np.ascontiguousarray((255 * piece).round().clip(0, 255).astype(np.uint8))
        method = getattr(self.cv2, self.method)
        filled: np.ndarray = self.cv2.inpaint(pixels, missing.astype(np.uint8), self.radius, method)
        return filled / 255


class TeleaFill(OpenCVFill):
    """From the hole's edge inwards, each pixel a weighted mean of what its known neighbours and their gradients say.

    Source: Telea, *An image inpainting technique based on the fast marching method* (2004).
    """

    name = "telea"
    method = "INPAINT_TELEA"


class NavierStokesFill(OpenCVFill):
    """Lines of equal colour are led into the hole like the streamlines of a fluid.

    Source: Bertalmio, Bertozzi & Sapiro, *Navier–Stokes, fluid dynamics, and image and video inpainting* (2001).
    """

    name = "ns"
    method = "INPAINT_NS"


class BiharmonicFill:
    """The surface Δ²u = 0 through the two rows of known pixels around the hole: it continues colours *and* slopes.

    ``skimage.restoration.inpaint_biharmonic`` on a piece of the photo. The equations are those of the whole photo;
    what overshoots is clipped to the range of the known pixels of the piece, not of the photo. Time and memory grow
    with the number of missing pixels: a hole of 60 × 60 takes a hundredth of a second, one of 200 × 200 a second.

    Source: Damelin & Hoang, *On surface completion and image inpainting by biharmonic functions* (2018).
    """

    name = "biharmonic"

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """(N, 3, H, W) with the holes of mask (N, 1, H, W) filled; known pixels are those of `masked`."""
        fill = skimage.restoration.inpaint_biharmonic
        return _fill_pieces(masked, mask, lambda piece, missing: fill(piece, missing, channel_axis=-1))


def _fill_pieces(masked: Array, mask: Array, fill: Fill) -> Array:
    """`fill`, photo by photo, on the hole's bounds and CONTEXT pixels around them."""
    require_hole(masked, mask)
    filled = masked.clone()
    for i, (top, left, bottom, right) in enumerate(hole_bounds(mask)):
        rows = slice(max(top - CONTEXT, 0), bottom + CONTEXT)
        columns = slice(max(left - CONTEXT, 0), right + CONTEXT)
        target, missing = filled[i, :, rows, columns], mask[i, 0, rows, columns] > 0.5
        known = torch.where(missing, 0.0, target)
        piece = fill(known.permute(1, 2, 0).double().cpu().numpy(), missing.cpu().numpy())
        answer = torch.from_numpy(piece).permute(2, 0, 1).to(target)
        target.copy_(torch.where(missing, answer, target))
    return filled


def _opencv(model: str) -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise PhotomendError(f"model {model!r} needs OpenCV: pip install photomend[bench]") from error
    return cv2
