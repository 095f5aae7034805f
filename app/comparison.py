"""Models side by side on a few photos, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from ..core import Array
from ..data.evaluation_set import MaskedPhoto
from ..data.photos import Photo
from ..models.reconstructor import Reconstructor, fill_holes
from ..train.evaluation.metrics import photo_metrics
from .figures import reconstruction_grid

#: Photos in such a picture.
ROWS = 4


def draw_comparison(
    samples: Iterable[MaskedPhoto], models: Mapping[str, Reconstructor], device: torch.device, path: Path
) -> None:
    """Draw every sample as every model rebuilds it, each with its MSE over the whole photo, and write a PNG."""
    rows, captions, labels = [], [], []
    for sample in samples:
        truth, mask = sample.photo[None].to(device), sample.mask[None].to(device)
        rebuilt = [fill_holes(model, truth, mask)[0] for model in models.values()]
        rows.append([to_photo(image) for image in (sample.photo * (1 - sample.mask), *rebuilt, sample.photo)])
        errors = [photo_metrics(sample.photo, image.cpu(), sample.mask).mse for image in rebuilt]
        captions.append(["", *(f"MSE {error:.1f}" for error in errors), ""])
        labels.append(Path(sample.name).stem)
    reconstruction_grid(rows, ["masked", *models, "truth"], path, labels, captions)


def to_photo(array: Array) -> Photo:
    """(3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    pixels: Photo = (255 * array).round().permute(1, 2, 0).cpu().numpy().astype(np.uint8)
    return pixels
