"""The simple fills: noise, one colour for the whole hole, and those of OpenCV.

OpenCV's Telea and Navier–Stokes run on the CPU, on a piece of the photo around the hole, which is all that they look
at.
"""

from __future__ import annotations

import numpy as np
import torch

from ..core import Array, PhotomendError
from .holes import hole_bounds, near
from .reconstructor import Fill

#: Known pixels that OpenCV sees on each side of the hole; it looks 3 pixels far, and takes differences there.
CONTEXT = 16


class RandomFill(Fill):
    """Every missing value is drawn evenly from [0, 1).

    Args:
        seed: of the noise. Each photo of a size gets the same noise, so a result doesn't depend on its batch.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fill(self, known: Array, mask: Array) -> Array:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(known.shape[1:], generator=generator).to(known).expand_as(known)


class BorderFill(Fill):
    """Fills with the mean colour of the known pixels beside the hole (the eight neighbours count)."""

    name = "border"

    def fill(self, known: Array, mask: Array) -> Array:
        missing = mask > 0.5
        border = (near(missing, 1) & ~missing).to(known.dtype)
        return ((known * border).sum(dim=(2, 3), keepdim=True) / border.sum(dim=(2, 3), keepdim=True)).expand_as(known)


class OpenCVFill(Fill):
    """A method of ``cv2.inpaint`` with its customary radius of 3 pixels, on the hole's bounds and CONTEXT pixels
    around.

    OpenCV works on 8-bit colours: known ones are rounded to whole grey levels, and so is what it gives.

    Raises:
        PhotomendError: OpenCV isn't installed.
    """

    method: str

    def __init__(self) -> None:
        try:
            import cv2
        except ImportError as error:
            raise PhotomendError(f"model {self.name!r} needs OpenCV: pip install photomend[bench]") from error
        self.cv2 = cv2

    def fill(self, known: Array, mask: Array) -> Array:
        filled = known.clone()
        for i, bounds in enumerate(hole_bounds(mask)):
            rows, columns = bounds.window(CONTEXT, mask.shape[2:])
            colours = known[i, :, rows, columns].permute(1, 2, 0).double().cpu().numpy()
            pixels = np.ascontiguousarray((255 * colours).round().clip(0, 255).astype(np.uint8))
            missing = (mask[i, 0, rows, columns] > 0.5).cpu().numpy().astype(np.uint8)
            answer = self.cv2.inpaint(pixels, missing, 3, getattr(self.cv2, self.method)) / 255
            filled[i, :, rows, columns] = torch.from_numpy(answer).permute(2, 0, 1).to(filled)
        return filled


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
