"""Dust, hairs and scratches of a scan, found without being told where they are.

`marks.py` finds what stands out. Most of that has been photographed: highlights, whiskers, window frames. How likely a
mark is damage, a small network says for each kind of mark: ten numbers, 16 hidden units, one output. It was trained by
this project's own engine on simulated damage (`benchmarks/damage.py`, which also measures it, on other photos).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...core import PhotomendError
from ...data.photos import LUMINANCE, Mask
from ..photo.picture import Picture
from ..steps import OnStep
from . import CERTAINTY
from .marks import (
    SCRATCH,
    SPOT,
    Numbers,
    Shades,
    both_sides,
    common,
    describe,
    extreme,
    scratches,
    spots,
    white_tophat,
)

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


def find_damage(
    pixels: NDArray[np.uint8], certainty: float = CERTAINTY, on_step: OnStep = lambda done, total: None
) -> Mask:
    """The dust, hairs and scratches on a scan.

    Light and dark ones of up to 10 pixels across, or as much of a smaller version where the photo is large. They are
    found with a pixel of their soft edge. Whoever has time should look at them: a highlight can look like dust.

    Args:
        pixels: uint8 (H, W), or (H, W, 3) in RGB.
        certainty: how likely a mark has to be damage, between 0 and 1.
        on_step: told after each square of the photo how many are done, and of how many.

    As many squares are searched at a time as torch has threads.

    Returns bool (H, W), True where the photo is damaged.

    Raises PhotomendError: other pixels, or another certainty.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise PhotomendError(f"pixels must be uint8 (H, W) or (H, W, 3), not {pixels.dtype} {pixels.shape}")
    if not 0 < certainty < 1:
        raise PhotomendError(f"certainty (={certainty}) must be between 0 and 1")
    shades: Shades = pixels if pixels.ndim == 2 else np.rint(pixels @ LUMA).astype(np.uint8)
    levels = [shades]
    while max(levels[-1].shape) >= 2 * COARSEST:
        levels.append(_halved(levels[-1]))
    found = [np.zeros(level.shape, np.bool_) for level in levels]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        searches = {
            pool.submit(_search, level, square, certainty): own[square]
            for level, own in zip(levels, found, strict=True)
            for square in _squares(level.shape)
        }
        try:
            for done, search in enumerate(as_completed(searches), 1):
                searches[search][:] = search.result()
                on_step(done, len(searches))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for number, level in enumerate(found[1:], 1):
        larger = level.repeat(2**number, axis=0).repeat(2**number, axis=1)
        found[0][: larger.shape[0], : larger.shape[1]] |= larger
    return extreme(np.maximum, found[0], 3)


def _halved(shades: Shades) -> Shades:
    """A photo at half its size."""
    height, width = (side // 2 for side in shades.shape)
    pairs = shades[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return np.rint(pairs.mean(axis=(1, 3))).astype(np.uint8)


def _squares(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """The squares of a photo (H, W) that are searched one by one."""
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            yield slice(top, top + TILE), slice(left, left + TILE)


def shades_of(picture: Picture) -> Shades:
    """A picture of any kind as `find_damage` takes it, uint8 (H, W)."""
    height, width = picture.shape
    canvas, shades = picture.canvas(np.zeros(picture.shape, np.bool_)), np.empty(picture.shape, np.uint8)
    for top in range(0, height, TILE):
        window = slice(top, min(top + TILE, height)), slice(0, width)
        shades[window] = np.rint(255 * np.nan_to_num(canvas.colours(window) @ LUMA).clip(0, 1))
    return shades


def _search(shades: Shades, square: tuple[slice, slice], certainty: float) -> Mask:
    """The damage in a square of a photo, (h, w)."""
    top, left = (max(0, side.start - MARGIN) for side in square)
    around = shades[top : square[0].stop + MARGIN, left : square[1].stop + MARGIN]
    damaged = np.zeros(around.shape, np.bool_)
    for kind, labels, numbers in candidates(around):
        likely = judges()[kind].likelihood(numbers) >= certainty
        damaged |= np.concatenate(([False], likely))[labels]
    return damaged[square[0].start - top :, square[1].start - left :][:TILE, :TILE]


def candidates(shades: Shades) -> Iterator[Marks]:
    """All marks in a part of a photo, light and dark."""
    for side in both_sides(shades):
        for kind, size in KINDS.items():
            tophat = white_tophat(side.shades, size)
            level = common(tophat)
            labels, n = spots(tophat, level) if kind == "spot" else scratches(side.shades, tophat, level)
            if n:
                yield Marks(kind, labels, describe(side, tophat, level, labels, n))
