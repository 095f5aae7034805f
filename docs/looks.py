"""Draw docs/images/looks.jpg: ten sample photos damaged, repaired with both looks, and as they were."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from photomend.app.natural import LOOKS
from photomend.app.repair import Repairer
from photomend.data.masks import Box, box_mask
from photomend.data.photos import Photo
from skimage import data

DOCS = Path(__file__).resolve().parent
#: A hole in each, and how many pixels around it are shown.
SAMPLES = {
    "astronaut": Box(330, 60, 90, 100),
    "chelsea": Box(220, 90, 80, 80),
    "coffee": Box(60, 60, 100, 100),
    "rocket": Box(380, 300, 90, 90),
    "camera": Box(330, 330, 90, 90),
    "brick": Box(200, 200, 100, 100),
    "grass": Box(200, 200, 100, 100),
    "gravel": Box(200, 200, 100, 100),
    "hubble_deep_field": Box(420, 420, 100, 100),
    "coins": Box(150, 120, 90, 70),
}
AROUND = 50


def main() -> None:
    repairers = [Repairer.load(look=look) for look in LOOKS]
    matplotlib.rc_file(DOCS / "site" / "matplotlibrc")
    figure, axes = plt.subplots(5, 8, figsize=(12.8, 8.4), layout="constrained")
    for row, (name, box) in zip(axes.reshape(10, 4), SAMPLES.items(), strict=True):
        photo = colours(getattr(data, name)())
        mask = box_mask(box, *photo.shape[:2])
        damaged = np.where(mask[..., None], np.uint8(0), photo)
        pictures = [damaged, *(repairer.repair(damaged, mask) for repairer in repairers), photo]
        for axis, picture, title in zip(row, pictures, ("damaged", *LOOKS, "truth"), strict=True):
            axis.imshow(picture[shown(box.y, box.height), shown(box.x, box.width)])
            axis.set(xticks=[], yticks=[], title=title)
        row[0].set_ylabel(name.split("_")[0])
    figure.savefig(DOCS / "images" / "looks.jpg", dpi=100, pil_kwargs={"quality": 85})


def colours(photo: Photo) -> Photo:
    return np.ascontiguousarray(np.repeat(photo[..., None], 3, axis=2) if photo.ndim == 2 else photo)


def shown(start: int, length: int) -> slice:
    return slice(max(start - AROUND, 0), start + length + AROUND)


if __name__ == "__main__":
    main()
