"""Photos and masks on disk: find them, read them, write them, resize them.

A photo in memory is `uint8 (H, W, 3)`, RGB, upright; a mask is `bool (H, W)`, True where the photo is
missing.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core import PhotomendError, replacing

Photo = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Formats that Pillow only recognises (it needs a plug-in to read them) or hands to another program.
_NOT_PHOTOS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

Image.init()
#: Lower-case suffixes of the files that `find_photos` lists: everything that Pillow reads by itself.
PHOTO_SUFFIXES = frozenset(
    suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN and form not in _NOT_PHOTOS
)
_COMMON_SUFFIXES = ".png, .jpg, .webp, .tif, .bmp"


class PhotoError(PhotomendError):
    """A photo or mask that can't be read or written; the message begins with the file's path."""


class SkippedPhotoWarning(UserWarning):
    """An unreadable photo was left out; the message names it."""


def find_photos(root: Path) -> list[Path]:
    """All photos under the folder `root`, sorted by their posix path relative to it.

    Looks into subfolders (links to folders are not followed), knows photos by their suffix in any case
    (`PHOTO_SUFFIXES`) and skips hidden files and folders.

    Raises:
        PhotomendError: `root` is not a folder, or no photo is in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise PhotomendError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}")
    found = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES:
                found.append(Path(folder, name))
    if not found:
        raise PhotomendError(f"{root}: no photos in this folder (looked for {_COMMON_SUFFIXES} and the like)")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def read_photo(path: Path) -> Photo:
    """The photo at `path` as upright RGB, `uint8 (H, W, 3)`.

    The EXIF orientation is applied. Transparent pixels are laid on white. 16-bit greys are scaled to 8 bits,
    floats are taken as 0…1 (as 0…255 where they exceed 1). Of an animation, the first frame counts.

    Raises:
        PhotoError: the file is missing, no photo, or truncated.
    """
    return decode_photo(Path(path), str(path))


def decode_photo(source: Path | bytes, name: str) -> Photo:
    """The photo in a file or in a file's bytes; see `read_photo`. `name` is what an error calls it."""
    return np.array(_to_rgb(_open(source, name), name))


def read_mask(path: Path) -> Mask:
    """The mask at `path`, `bool (H, W)`: True (missing) where the image is not black.

    A fully transparent pixel is known, whatever its colour. Palette images count by colour, not by index. In
    a JPEG, whose edges ring, a pixel counts as black below 128. The EXIF orientation is applied, as to the
    photo.

    Raises:
        PhotoError: the file is missing, no image, or truncated.
    """
    image = _open(Path(path), str(path))
    if image.mode.startswith(("I", "F")) or image.mode in ("1", "L"):
        values = np.asarray(image)
        opaque = np.ones(values.shape, dtype=np.bool_)
    else:
        rgba = np.asarray(image.convert("RGBA"))
        values, opaque = rgba[..., :3].max(axis=2), rgba[..., 3] > 0
    black_below = 128 if image.info.get("photomend_lossy") else 0
    missing: Mask = (values >= black_below if black_below else values != 0) & opaque
    return missing


def write_photo(path: Path, rgb: Photo) -> None:
    """Write `rgb`, `uint8 (H, W, 3)`, to `path` in the format that its suffix names, whole or not at all.

    A file of that name is replaced in one step, only after everything has been written. JPEG and WebP are
    written at quality 95.

    Raises:
        PhotoError: nothing can be written under this suffix, or the disk refuses.
        ValueError: `rgb` is not `uint8 (H, W, 3)`.
    """
    path = Path(path)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb must be uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    form = Image.registered_extensions().get(path.suffix.lower())
    if form not in Image.SAVE:
        raise PhotoError(f"{path}: can't write photos as {path.suffix!r}; these work: {_COMMON_SUFFIXES}")
    options = {"quality": 95, "subsampling": 0} if form == "JPEG" else {"quality": 95} if form == "WEBP" else {}
    try:
        with replacing(path) as draft, draft.open("xb") as file:
            Image.fromarray(np.ascontiguousarray(rgb)).save(file, format=form, **options)
    except (OSError, ValueError) as error:
        raise PhotoError(f"{path}: can't be written ({_reason(error)})") from error


def resize(rgb: Photo, height: int, width: int) -> Photo:
    """`rgb` (H, W, 3) at another size, by Pillow's antialiased bicubic filter: the protocol's resizing."""
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def _open(source: Path | bytes, name: str) -> Image.Image:
    """The image, decoded to its last pixel and upright."""
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as file:
            file.load()
            lossy = file.format in ("JPEG", "MPO")
            image = ImageOps.exif_transpose(file)
    except Exception as error:  # Pillow's readers raise almost anything on a damaged file
        raise PhotoError(f"{name}: can't be read as a photo ({_reason(error)})") from error
    image.info["photomend_lossy"] = lossy
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


def _reason(error: Exception) -> str:
    """One line of why, without the path, which the message has already."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or damaged at its start"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
