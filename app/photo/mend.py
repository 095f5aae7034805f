"""A picture repaired: its colours by the model, everything else that its pixels have by the harmonic fill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...data.photos import Mask
from ...models import HarmonicFill
from ...models.holes import Window
from ..repair import Repairer
from ..steps import OnStep
from .canvas import BYTE, Colours, GreyCanvas, Pixels, Places, Scale, check_mask
from .picture import HALF, Picture


def mend(
    picture: Picture,
    missing: Mask,
    repairer: Repairer,
    on_step: OnStep = lambda done, total: None,
) -> Picture:
    """Rebuild what is missing of a picture, in its own pixels; those that aren't missing keep every bit.

    Alpha, the black ink of CMYK and channels that have no name are continued smoothly from around the hole: a hole in
    an opaque photo becomes opaque, even where the damage was cut out as transparent.

    Args:
        picture: of any size and kind.
        missing: bool (H, W).
        repairer: what fills the colours.
        on_step: see `Repairer.repair`.

    Returns:
        The picture, which remembers what was `rebuilt`.

    Raises RepairError: the mask has another size, is empty, or covers the whole photo.
    """
    check_mask(missing, picture.shape)
    smooth = Repairer(HarmonicFill(), repairer.device)
    if picture.colours == "CMYK":
        continue_channel(picture.channel(3), picture.scale(~missing), missing, smooth)
    repairer.paint(picture.canvas(missing), missing, on_step)
    for number in picture.extra:
        channel = picture.channel(number)
        continue_channel(channel, Scale.of(channel, ~missing, picture.white), missing, smooth)
    if picture.transparent_palette or picture.key is not None:
        smooth.paint(Cutout(picture), missing)
    return replace(picture, rebuilt=missing)


def continue_channel(channel: Pixels, scale: Scale, missing: Mask, smooth: Repairer) -> None:
    """Fill a channel (H, W) smoothly, in place; one that is the same everywhere at no cost."""
    known = channel[~missing]
    if (known == known[0]).all():
        channel[missing] = known[0]
    else:
        smooth.paint(GreyCanvas(channel, scale), missing)


class Cutout:
    """The transparency of a picture in which a pixel's colour says whether it is transparent, as a canvas in grey."""

    def __init__(self, picture: Picture) -> None:
        self.pixels, self.palette, self.shape = picture.pixels, picture.palette, picture.shape
        self.key = None if picture.key is None else np.array(picture.key, picture.pixels.dtype)

    def colours(self, window: Window) -> Colours:
        if self.palette is not None:
            alpha = BYTE.to_unit(self.palette[self.pixels[window], 3])
        else:
            alpha = (~self.is_key(self.pixels[window])).astype(np.float32)
        return np.repeat(alpha[..., None], 3, axis=-1)

    def paint(self, rows: Places, columns: Places, colours: Colours) -> None:
        """Pixels that are rather transparent get the transparent colour, and others that have it by chance another."""
        pixels = self.pixels[rows, columns]
        transparent = colours[:, 0] < HALF
        if self.palette is not None:
            pixels[transparent] = self.palette[:, 3].argmin()
        else:
            pixels[self.is_key(pixels) & ~transparent] ^= 1  # the least that a colour can be changed
            pixels[transparent] = self.key
        self.pixels[rows, columns] = pixels

    def is_key(self, pixels: Pixels) -> Mask:
        same = np.asarray(pixels == self.key)
        return np.asarray(same.all(axis=-1)) if self.pixels.ndim == 3 else same
