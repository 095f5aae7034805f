"""A photo as a scan of an old print or film would show it: soft, grainy, faded, with dust, hairs and scratches.

What lies on the scanner's glass or the film is sharper than what the lens drew years ago. Damage is drawn four times as
large, then averaged, and has its own opacity; mostly it is light (dust on a negative) or mostly dark (on a slide).
"""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from photomend.app.masks.damage import LUMA
from PIL import Image, ImageDraw
from scipy import ndimage

Photo = NDArray[np.uint8]
Numbers = NDArray[np.float32]
Window = tuple[slice, slice]

#: How many times as large damage is drawn.
LARGE = 4
#: Grey levels that damage changes on average to be seen at all.
VISIBLE = 20
#: How many of each kind a scan has: from, and up to, but without it.
AMOUNTS = {"dust": (10, 60), "scratch": (1, 6), "hair": (0, 4)}
NONE = dict.fromkeys(AMOUNTS, (0, 1))


class Damage(NamedTuple):
    """One piece of damage: its kind, the part of the photo where it is, and its pixels there, bool (h, w)."""

    kind: str
    window: Window
    mask: NDArray[np.bool_]


class Scan(NamedTuple):
    """A simulated scan: its pixels, uint8 (H, W, 3), everything that damages it, and of this what can be seen."""

    pixels: Photo
    damage: list[Damage]
    visible: list[Damage]

    @property
    def mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(self.pixels.shape[:2], np.bool_)
        for _, window, own in self.damage:
            mask[window] |= own
        return mask


def simulate(photo: Photo, rng: np.random.Generator, amounts: dict[str, tuple[int, int]] = AMOUNTS) -> Scan:
    """A scan of a photo, uint8 (H, W, 3), with random damage; half of them grey or sepia, half JPEGs."""
    height, width = photo.shape[:2]
    pixels = _aged(photo, rng)
    before, damage, light = pixels.copy(), [], 0.9 if rng.random() < 0.6 else 0.1
    for kind, amount in amounts.items():
        for _ in range(rng.integers(*amount)):
            if (drawn := _draw(kind, rng, height, width)) is None:
                continue
            window, opacity = drawn
            shade = rng.uniform(205, 255) if rng.random() < light else rng.uniform(0, 55)
            pixels[window] += (shade - pixels[window]) * opacity[..., None]
            damage.append(Damage(kind, window, opacity > 0.15))
    blur = rng.uniform(0.3, 0.7)
    changed = ndimage.gaussian_filter(np.abs(pixels - before).mean(axis=2), blur)
    visible = [each for each in damage if each.mask.any() and changed[each.window][each.mask].mean() > VISIBLE]
    noisy = ndimage.gaussian_filter(pixels, (blur, blur, 0)) + rng.normal(0, 1.5, (height, width, 1))
    scan = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    if rng.random() < 0.5:
        file = BytesIO()
        Image.fromarray(scan).save(file, "JPEG", quality=int(rng.integers(85, 96)))
        scan = np.array(Image.open(file))
    return Scan(scan, damage, visible)


def _aged(photo: Photo, rng: np.random.Generator) -> Numbers:
    """The photo soft and grainy, half of the time grey, faded, perhaps sepia."""
    pixels = photo.astype(np.float32)
    if rng.random() < 0.5:
        pixels = np.repeat((pixels @ LUMA)[..., None], 3, axis=2)
        pixels *= np.array((1, 0.93, 0.8), np.float32) if rng.random() < 0.5 else 1
        low, high = rng.uniform(0, 40), rng.uniform(200, 255)
        pixels *= (high - low) / 255
        pixels += low
    blur = rng.uniform(0.7, 1.8)
    grain = ndimage.gaussian_filter(rng.normal(0, rng.uniform(2, 12), pixels.shape[:2]), 0.7)
    return ndimage.gaussian_filter(pixels, (blur, blur, 0)) + grain[..., None].astype(np.float32)


def _draw(kind: str, rng: np.random.Generator, height: int, width: int) -> tuple[Window, Numbers] | None:
    """Where one piece of damage is, and how opaque it is there (h, w); None if it misses the photo."""
    points, thick = {"dust": _dust, "hair": _hair, "scratch": _scratch}[kind](rng, height, width)
    low = np.floor(points.min(axis=0) - thick - 2).astype(int).clip(0)
    high = np.minimum(np.ceil(points.max(axis=0) + thick + 2).astype(int), (width, height))
    across, down = high - low
    if across <= 0 or down <= 0:
        return None
    canvas = Image.new("L", (across * LARGE, down * LARGE))
    places = [tuple(point) for point in (points - low) * LARGE]
    if kind == "dust":
        ImageDraw.Draw(canvas).polygon(places, fill=255)
    else:
        ImageDraw.Draw(canvas).line(places, fill=255, width=max(1, round(LARGE * thick)), joint="curve")
    small = canvas.resize((int(across), int(down)), Image.Resampling.BOX)
    opacity = np.asarray(small).astype(np.float32)
    opacity *= rng.uniform(0.65, 1) / 255
    if kind == "scratch" and rng.random() < 0.5:  # uneven along its length
        uneven = ndimage.zoom(rng.random((down // 24 + 2, across // 24 + 2)), 24, order=1)[:down, :across]
        opacity *= (0.3 + 1.4 * uneven).clip(0, 1).astype(np.float32)
    return (slice(low[1], high[1]), slice(low[0], high[0])), opacity


def _dust(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], float]:
    """The corners (12, 2) of an uneven, long blob of 1 to 5 pixels around its middle."""
    radii = np.exp(rng.uniform(np.log(1.2), np.log(5)) + rng.normal(0, 0.25, 12))
    turns, turn = np.linspace(0, 2 * np.pi, 12, endpoint=False), rng.uniform(0, np.pi)
    long = rng.uniform(1, 2.2)
    x, y = radii * np.cos(turns) * long, radii * np.sin(turns) / np.sqrt(long)
    turned = np.stack((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)), axis=1)
    return turned + rng.uniform((0, 0), (width, height)), 0.0


def _hair(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], float]:
    """The way (n, 2) of a curl of 30 to 120 pixels, and its thickness."""
    steps = rng.integers(15, 60)
    bend = ndimage.gaussian_filter1d(rng.normal(0, 0.1, steps), 5) + rng.normal(0, 0.04)
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    way = np.cumsum(2 * np.stack((np.cos(turns), np.sin(turns)), axis=1), axis=0)
    return way + rng.uniform((0, 0), (width, height)), rng.uniform(0.8, 2)


def _scratch(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], float]:
    """The way of a scratch: of a film from edge to edge, or of a print, 60 to 400 pixels long."""
    thick = rng.uniform(0.7, 2.5)
    if rng.random() < 0.35:
        along = np.arange(-10, height + 50, 40.0)
        return np.stack((rng.uniform(0, width) + rng.normal(0, 0.3, len(along)), along), axis=1), thick
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.03, rng.integers(6, 40)))
    way = np.cumsum(10 * np.stack((np.cos(turns), np.sin(turns)), axis=1), axis=0)
    return way + rng.uniform((0, 0), (width, height)), thick
