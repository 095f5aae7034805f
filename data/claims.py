"""What a file claims to be, read from its first bytes: refused before a decoder takes memory or time for it.

A few kilobytes can claim more pixels than a machine has memory for, or pages without end. Only the formats in FORMATS
are tried, whatever else Pillow could read, and only of regular files: a pipe or a device may give bytes for ever.
"""

from __future__ import annotations

import importlib
import os
import stat
import struct
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from ..core import PhotomendError

#: The formats that are read by Pillow, by its names. `app/photo` has other readers for HEIC, PAM and deep TIFF.
COMMON = ("PNG", "JPEG", "BMP", "DIB", "GIF", "PPM")
#: Those whose readers Pillow doesn't import by itself, and their modules: all of its readers would take a moment.
OTHERS = {
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
}
FORMATS = (*COMMON, *OTHERS)
#: The most pixels of a photo that is read unless more are allowed, 20,000 a side, and channels of each of them.
MOST_PIXELS, MOST_CHANNELS = 400_000_000, 32
#: The most pages or frames. Pillow goes through the pages of a TIFF in time that grows with their square.
MOST_FRAMES = 10_000
_allowed = MOST_PIXELS

Image.MAX_IMAGE_PIXELS = None  # Pillow's own cap, with which large scans would not be read
#: Bytes that compressed text and colour profiles in a PNG may become.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26


class PhotoError(PhotomendError):
    """A photo or mask that can't be read or written; the message begins with the file's path."""


def allow_pixels(most: int | None) -> None:
    """Let photos of so many pixels be read in this process and those that it forks; None: MOST_PIXELS."""
    global _allowed
    _allowed = MOST_PIXELS if most is None else most


def require_modest(name: str, width: int, height: int, channels: int = 1, frames: int = 1) -> None:
    """Raise PhotoError for more pixels, channels or frames than are allowed."""
    if width * height > _allowed:
        raise PhotoError(
            f"{name}: claims {width}×{height} pixels, and {_allowed:,} are allowed; if it is your own, "
            f"--max-pixels {width * height} allows as many"
        )
    if channels > MOST_CHANNELS:
        raise PhotoError(f"{name}: claims {channels} channels a pixel; at most {MOST_CHANNELS} are read")
    if frames > MOST_FRAMES:
        raise PhotoError(f"{name}: has more than {MOST_FRAMES:,} pages or frames")


def require_file(path: Path) -> None:
    """Raise PhotoError for a folder, a pipe or a device, and OSError where nothing is."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise PhotoError(f"{path}: can't be read as a photo (it is {what})")


class BoundedFile(BufferedReader):
    """A file that is never asked for more bytes than it has, for which Python would reserve memory first.

    Pillow asks for all that lies between two strips of a TIFF, or in a box of JPEG 2000, and a damaged file says that
    this is petabytes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None else min(size, self.size))


def open_image(source: Path | bytes, name: str) -> Image.Image:
    """The image in a file, or a file's bytes, not decoded yet; what it claims is allowed.

    Raises PhotoError naming it, and what Pillow raises on a file that is in none of the FORMATS.
    """
    if isinstance(source, Path):
        require_file(source)
    Image.preinit()
    try:
        image = Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=COMMON)
    except UnidentifiedImageError:
        for reader in OTHERS.values():
            importlib.import_module(f"PIL.{reader}")
        bounded = BytesIO(source) if isinstance(source, bytes) else BoundedFile(source)
        image = Image.open(bounded, formats=tuple(OTHERS))
    try:
        require_modest(name, *image.size)
        if image.format == "TIFF":
            require_modest(name, *image.size, frames=_tiff_pages(source))
    except BaseException:
        image.close()
        raise
    return image


def check_claims(path: Path) -> None:
    """Raise PhotoError for a file that isn't regular, or that Pillow knows and that claims more than is allowed."""
    try:
        with open_image(path, str(path)) as image:
            frames = int(getattr(image, "n_frames", 1)) if image.format == "WEBP" else 1
            # An animation is written anew with all of its frames, which are in memory together.
            require_modest(str(path), image.width, image.height * max(1, frames // 8))
    except UnidentifiedImageError:
        pass  # it has another reader, which asks again


def _tiff_pages(source: Path | bytes) -> int:
    """The number of tables of tags in a TIFF file, counted up to one more than are allowed."""
    pages = 0
    with source.open("rb") if isinstance(source, Path) else BytesIO(source) as file:
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]
        count, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
        following = struct.unpack_from(order + pointer, head, 8 if big else 4)[0]
        while following and pages <= MOST_FRAMES:
            pages += 1
            file.seek(following)
            tags = file.read(struct.calcsize(count))
            if len(tags) < struct.calcsize(count):
                break
            file.seek(entry * struct.unpack(order + count, tags)[0], os.SEEK_CUR)
            place = file.read(struct.calcsize(pointer))
            if len(place) < struct.calcsize(pointer):
                break
            following = struct.unpack(order + pointer, place)[0]
    return pages
