"""The fills that take patches from the photo: alone, and with another fill as their guide."""

from __future__ import annotations

import torch

from ...core import Array
from ..harmonic import HarmonicFill
from ..holes import find_holes, window_around
from ..reconstructor import Fill, Reconstructor, fill_holes
from .blend import blend, sharpened
from .synthesis import steps_inwards, synthesize

#: Pixels around a hole whose patches are used, on each side: half its longer side, and at least so many.
SURROUNDINGS = 64
PEAK = 255.0


class ExemplarFill(Fill):
    """Patches of the photo's own, chosen so that they fit together: texture goes on, nothing is blurred.

    Where in the hole is what is a guess: the colours are led by the harmonic fill, and the roughness by that of the
    surroundings. Photos of a batch are filled one by one, and so are the holes of each, from a crop around them.

    Args:
        seed: of the random guesses in the search; the same seed gives the same bits.
    """

    name = "exemplar"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fill(self, known: Array, mask: Array) -> Array:
        filled, guide, missing = known.clone(), self.guide(known, mask), mask[:, 0] > 0.5
        for photo, led, own in zip(filled, guide, missing, strict=True):
            for hole in find_holes(own.cpu().numpy()):
                sides = [side.stop - side.start for side in hole.window]
                height, width = (side + 2 * max(SURROUNDINGS, max(sides) // 2) for side in sides)
                window = window_around(hole.window, height, width, own.shape)
                here = torch.from_numpy(hole.mask(window)).to(own.device)
                crop = photo[:, *window]
                crop.copy_(torch.where(here, self.complete(crop, here, own[window], led[:, *window]), crop))
        return filled

    def guide(self, known: Array, mask: Array) -> Array:
        """Another fill of the photos: (N, 3, H, W)."""
        return HarmonicFill().fill(known, mask)

    def complete(self, photo: Array, own: Array, missing: Array, guide: Array) -> Array:
        """A photo (3, H, W) with one hole filled, bool (H, W); see `synthesize`, but all in [0, 1]."""
        arrays = PEAK * photo.float(), own, missing, PEAK * guide.float()
        drawn, _ = synthesize(*arrays, self.seed)
        return (drawn / PEAK).clamp(0, 1).to(photo)


class TextureFill(ExemplarFill):
    """What belongs there from a network, how it is drawn from the photo: a picture to look at, not to measure.

    The network's fill is the guide. The patches that are found by it give the small steps from pixel to pixel, and it
    gives the low frequencies and what is near the hole's edge (`blend.py`).

    Args:
        model: fills the holes first.
        seed: of the random guesses in the search.
    """

    name = "texture"

    def __init__(self, model: Reconstructor, seed: int = 0) -> None:
        super().__init__(seed)
        self.model = model

    def guide(self, known: Array, mask: Array) -> Array:
        return fill_holes(self.model, known, mask)

    def complete(self, photo: Array, own: Array, missing: Array, guide: Array) -> Array:
        arrays = PEAK * photo.float(), own, missing, PEAK * guide.float()
        drawn, matches = synthesize(*arrays, self.seed)
        blended = blend(sharpened(drawn, own), arrays[3], own, steps_inwards(own), matches)
        return (blended / PEAK).clamp(0, 1).to(photo)
