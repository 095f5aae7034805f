"""Pictures for the page, as data: URIs: photos, close-ups of their holes, and error maps."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image as Pillow

from ...core import Array
from ...data.evaluation_set import MaskedPhoto
from ...models.reconstructor import Reconstructor, fill_holes
from ...train.evaluation.metrics import PEAK, photo_metrics
from ..figures import to_photo

#: The error, in grey levels, that an error map shows brightest, and its colours.
BRIGHTEST, COLOURS = 64, "inferno"
#: Known pixels around the hole in a close-up, and the longest side of a photo on the page.
MARGIN, LONGEST = 12, 320
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Image:
    """A picture, and what it shows in words."""

    uri: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Rebuilt:
    """A photo as a model rebuilt it: whole, the hole close up, the error there, and the MSE over the photo."""

    model: str
    whole: Image
    close: Image
    error: Image
    mse: float


@dataclass(frozen=True)
class Shown:
    """A photo: masked, rebuilt by each model, and the original."""

    name: str
    masked: Image
    masked_close: Image
    rebuilt: list[Rebuilt]
    truth: Image
    truth_close: Image


def show(photos: Iterable[MaskedPhoto], models: Mapping[str, Reconstructor], device: torch.device) -> list[Shown]:
    """Every photo as every model rebuilds it."""
    shown = []
    for photo in photos:
        truth, mask = photo.photo[None].to(device), photo.mask[None].to(device)
        window = close_up(photo.mask)
        original, hole = to_photo(photo.photo), to_photo(photo.photo * (1 - photo.mask))
        fills = {name: fill_holes(model, truth, mask)[0].cpu() for name, model in models.items()}
        rebuilt = [rebuild(photo, name, fill, window) for name, fill in fills.items()]
        shown.append(
            Shown(
                photo.name,
                jpeg(hole, f"{photo.name} with its hole"),
                jpeg(hole[window], f"{photo.name}, close to its hole"),
                rebuilt,
                jpeg(original, f"{photo.name}, the original"),
                jpeg(original[window], f"{photo.name}, the original where the hole was"),
            )
        )
    return shown


def rebuild(photo: MaskedPhoto, model: str, rebuilt: Array, window: tuple[slice, slice]) -> Rebuilt:
    pixels = to_photo(rebuilt)
    error = PEAK * (rebuilt - photo.photo).abs().mean(dim=0).numpy()
    about = f"{photo.name} rebuilt by {model}"
    inside = error[photo.mask[0].numpy() > 0.5].mean()
    return Rebuilt(
        model,
        jpeg(pixels, about),
        jpeg(pixels[window], f"{about}, close to the hole"),
        png(colour(error[window] / BRIGHTEST), f"Error of {about}: {inside:.0f} grey levels"),
        photo_metrics(photo.photo, rebuilt, photo.mask).mse,
    )


def close_up(mask: Array) -> tuple[slice, slice]:
    """Rows and columns of a square around the hole of mask (1, H, W), or as much of one as the photo has."""
    ends = [torch.nonzero(mask[0].any(dim=1 - axis))[:, 0] for axis in (0, 1)]
    side = max(int(at[-1] - at[0]) + 1 for at in ends) + 2 * MARGIN
    starts = [
        max(0, min(int(at[0] + at[-1] + 1 - side) // 2, size - side))
        for at, size in zip(ends, mask.shape[1:], strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def colour(values: np.ndarray[Any, Any]) -> Pixels:
    """Values (H, W) from 0 to 1 as colours (H, W, 3)."""
    coloured: Pixels = colormaps[COLOURS](values.clip(0, 1), bytes=True)[..., :3]
    return coloured


def jpeg(pixels: Pixels, alt: str) -> Image:
    """A photo, made smaller where it is larger than the page shows it."""
    picture = Pillow.fromarray(pixels)
    picture.thumbnail((LONGEST, LONGEST), Pillow.Resampling.LANCZOS)
    return encoded(picture, alt, "jpeg", quality=88, optimize=True)


def png(pixels: Pixels, alt: str) -> Image:
    """A drawing, exact up to its number of colours."""
    return encoded(Pillow.fromarray(pixels).quantize(64), alt, "png", optimize=True)


def encoded(picture: Pillow.Image, alt: str, kind: str, **options: Any) -> Image:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Image(f"data:image/{kind};base64,{text}", *picture.size, alt)
