"""`photomend.repair`: what the command `photomend repair` does, from Python."""

from __future__ import annotations

import operator
import os
import reprlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core import PhotomendError
from ..core.backend.runtime import choose_device
from ..data.masks import Box, boxes_mask
from ..data.photos import Mask
from .masks.choice import Choice
from .photo.files import read, write
from .photo.formats import check_quality, check_room
from .photo.images import image_of, mode_of, picture_of, picture_of_array
from .photo.metadata import orientation_of, stand_upright
from .photo.picture import Picture
from .repair import Repairer

Pixels: TypeAlias = NDArray[Any]
File: TypeAlias = str | os.PathLike[str]
Missing: TypeAlias = File | Image.Image | Mask | NDArray[np.uint8] | Iterable[tuple[int, int, int, int]]
#: What a mask can be instead of a file's name.
WORDS = ("alpha", "auto")
Model: TypeAlias = str | Path | Repairer | None


@overload
def repair(
    photo: Pixels,
    mask: Missing,
    model: Model = None,
    *,
    invert: bool = False,
    threshold: int | None = None,
    grow: int = 0,
    feather: int = 0,
    output: File | None = None,
    quality: int | None = None,
    device: str = "auto",
    views: int | None = None,
    look: str | None = None,
) -> Pixels: ...
@overload
def repair(
    photo: Image.Image,
    mask: Missing,
    model: Model = None,
    *,
    invert: bool = False,
    threshold: int | None = None,
    grow: int = 0,
    feather: int = 0,
    output: File | None = None,
    quality: int | None = None,
    device: str = "auto",
    views: int | None = None,
    look: str | None = None,
) -> Image.Image: ...
@overload
def repair(
    photo: File,
    mask: Missing,
    model: Model = None,
    *,
    invert: bool = False,
    threshold: int | None = None,
    grow: int = 0,
    feather: int = 0,
    output: File | None = None,
    quality: int | None = None,
    device: str = "auto",
    views: int | None = None,
    look: str | None = None,
) -> Image.Image | Pixels: ...
def repair(
    photo: File | Image.Image | Pixels,
    mask: Missing,
    model: Model = None,
    *,
    invert: bool = False,
    threshold: int | None = None,
    grow: int = 0,
    feather: int = 0,
    output: File | None = None,
    quality: int | None = None,
    device: str = "auto",
    views: int | None = None,
    look: str | None = None,
) -> Image.Image | Pixels:
    """Rebuild the missing parts of a photo.

    Args:
        photo: a file; a Pillow image of any mode but LAB, YCbCr and HSV; or an array (H, W) or (H, W, C), where 1 or 2
            channels are grey and 3 or 4 RGB, the second or fourth alpha. Arrays are bool, uint8, uint16, or floats: in
            [0, 1], or else from their least to their greatest known value. It stays as it is.
        mask: what is missing: a file, a Pillow image or a `uint8 (H, W)` array, not black where the photo is missing; a
            `bool (H, W)` array, True where it is; rectangles (x, y, width, height): column and row of the upper left
            pixel, and size; "alpha": the photo's own transparent pixels, with the soft edge around them, which become
            opaque; or "auto": dust, hairs and scratches of a scan, and black paint, as they are found
            (`photomend.app.masks.choice.damage_of` shows where).
        model: a model's name, a run folder, a weights file, or a `photomend.app.repair.Repairer`, which saves loading
            the same model for each of many photos. Without one, the shipped attention model.
        invert: whether the mask says what is known instead.
        threshold: from which value on a file's or image's pixel is missing, from 1 to 255, which is white; without one
            1, and 128 for lossy formats such as JPEG. With "alpha", pixels less opaque than this are missing.
        grow: how many pixels around what the mask says are missing, too.
        feather: over how many known pixels around it the repair is blended into the photo. They alone change.
        output: a file to write the repaired photo to, with all that was in the photo's own file; an existing one is
            replaced. What its format can't hold is a warning.
        quality: of `output` in a lossy format, 1 to 100; without one, nothing is lost that the format can hold.
        device: "auto" (a GPU if there is one), "cpu" or "cuda"; a `Repairer` has its own.
        views: 8 for test-time augmentation: eight times as long, and a little less error. A `Repairer` has its own.
        look: "natural" to draw the model's answer anew with patches of the photo, to look at rather than to measure;
            "faithful" for that answer itself, which has the least error and is smooth where nothing is known. Without
            one, natural for the shipped networks that repair, and faithful for another model. A `Repairer` has its own.

    Returns:
        The repaired photo: an array of the same shape and type for an array; a Pillow image of the same mode, upright,
            for an image or a file (RGBX, RGBa, La, PA and I;16B come back as RGB, RGBA, LA, RGBA and I;16). For a file
            that no mode of Pillow holds, as one with 16 bits in colour, an array; a palette of more than 256 colours
            becomes RGB. Known pixels keep every bit, but for those that are feathered.

    Raises:
        PhotomendError: a file that can't be read or written, no such model, a box outside the photo, a mask of another
            size than the photo's, or one where nothing or everything is missing.

    >>> import numpy as np
    >>> import photomend
    >>> photo = np.full((60, 80, 3), 200, np.uint8)
    >>> photo[20:30, 40:60] = 0
    >>> repaired = photomend.repair(photo, [(40, 20, 20, 10)], model="harmonic")
    >>> repaired.shape, int(repaired.min())
    ((60, 80, 3), 200)

    16 bits stay 16 bits, and grey stays grey:

    >>> grey = np.full((60, 80), 51400, np.uint16)
    >>> grey[20:30, 40:60] = 0
    >>> repaired = photomend.repair(grey, [(40, 20, 20, 10)], model="harmonic")
    >>> repaired.dtype, repaired.shape, int(repaired.min())
    (dtype('uint16'), (60, 80), 51400)
    """
    picture = _picture(photo)
    if output is not None:
        check_room(Path(output), picture)
        check_quality(Path(output), quality)
    word = mask if isinstance(mask, str) and mask in WORDS else ""
    choice = Choice(
        alpha=word == "alpha",
        damage=word == "auto",
        threshold=threshold,
        invert=invert,
        grow=grow,
        feather=feather,
    )
    missing = choice.missing(picture, None if word else _given(mask, picture))
    if not isinstance(model, Repairer):
        if views not in (None, 1, 8):
            raise PhotomendError(f"views (={views!r}) must be 1 or 8")
        model = Repairer.load(None if model is None else str(model), choose_device(str(device)), views, look)
    repaired = choice.mend(picture, missing, model)
    if output is not None:
        for loss in write(Path(output), repaired, quality).lost:
            warnings.warn(f"{output}: {loss}", stacklevel=2)
    if isinstance(photo, np.ndarray):
        return repaired.pixels.reshape(photo.shape).astype(photo.dtype, copy=False)
    if mode_of(repaired) is not None:
        return image_of(repaired)
    return repaired.pixels if repaired.palette is None else repaired.palette[:, :3][repaired.pixels]


