"""Damaged photos of many megapixels, made of scikit-image's samples, and how long their repair may take."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw

#: Columns and rows of photos of 0.4, 24 and 92 megapixels.
SMALL, LARGE, HUGE = (768, 512), (6000, 4000), (11750, 7830)

Draw = Callable[[ImageDraw.ImageDraw, int, int], None]


@dataclass(frozen=True)
class Case:
    """A photo and what is missing of it.

    Attributes:
        name: of the case, on the command line and in the table.
        size: columns and rows of the photo.
        draw: draws what is missing into a mask.
        options: of `photomend repair`, beside the files.
        seconds: the command's target on two quiet cores; of "photo", without starting up.
        mib: its memory's target, MiB; 0 for none.
    """

    name: str
    size: tuple[int, int]
    draw: Draw
    options: tuple[str, ...] = ()
    seconds: float = 0
    mib: int = 0

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The photo, a JPEG file, and its mask, a PNG file, which are made if they aren't there.

        By a process of its own: what a process has held at most is counted with the commands that it starts, too.
        """
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(_make_files, self.name, folder).result()

    def make_files(self, folder: Path) -> tuple[Path, Path]:
        """The same, in this process."""
        photo, mask = folder / f"{self.size[0]}x{self.size[1]}.jpg", folder / f"{self.name}.png"
        if not photo.exists():
            make_photo(*self.size).save(photo, quality=92)
        if not mask.exists():
            image = Image.new("L", self.size)
            self.draw(ImageDraw.Draw(image), *self.size)
            image.save(mask)
        return photo, mask


def make_photo(width: int, height: int, sample: str = "coffee") -> Image.Image:
    """A sample photo, enlarged, with the noise of a sensor, so that it is no smoother than a photo of that size."""
    photo = Image.fromarray(getattr(skimage.data, sample)()).resize((width, height), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(0)
    pixels = np.asarray(photo)
    rows = range(0, height, 500)  # piece by piece, for the sake of memory
    noisy = [pixels[r : r + 500] + rng.normal(0, 4, pixels[r : r + 500].shape).astype(np.float32) for r in rows]
    return Image.fromarray(np.concatenate([np.rint(part.clip(0, 255)).astype(np.uint8) for part in noisy]))


def boxes(side: int, *corners: tuple[float, float]) -> Draw:
    """Squares at these shares of the width and height."""

    def draw(mask: ImageDraw.ImageDraw, width: int, height: int) -> None:
        for x, y in corners:
            left, top = round(x * width), round(y * height)
            mask.rectangle((left, top, left + side - 1, top + side - 1), fill=255)

    return draw


def specks(count: int) -> Draw:
    """Spots of 3 to 11 pixels across."""

    def draw(mask: ImageDraw.ImageDraw, width: int, height: int) -> None:
        rng = np.random.default_rng(1)
        for x, y, radius in zip(
            *(rng.uniform(0, n, count) for n in (width, height)), rng.integers(1, 6, count), strict=True
        ):
            mask.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    return draw


def scratch(mask: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Two pixels wide, from edge to edge."""
    points = [(0, 0.07), (0.42, 0.48), (1, 0.97)]
    mask.line([(round(x * (width - 1)), round(y * height)) for x, y in points], fill=255, width=2)


def frame(mask: ImageDraw.ImageDraw, width: int, height: int) -> None:
    mask.rectangle((0, 0, width - 1, height - 1), outline=255, width=60)


THREE = boxes(70, (0.2, 0.3), (0.5, 0.6), (0.75, 0.2))
CASES = (
    Case("photo", SMALL, THREE, seconds=0.7),
    Case("hole", LARGE, boxes(150, (0.4, 0.5)), seconds=3),
    Case("specks", LARGE, specks(2000), seconds=15),
    Case("scratch", LARGE, scratch, seconds=6, mib=1024),
    Case("frame", LARGE, frame, ("--model", "harmonic"), seconds=15),
    Case("huge-scratch", HUGE, scratch, seconds=20, mib=2560),
)


def _make_files(name: str, folder: Path) -> tuple[Path, Path]:
    [case] = [case for case in CASES if case.name == name]
    return case.make_files(folder)
