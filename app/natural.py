"""The natural look: a hole's faithful fill drawn anew with patches of its surroundings (`models/exemplar`).

`faithful` is the least squared error, and smooth where nothing can be known; `natural` is a picture to look at.
"""

from __future__ import annotations

import numpy as np
import torch

from ..core import Array
from ..data.photos import Mask
from ..models import HarmonicFill
from ..models.exemplar import TextureFill
from ..models.exemplar.fills import SURROUNDINGS
from ..models.holes import Hole, Window, inside, near, union
from .photo.canvas import Canvas, Colours
from .pieces import Piece, crop_around, sprawls
from .side_by_side import Job, Request

LOOKS = ("faithful", "natural")
#: Pixels: a hole with a longer side keeps its faithful fill, since its patches would take too much memory.
LONGEST = 1024
#: Pixels: a hole of which no pixel is farther from a known one, diagonal steps included, keeps its faithful fill, too:
#: at 8 pixels patches gain least texture (docs/results.md), and specks come in thousands.
THIN = 4
#: What fills other holes in a hole's surroundings.
HARMONIC = HarmonicFill()


class _Drawn:
    """A model for one crop, whose faithful fill (h, w, 3) it knows, and all that is missing there (h, w)."""

    def __init__(self, texture: TextureFill, faithful: Colours, missing: Mask) -> None:
        self.texture, self.faithful, self.missing = texture, faithful, missing

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        guide = torch.from_numpy(self.faithful).permute(2, 0, 1).to(masked)
        missing = torch.from_numpy(self.missing).to(masked.device)
        return self.texture.complete(masked[0], mask[0, 0] > 0.5, missing, guide)[None]


def draws(hole: Hole, part: Piece, window: Window) -> bool:
    """Whether a piece of a hole, in this window of the photo, is drawn anew; or else it keeps its faithful fill."""
    if max(side.stop - side.start for side in part.window) > LONGEST:
        return False
    margins = [(own.start - of.start, of.stop - own.stop) for own, of in zip(part.window, window, strict=True)]
    if len(hole.rows) < (2 * THIN + 1) ** 2 and min(map(min, margins)) >= THIN:
        return False  # a pixel that far from all known ones has a square of missing ones around it
    return not bool(near(torch.from_numpy(~hole.mask(window)), THIN).all())


def redraw(
    texture: TextureFill, canvas: Canvas, mask: Mask, hole: Hole, part: Piece, window: Window, faithful: Colours
) -> Job:
    """A crop (h, w, 3), in this window of the photo, in which a piece of a hole was filled faithfully: drawn anew.

    Patches come from a larger crop.
    """
    longest = max(side.stop - side.start for side in part.window)
    wide = crop_around(part.window, mask.shape, SURROUNDINGS if sprawls(hole) else max(SURROUNDINGS, longest // 2))
    wide = union(wide, window)  # two crops around a hole are rounded and shifted by themselves
    crop, missing, place = canvas.colours(wide), mask[wide], inside(window, wide)
    own = np.zeros_like(missing)
    own[place] = hole.mask(window)
    guide = crop
    if (missing & ~own).any():
        [guide] = yield [Request(HARMONIC, crop, missing)]
    guide = guide.copy()
    guide[place][own[place]] = faithful[own[place]]
    [drawn] = yield [Request(_Drawn(texture, guide, missing), crop, own)]
    return drawn[place]
