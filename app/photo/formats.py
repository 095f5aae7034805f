"""What each format that photos are written in can hold, of pixels and of what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...core import PhotomendError
from ...data.photos import photo_suffixes
from .picture import Picture


@dataclass(frozen=True)
class Format:
    """What a format holds.

    Attributes:
        name: what people call it.
        depths: bits a channel by kind of colours, the most exact last; 0 stands for floats.
        alpha: whether it has room for alpha.
        metadata: which attributes of `Metadata` it holds; of `text`, "comment" is the comment alone.
        pages: whether further pages or frames of its own files are kept.
        extra: whether it has room for channels behind alpha.
        most: bytes that EXIF, XMP, IPTC and text may have, each; None where there is no end.
        plain_grey: whether it has grey only at 8 bits and without alpha.
        side: pixels that a side may have, by the format or by the library that writes it; None where there is no end.
        lossy: whether photos can be written with loss, so that a quality means something.
        any_white: whether it says which number is white, which needn't be the largest of its bits.
    """

    name: str
    depths: dict[str, tuple[int, ...]]
    alpha: bool = False
    metadata: tuple[str, ...] = ()
    pages: bool = False
    extra: bool = False
    plain_grey: bool = False
    most: int | None = None
    side: int | None = None
    lossy: bool = False
    any_white: bool = False


MODERN = ("exif", "xmp", "icc")

#: By Pillow's names.
FORMATS = {
    "PNG": Format(
        "PNG",
        {"grey": (1, 8, 16), "palette": (8,), "RGB": (8, 16)},
        True,
        (*MODERN, "text", "dpi"),
        pages=True,
        side=1_000_000,
    ),
    "TIFF": Format(
        "TIFF",
        {"grey": (1, 8, 16, 32, 0), "palette": (8,), "RGB": (8, 16, 32, 0), "CMYK": (8, 16, 32, 0)},
        True,
        (*MODERN, "iptc", "dpi"),
        pages=True,
        extra=True,
    ),
    "JPEG": Format(
        "JPEG",
        {"grey": (8,), "RGB": (8,), "CMYK": (8,)},
        False,
        (*MODERN, "iptc", "comment", "dpi"),
        most=65_000,
        side=65_500,
        lossy=True,
    ),
    "WEBP": Format("WebP", {"RGB": (8,)}, True, MODERN, pages=True, side=16_383, lossy=True),
    "AVIF": Format("AVIF", {"grey": (8,), "RGB": (8, 10, 12)}, True, MODERN, plain_grey=True, side=16_384, lossy=True),
    "HEIF": Format("HEIC", {"grey": (8,), "RGB": (8, 10, 12)}, True, MODERN, plain_grey=True, side=32_768, lossy=True),
    "JPEG2000": Format("JPEG 2000", {"grey": (8, 10, 12, 16), "RGB": (8, 10, 12, 16)}, True, MODERN, lossy=True),
    "BMP": Format("BMP", {"grey": (1, 8), "palette": (8,), "RGB": (8,)}, False, ("dpi",)),
    "PPM": Format("Netpbm", {"grey": (1, 8, 16), "RGB": (8, 16)}, any_white=True),
}
#: The suffixes that name them where Pillow doesn't.
SUFFIXES = {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".pam": "PPM"}
#: What an error offers.
COMMON = ".png, .jpg, .tif, .webp, .avif, .jp2, .heic, .bmp, .ppm"
#: Within Netpbm, the suffix says more.
PAM = Format("PAM", {"grey": (1, 8, 16), "RGB": (8, 16)}, True, any_white=True)
PGM = Format("PGM", {"grey": (8, 16)}, any_white=True)
PBM = Format("PBM", {"grey": (1,)})
PFM = Format("PFM", {"grey": (0,)})


def readable() -> frozenset[str]:
    """What photos and masks in folders are known by."""
    return photo_suffixes() | frozenset(SUFFIXES)


def output_form(path: Path) -> str:
    """The format that the suffix of `path` means. Raises PhotomendError for one that photos aren't written in."""
    suffix = path.suffix.lower()
    Image.preinit()  # the most common formats; all of them take a moment
    form = SUFFIXES.get(suffix) or Image.EXTENSION.get(suffix) or Image.registered_extensions().get(suffix, "")
    if form not in FORMATS:
        reason = ", which has 256 colours at most" if form == "GIF" else ""
        if not suffix:
            raise PhotomendError(f"{path}: the name's end doesn't say which format to write; these work: {COMMON}")
        raise PhotomendError(f"{path}: can't write photos as {path.suffix!r}{reason}; these work: {COMMON}")
    return form


def format_of(path: Path) -> Format:
    """What can be held by a file of this name. Raises PhotomendError as `output_form` does."""
    form = output_form(path)
    own = {".pam": PAM, ".pgm": PGM, ".pbm": PBM, ".pfm": PFM}
    return own.get(path.suffix.lower(), FORMATS[form])


def fits_itself(picture: Picture, path: Path) -> bool:
    """Whether a picture came from a file of the kind that `path` names, and so needs nothing done to fit it."""
    origin = picture.origin
    return (
        origin is not None
        and origin.form in ("PNG", "TIFF", "JPEG", "JPEG2000", "PPM", "HEIF")
        and origin.form == output_form(path)
        and (origin.form != "PPM" or format_of(path) == format_of(origin.path))
    )


def check_room(path: Path, picture: Picture) -> None:
    """Refuse what can't be written to `path`, before the work. Raises PhotomendError naming it."""
    form, room, (height, width) = output_form(path), format_of(path), picture.shape
    if room.side is not None and max(height, width) > room.side:
        raise PhotomendError(f"{path}: {room.name} holds {room.side} pixels a side, the photo has {width}×{height}")
    if picture.colours not in room.depths and "RGB" not in room.depths:
        raise PhotomendError(f"{path}: {room.name} holds {' and '.join(room.depths)} only, not {picture.kind}")
    if form == "HEIF":
        from .heif import pillow_heif

        pillow_heif()


def check_quality(path: Path, quality: int | None) -> None:
    """Refuse a quality that is out of range, or of a format that loses nothing. Raises PhotomendError naming it."""
    room = format_of(path)
    if quality is not None and not room.lossy:
        having = ", ".join(room.name for room in FORMATS.values() if room.lossy)
        raise PhotomendError(f"{path}: {room.name} is written without loss; a quality is for {having}")
    if quality is not None and not 1 <= quality <= 100:
        raise PhotomendError(f"quality (={quality}) must be 1 to 100")


def bits_of(picture: Picture) -> int:
    """Bits a channel as `Format.depths` counts them: 0 for floats."""
    return 0 if picture.pixels.dtype.kind == "f" else picture.bits
