"""The photos that come with scikit-image: enough for a demo without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import skimage

from ..core import PhotomendError


@dataclass(frozen=True)
class SamplePhoto:
    """A photo in scikit-image's wheel; `licence` is what scikit-image's documentation says of it."""

    name: str
    path: Path
    licence: str

    @property
    def split(self) -> str:
        """train, validation or test: by name, since so few photos would leave a split empty if a hash decided."""
        return next((split for split, names in _SPLITS.items() if self.name in names), "train")


# From the docstrings of skimage.data. Only photos (no drawings, no data), only public domain and CC0.
_SAMPLES = {
    "astronaut.png": "public domain (NASA)",
    "brick.png": "CC0 (CC0Textures)",
    "camera.png": "CC0 (Lav Varshney)",
    "chelsea.png": "CC0 (Stefan van der Walt)",
    "clock_motion.png": "public domain (Stefan van der Walt)",
    "coffee.png": "CC0 (Rachel Michetti)",
    "grass.png": "CC0 (linolafett)",
    "gravel.png": "CC0 (CC0Textures)",
    "hubble_deep_field.jpg": "public domain (NASA)",
    "retina.jpg": "CC0 (Mikael Häggström)",
    "rocket.jpg": "public domain (SpaceX)",
}
_SPLITS = {"validation": {"camera", "gravel"}, "test": {"chelsea", "coffee", "rocket"}}


def sample_photos() -> list[SamplePhoto]:
    """The sample photos, sorted by name.

    Raises:
        PhotomendError: this installation of scikit-image lacks one of them.
    """
    folder = Path(skimage.__file__).parent / "data"
    samples = []
    for file, licence in _SAMPLES.items():
        if not (folder / file).is_file():
            raise PhotomendError(f"{folder / file}: this sample photo is missing from scikit-image")
        samples.append(SamplePhoto(Path(file).stem, folder / file, licence))
    return samples