def _picture(photo: File | Image.Image | Pixels) -> Picture:
    """The picture in whatever a caller calls a photo, with pixels of its own."""
    if isinstance(photo, np.ndarray):
        return picture_of_array(photo)
    if isinstance(photo, Image.Image):
        return _upright(photo)
    if isinstance(photo, str | os.PathLike):
        return read(Path(photo))
    raise PhotomendError(f"the photo must be a file, a Pillow image or an array, not {type(photo).__name__}")


def _upright(image: Image.Image) -> Picture:
    """The picture in an image, with pixels of its own."""
    image.load()
    picture = picture_of(image)
    pixels, metadata = stand_upright(picture.pixels, picture.metadata, orientation_of(image))
    return picture.copy(pixels=pixels, metadata=metadata)


def _given(mask: Any, picture: Picture) -> Path | Image.Image | Mask:
    """The mask as it is given, a file as a path, or the one that rectangles make."""
    if isinstance(mask, str | os.PathLike):
        return Path(mask)
    if isinstance(mask, np.ndarray) and mask.dtype == np.uint8 and mask.ndim == 2:
        return Image.fromarray(mask)
    if isinstance(mask, Image.Image | np.ndarray):
        return mask
    if isinstance(mask, Iterable):
        return boxes_mask(map(_box, mask), *picture.shape)
    kinds = "a file, a Pillow image, an array or rectangles (x, y, width, height)"
    raise PhotomendError(f"the mask must be {kinds}, not {type(mask).__name__}")


def _box(numbers: tuple[int, int, int, int]) -> Box:
    try:
        return Box(*(operator.index(number) for number in numbers))
    except TypeError as error:
        raise PhotomendError(f"box: {reprlib.repr(numbers)} is not four whole numbers (x, y, width, height)") from error
