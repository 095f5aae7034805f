"""Training crops: a new piece of a photo with a new hole each time the photo is seen."""

from __future__ import annotations

from math import acos, cos, degrees, radians, sin, sqrt

import numpy as np
from PIL import Image

from ..core import PhotomendError
from .masks import Box, box_mask, random_box
from .photos import Mask, Photo

SCALES = (0.9, 1.25)
ASPECTS = (0.95, 1.05)
ROTATION_SHARE = 0.25
ROTATION_DEGREES = 10.0
# Pillow first reduces a large photo by box averages to three times the wanted size: faster, and not visibly different.
REDUCING_GAP = 3.0
#: Known pixels between the holes of a crop, and between them and its sides.
GAP = 8
#: After so many failed attempts to place another hole, a crop is full.
TRIES = 20


def training_crop(
    photo: Photo,
    rng: np.random.Generator,
    size: int = 128,
    side: int = 224,
    hole: tuple[int, int] = (30, 60),
    holes: int = 1,
) -> tuple[Photo, Mask]:
    """A `size` × `size` crop of `photo` (H, W, 3) and its mask `(size, size)`, True = missing.

    The photo is scaled to the protocol's `side` × `side`, times a random scale and a slight change of aspect. A hole
    with sides from `hole` (see `random_box`) falls anywhere in it, and the crop is centred on the hole, with some
    jitter, and moved into the photo: a hole lies at the crop's edge only where it lies at the photo's, as often as
    under the protocol. One crop in four is rotated by up to ±10°, as far as it stays inside the photo; one in two is
    mirrored. The crop is resampled once (rotated: twice) from the original.

    With `holes` above 1 the crop lies anywhere that leaves GAP known pixels around the hole, and more such holes are
    placed in it, each GAP pixels from its sides and from the others, until there are `holes` or no more fit. Each crop
    then teaches more, but its holes have fewer known pixels around them, and large ones fit less often.

    Raises:
        PhotomendError: `size` exceeds `side`, holes don't fit into `size`, or `holes` is below 1.
    """
    check_crop(size, side, hole, holes)
    scale, aspect = rng.uniform(*SCALES), sqrt(rng.uniform(*ASPECTS))
    width = max(size, round(side * scale * aspect))
    height = max(size, round(side * scale / aspect))
    box = random_box(rng, height, width, *hole)
    left = _crop_start(rng, box.x, box.width, size, width, centred=holes == 1)
    top = _crop_start(rng, box.y, box.height, size, height, centred=holes == 1)

    image = Image.fromarray(photo)
    turned = rng.random() < ROTATION_SHARE
    angle = rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES)
    if turned:
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
        crop = _turned_crop(image, left, top, size, angle)
    else:
        across, down = photo.shape[1] / width, photo.shape[0] / height
        right = min((left + size) * across, photo.shape[1])  # rounding may not carry it past the edge
        bottom = min((top + size) * down, photo.shape[0])
        region = (left * across, top * down, right, bottom)
        crop = image.resize((size, size), Image.Resampling.BICUBIC, region, REDUCING_GAP)

    pixels = np.array(crop)
    mask = box_mask(Box(box.x - left, box.y - top, box.width, box.height), size, size)
    mask = _more_holes(mask, rng, hole, holes - 1)
    if rng.random() < 0.5:
        pixels, mask = np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    return pixels, mask


def check_crop(size: int, side: int, hole: tuple[int, int], holes: int = 1) -> None:
    """Raises PhotomendError where `size` exceeds `side`, holes don't fit into `size`, or `holes` is below 1."""
    if not 1 <= size <= side:
        raise PhotomendError(f"crop or window (={size}) must be from 1 to {side}, the side that photos are scaled to")
    if not 0 <= hole[0] <= hole[1]:
        raise PhotomendError(f"hole (={hole[0]}..{hole[1]}) must be a range from 0 on")
    if size <= hole[1] + 1:
        raise PhotomendError(f"crop or window (={size}) must be above {hole[1] + 1}, the longest side of the holes")
    if holes < 1:
        raise PhotomendError(f"holes (={holes}) must be at least 1")


def _more_holes(mask: Mask, rng: np.random.Generator, hole: tuple[int, int], wanted: int) -> Mask:
    """The (S, S) mask with up to `wanted` more holes, each at least GAP pixels from every other and from the sides."""
    size, tries = len(mask), TRIES
    within = size - 2 * GAP
    if within <= hole[1]:
        return mask
    while wanted and tries:
        box = random_box(rng, within, within, *hole)  # GAP to the right of and below where its numbers say
        if mask[box.y : box.y + box.height + 2 * GAP, box.x : box.x + box.width + 2 * GAP].any():
            tries -= 1
            continue
        mask = mask | box_mask(box._replace(x=box.x + GAP, y=box.y + GAP), size, size)
        wanted -= 1
    return mask


def _crop_start(rng: np.random.Generator, hole: int, hole_length: int, size: int, length: int, centred: bool) -> int:
    """Where the crop begins along one axis: around the hole, off its centre by up to half the room beside it, or by as
    much as leaves GAP pixels on either side."""
    room = size - hole_length
    most = room // 4 if centred else max(0, room // 2 - GAP)
    start = hole - room // 2 + int(rng.integers(-most, most, endpoint=True))
    return min(max(start, 0), length - size)


def _turned_crop(image: Image.Image, left: int, top: int, size: int, angle: float) -> Image.Image:
    """The crop rotated about its centre by `angle` degrees, or by as much as keeps its corners in the photo.

    A square of half side a, rotated by θ, reaches a(cos θ + sin θ) = a√2 · cos(45° − θ) from its centre.
    """
    x, y = left + size / 2, top + size / 2
    reach = min(x, y, image.width - x, image.height - y)
    most = 45 - degrees(acos(min(1.0, reach / (size / 2 * sqrt(2)))))
    theta = radians(min(max(angle, -most), most))
    c, s = cos(theta), sin(theta)
    # Pillow maps a pixel of the result to where it comes from: the centre plus the rotated offset from it.
    matrix = (c, -s, x - size / 2 * (c - s), s, c, y - size / 2 * (s + c))
    return image.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
