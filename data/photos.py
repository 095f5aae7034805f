"""Photos on disk, for training and evaluation: find them, read them, resize them.

A photo in memory is `uint8 (H, W, 3)`, RGB, upright; a mask is `bool (H, W)`, True where the photo is
missing. Repair keeps all that a file holds: `app/photo`; it reads masks in `app/masks`.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core import PhotomendError
from .claims import FORMATS, open_image
from .claims import PhotoError as PhotoError

Photo = NDArray[np.uint8]
Mask = NDArray[np.bool_]
#: What red, green and blue each give to how bright a colour is (ITU-R BT.601).
LUMINANCE = np.array((0.299, 0.587, 0.114))

_COMMON_SUFFIXES = ".png, .jpg, .webp, .tif, .bmp, .ppm"


class SkippedPhotoWarning(UserWarning):
    """An unreadable photo was left out; the message names it."""


def say_skipped(skipped: int, photos: int) -> str:
    """The sentence that counts what was left out."""
    return f"{skipped} of {photos} photos could not be read and were skipped"


@cache
def photo_suffixes() -> frozenset[str]:
    """Lower-case suffixes of the files that `find_photos` lists: those of the formats that are read.

    Asked for the first time, Pillow imports all of its readers, which the name of a single photo can do without.
    """
    return frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in FORMATS)


def find_photos(root: Path, suffixes: frozenset[str] | None = None, what: str = "photos") -> list[Path]:
    """All photos under the folder `root`, sorted by their posix path relative to it.

    Looks into subfolders (links to folders are not followed), knows photos by their suffix in any case
    (one of `suffixes`, else of `photo_suffixes`) and skips hidden files and folders. `what` the message calls them.

    Raises:
        PhotomendError: `root` is not a folder, or no photo is in it.
    """
    root, suffixes = Path(root), photo_suffixes() if suffixes is None else suffixes
    if not root.is_dir():
        raise PhotomendError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}")
    found = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                found.append(Path(folder, name))
    if not found:
        raise PhotomendError(f"{root}: no {what} in this folder (looked for {_COMMON_SUFFIXES} and the like)")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def read_photo(source: Path | Image.Image) -> Photo:
    """The photo in a file, or in an image that Pillow has read, as upright RGB, `uint8 (H, W, 3)`.

    The EXIF orientation is applied. Transparent pixels are laid on white. 16-bit greys are scaled to 8 bits,
    floats are taken as 0…1 (as 0…255 where they exceed 1). Of an animation, the first frame counts.

    Raises:
        PhotoError: the file is missing, no photo, or truncated.
    """
    return decode_photo(source, _name(source))


def decode_photo(source: Path | bytes | Image.Image, name: str, least: int | None = None) -> Photo:
    """The photo in a file or in a file's bytes; see `read_photo`. `name` is what an error calls it.

    With `least` a large JPEG may come smaller, but not below that many pixels a side: its decoder can leave out what a
    smaller picture doesn't show, which takes a fraction of the time.
    """
    return np.array(_to_rgb(_open(source, name, least), name))


def resize(rgb: Photo, height: int, width: int) -> Photo:
    """`rgb` (H, W, 3) at another size, by Pillow's antialiased bicubic filter: the protocol's resizing."""
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def _name(source: Path | Image.Image) -> str:
    """What an error calls a photo or mask: its file, if it has one."""
    return str(source) if isinstance(source, Path) else str(getattr(source, "filename", "") or "image")


def _open(source: Path | bytes | Image.Image, name: str, least: int | None = None) -> Image.Image:
    """The image, decoded to its last pixel and upright."""
    try:
        if isinstance(source, Image.Image):
            opened: AbstractContextManager[Image.Image] = nullcontext(source)
        else:
            opened = open_image(source, name)
        with opened as file:
            if least is not None:
                file.draft("RGB", (least, least))  # of no effect on formats other than JPEG
            file.load()
            image = ImageOps.exif_transpose(file)
    except PhotoError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on a damaged file
        raise PhotoError(f"{name}: can't be read as a photo ({reason(error)})") from error
    return image


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """`image` of any mode as RGB; the conventions are `read_photo`'s."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        if image.mode.startswith("I"):
            values = values / 257  # 65535 = 257 · 255
        elif values.max() <= 1:
            values = values * 255
        return Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8)).convert("RGB")
    try:
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
        return image.convert("RGB")
    except ValueError as error:
        raise PhotoError(f"{name}: colours of mode {image.mode} can't be converted to RGB") from error


def reason(error: Exception) -> str:
    """One line of why, without the path, which the message has already."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a format that is read here, or damaged at its start"
    if type(error).__module__ == "png" or "image file is truncated" in str(error):
        return "it is damaged, or its end is missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
