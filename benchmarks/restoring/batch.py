"""Many photos of 12 megapixels with one hole each, and OpenCV's Telea fill of the same files."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .cases import boxes, make_photo

SIZE, SIDE = (4000, 3000), 150
SAMPLES = ("coffee", "astronaut", "chelsea", "rocket")
#: Seconds a photo on two quiet cores, and MiB that the whole batch may need beyond its first photos.
SECONDS, MIB = 1.5, 50
#: So many photos show what memory a batch needs at its beginning.
FEW = 4

#: Telea's fill as a program: the folders of photos, masks and results are its arguments.
TELEA = """
import os, sys, cv2
for name in sorted(os.listdir(sys.argv[1])):
    photo = cv2.imread(os.path.join(sys.argv[1], name))
    mask = cv2.imread(os.path.join(sys.argv[2], name[:-4] + ".png"), cv2.IMREAD_GRAYSCALE)
    target = os.path.join(sys.argv[3], name)
    cv2.imwrite(target, cv2.inpaint(photo, mask, 3, cv2.INPAINT_TELEA), [cv2.IMWRITE_JPEG_QUALITY, 95])
"""


class Batch(NamedTuple):
    """Folders of photos and of their masks, and where results go."""

    photos: Path
    masks: Path
    results: Path

    @classmethod
    def files(cls, folder: Path, count: int) -> Batch:
        """The files of `count` photos, which are made if they aren't there, by a process of their own as in `Case`."""
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(cls.make, folder, count).result()

    @classmethod
    def make(cls, folder: Path, count: int) -> Batch:
        """The same, in this process. Photos are few and linked under many names; each has a mask of its own."""
        batch = cls(*(folder / f"batch-{count}-{name}" for name in ("photos", "masks", "results")))
        for each in batch:
            each.mkdir(exist_ok=True)
        rng = np.random.default_rng(2)
        for number, sample in enumerate(islice(cycle(SAMPLES), count)):
            original = folder / f"{sample}-{SIZE[0]}x{SIZE[1]}.jpg"
            if not original.exists():
                make_photo(*SIZE, sample).save(original, quality=92)
            photo = batch.photos / f"{number:03}.jpg"
            if not photo.exists():
                os.link(original, photo)
            left, top = rng.uniform(0, [1 - SIDE / size for size in SIZE])
            if not (file := batch.masks / f"{number:03}.png").exists():
                mask = Image.new("L", SIZE)
                boxes(SIDE, (left, top))(ImageDraw.Draw(mask), *SIZE)
                mask.save(file, compress_level=1)
        return batch

    def repair(self) -> list[str]:
        start = [sys.executable, "-m", "photomend", "repair", str(self.photos), "--mask", str(self.masks)]
        return [*start, "-o", str(self.results), "--overwrite"]

    def telea(self) -> list[str]:
        return [sys.executable, "-c", TELEA, *map(str, self)]
