"""What a person said is missing, by any of the ways to say it, as the mask of one photo."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...data.masks import Box, boxes_mask
from ...data.photos import Mask
from ..photo.canvas import RepairError, check_mask
from ..photo.picture import Picture
from ..repair import Repairer
from ..steps import OnStep
from . import CERTAINTY
from .colours import Colour, find_colour, find_transparent, make_opaque
from .feather import mend_feathered
from .reading import is_lossy, is_painted_black, read_mask, turn_like
from .shaping import shape

File = Path | Image.Image
#: More than this share of a photo is hardly what somebody means to have rebuilt.
MUCH = 0.5


class NothingFoundError(RepairError):
    """No damage on a photo, which is a good end of a search for it, but leaves nothing to repair."""


def damage_of(picture: Picture, certainty: float = CERTAINTY, on_step: OnStep = lambda done, total: None) -> Mask:
    """The damage that is found on a picture of any kind: bool (H, W). Transparent pixels have none.

    `on_step` is that of `find_damage`.

    Raises PhotomendError: the certainty isn't between 0 and 1.
    """
    from .damage import find_damage, shades_of  # here, because they bring scipy along
    from .paint import find_paint

    shades, hidden = shades_of(picture), picture.hidden()
    found = find_damage(shades, certainty, on_step) | find_paint(shades, is_lossy(picture))
    return found if hidden is None else found & ~hidden


@dataclass(frozen=True)
class Choice:
    """Ways to say what is missing; what any of them names is. A photo's mask file comes with the photo.

    Attributes:
        boxes: rectangles.
        alpha: whether what is transparent is missing, and becomes opaque.
        damage: whether dust, hairs and scratches are missing, and what is painted over in black.
        certainty: how likely marks have to be damage; see `find_damage`.
        colour: the colour of damage that was painted over.
        tolerance: how far from it a pixel may be; see `find_colour`.
        threshold: see `read_mask` and `find_transparent`.
        invert: whether mask files are white where the photo is known.
        grow: by how many pixels all this is grown.
        feather: how many known pixels around it are blended; see `mend_feathered`.
    """

    boxes: Sequence[Box] = ()
    alpha: bool = False
    damage: bool = False
    certainty: float = CERTAINTY
    colour: Colour | None = None
    tolerance: int | None = None
    threshold: int | None = None
    invert: bool = False
    grow: int = 0
    feather: int = 0

    def __bool__(self) -> bool:
        """Whether it says anything without a mask file."""
        return bool(self.boxes) or self.alpha or self.damage or self.colour is not None

    def missing(
        self, picture: Picture, mask: File | Mask | None = None, on_step: OnStep = lambda done, total: None
    ) -> Mask:
        """What is missing of a photo, bool (H, W). `on_step` is told how far a search for damage is.

        Warns if that is more than half of it: then white is likely to mean what is known.

        Raises:
            PhotoError: the mask can't be read.
            BoxError, RepairError: a box leaves the photo, the mask has another size, nothing is transparent.
            NothingFoundError: no damage is found, and nothing else is missing.
            PhotomendError: a threshold, tolerance or number of pixels that makes no sense.
        """
        missing = boxes_mask(self.boxes, *picture.shape)
        if mask is not None:
            given = mask if isinstance(mask, np.ndarray) else _read(mask, self.threshold, picture)
            if given.dtype != np.bool_ or given.shape != missing.shape:
                check_mask(given, picture.shape)
            missing |= shape(given, invert=self.invert)
        if self.damage:
            missing |= damage_of(picture, self.certainty, on_step)
        if self.colour is not None:
            missing |= find_colour(picture, self.colour, self.tolerance)
        if self.alpha:
            missing |= find_transparent(picture, self.threshold)
        if mask is None and not self.boxes and not missing.any():
            raise (NothingFoundError if self.damage else RepairError)(self._nothing())
        if mask is not None and not isinstance(mask, np.ndarray) and not missing.any() and is_painted_black(mask):
            raise RepairError("the mask is empty: what is painted on it is black, which means known; paint in white")
        missing = shape(missing, grow=self.grow)
        if MUCH < (share := np.count_nonzero(missing) / missing.size) < 1:
            name = f"{picture.origin.path}: " if picture.origin is not None else ""
            question = "" if mask is None or self.invert else "; is white what is known? Then --invert (invert=True)"
            warnings.warn(f"{name}{100 * share:.0f} % of the photo is missing{question}", stacklevel=2)
        return missing

    def _nothing(self) -> str:
        """Why nothing is missing, where no mask or box says what is."""
        reasons = ["nothing of it is transparent"] if self.alpha else []
        reasons += ["no damage is found, nor black paint"] if self.damage else []
        reasons += ["no pixel has the colour {},{},{}".format(*self.colour)] if self.colour is not None else []
        return ", and ".join(reasons)

    def mend(
        self,
        picture: Picture,
        missing: Mask,
        repairer: Repairer,
        on_step: OnStep = lambda done, total: None,
    ) -> Picture:
        """`mend`, feathered, and opaque where what was transparent was missing."""
        mended = mend_feathered(picture, missing, repairer, self.feather, on_step)
        if self.alpha:
            make_opaque(mended, missing)
        return mended


def _read(mask: File, threshold: int | None, picture: Picture) -> Mask:
    """A mask file, turned as the photo was where that makes it fit. Raises RepairError for the photo itself."""
    turned = picture.origin.turned if picture.origin is not None else 1
    if isinstance(mask, Path) and picture.origin is not None and mask.resolve() == picture.origin.path.resolve():
        raise RepairError("the mask is the photo itself")
    return turn_like(read_mask(mask, threshold), picture.shape, turned)
