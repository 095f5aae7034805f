"""Dust, hairs and scratches of a scan, found without being told where they are.

`marks.py` finds what stands out. Most of that has been photographed: highlights, whiskers, window frames. How likely a
mark is damage, a small network says for each kind of mark: ten numbers, 16 hidden units, one output. It was trained by
this project's own engine on simulated damage (`benchmarks/damage.py`, which also measures it, on other photos).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...core import PhotomendError
from ...data.photos import LUMINANCE, Mask
from ..photo.picture import Picture
from . import CERTAINTY
from .marks import SCRATCH, SPOT, TOUCHING, Numbers, Shades, common, describe, scratches, spots

#: Pixels: photos are searched in squares of this side, each with so much of its surroundings.
TILE, MARGIN = 1024, 128
#: A photo is searched again at half its size as long as its longer side has this many pixels left: for larger dust.
COARSEST = 800
#: The kinds of marks, and what is narrower than so many pixels can be one.
KINDS = {"spot": SPOT, "scratch": SCRATCH}
LUMA = LUMINANCE.astype(np.float32)


class Judge(NamedTuple):
    """Tells damage from what was photographed, by the numbers x that `describe` gives: σ(v·relu(W z + b) + c), in which
    z are the numbers with mean 0 and deviation 1.

    Attributes:
        mean, deviation: of the numbers that it was trained on, (10,).
        hidden_weight, hidden_bias: W (16, 10) and b (16,).
        weight, bias: v (1, 16) and c (1,).
    """

    mean: Numbers
    deviation: Numbers
    hidden_weight: Numbers
    hidden_bias: Numbers
    weight: Numbers
    bias: Numbers

    def likelihood(self, numbers: Numbers) -> Numbers:
        """How likely each of n marks, (n, 10), is damage: (n,), between 0 and 1."""
        hidden = (numbers - self.mean) / self.deviation @ self.hidden_weight.T + self.hidden_bias
        logit = hidden.clip(0) @ self.weight.T + self.bias
        return 1 / (1 + np.exp(-logit[:, 0].clip(-50, 50)))


@cache
def judges() -> dict[str, Judge]:
    """The trained ones, for spots and scratches."""
    with np.load(Path(__file__).with_name("judges.npz")) as arrays:
        return {kind: Judge(*(arrays[f"{kind}.{name}"] for name in Judge._fields)) for kind in KINDS}


class Marks(NamedTuple):
    """Candidates of one kind in a part of a photo: labels (H, W), and the numbers (n, 10) of each."""

    kind: str
    labels: NDArray[np.int32]
    numbers: Numbers


def find_damage(pixels: NDArray[np.uint8], certainty: float = CERTAINTY) -> Mask:
    """The dust, hairs and scratches on a scan.

    Light and dark ones of up to 10 pixels across, or as much of a smaller version where the photo is large. They are
    found with a pixel of their soft edge. Whoever has time should look at them: a highlight can look like dust.

    Args:
        pixels: uint8 (H, W), or (H, W, 3) in RGB.
        certainty: how likely a mark has to be damage, between 0 and 1.

    Returns bool (H, W), True where the photo is damaged.

    Raises PhotomendError: other pixels, or another certainty.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise PhotomendError(f"pixels must be uint8 (H, W) or (H, W, 3), not {pixels.dtype} {pixels.shape}")
    if not 0 < certainty < 1:
        raise PhotomendError(f"certainty (={certainty}) must be between 0 and 1")
    shades: Shades = pixels if pixels.ndim == 2 else np.rint(pixels @ LUMA).astype(np.uint8)
    found, factor = np.zeros(shades.shape, np.bool_), 1
    while True:
        level = _search(shades, certainty).repeat(factor, axis=0).repeat(factor, axis=1)
        down, across = level.shape
        found[:down, :across] |= level
        if max(shades.shape) < 2 * COARSEST:
            return ndimage.binary_dilation(found, TOUCHING)
        height, width = (side // 2 for side in shades.shape)
        pairs = shades[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
        shades, factor = np.rint(pairs.mean(axis=(1, 3))).astype(np.uint8), 2 * factor


def shades_of(picture: Picture) -> Shades:
    """A picture of any kind as `find_damage` takes it, uint8 (H, W)."""
    height, width = picture.shape
    canvas, shades = picture.canvas(np.zeros(picture.shape, np.bool_)), np.empty(picture.shape, np.uint8)
    for top in range(0, height, TILE):
        window = slice(top, min(top + TILE, height)), slice(0, width)
        shades[window] = np.rint(255 * np.nan_to_num(canvas.colours(window) @ LUMA).clip(0, 1))
    return shades


def _search(shades: Shades, certainty: float) -> Mask:
    """The damage (H, W) at one size, square by square."""
    height, width = shades.shape
    found = np.zeros(shades.shape, np.bool_)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            first, start = max(0, top - MARGIN), max(0, left - MARGIN)
            around = shades[first : top + TILE + MARGIN, start : left + TILE + MARGIN]
            damaged = np.zeros(around.shape, np.bool_)
            for kind, labels, numbers in candidates(around):
                likely = judges()[kind].likelihood(numbers) >= certainty
                damaged |= np.concatenate(([False], likely))[labels]
            own = damaged[top - first :, left - start :][:TILE, :TILE]
            found[top : top + TILE, left : left + TILE] = own
    return found


def candidates(shades: Shades) -> Iterator[Marks]:
    """All marks in a part of a photo, light and dark."""
    for light in (shades, 255 - shades):
        for kind, size in KINDS.items():
            tophat: Shades = light - ndimage.grey_opening(light, (size, size), mode="nearest")
            level = common(tophat)
            labels, n = spots(tophat, level) if kind == "spot" else scratches(light, tophat, level)
            if n:
                yield Marks(kind, labels, describe(light, tophat, level, labels, n))
