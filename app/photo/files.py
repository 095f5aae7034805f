"""Photos of any kind read from files and written to them, with everything that is in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ...core import PhotomendError, replacing
from ...data.claims import check_claims, open_image
from ...data.photos import PhotoError, reason
from .fit import fit
from .formats import PAM, check_quality, check_room, fits_itself, format_of, output_form
from .images import image_of, picture_of
from .metadata import metadata_of, orientation_of, stand_upright
from .picture import Origin, Picture

#: The brands in the first bytes of a file that tell AVIF and HEIC.
AVIF_BRANDS, HEIF_BRANDS = (b"avif", b"avis"), (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read(path: Path) -> Picture:
    """The photo in a file, upright, in its own colours and depth, with everything that the file says about it.

    Of several pages or frames, the first. What a library warns of is passed on with the file's name.

    Raises PhotoError: the file is missing, no photo, or truncated; the message begins with its path.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            with warnings.catch_warnings(action="ignore"):  # the reader says it again, if it concerns it
                check_claims(path)
            picture = _reader(path)(path) or read_with_pillow(path)
            if picture.pixels.ndim not in (2, 3) or not picture.pixels.size:
                raise PhotoError(f"{path}: can't be read as a photo (it has no pixels)")
        except PhotomendError as error:
            message = str(error)
            raise PhotoError(message if message.startswith(str(path)) else f"{path}: {message}") from error
        except MemoryError:
            raise
        except Exception as error:  # the libraries raise almost anything on a damaged file
            raise PhotoError(f"{path}: can't be read as a photo ({reason(error)})") from error
    for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
        warnings.warn(f"{path}: {message}", stacklevel=2)
    return picture


def _reader(path: Path) -> Callable[[Path], Picture | None]:
    """What reads a file, by its first bytes. The modules, and the libraries that they need, are imported here."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"\x89PNG"):
        from .png import read_png

        return read_png
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from .tiff import read_tiff

        return read_tiff
    if start.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        from .boxes import read_jp2

        return read_jp2
    if start[4:8] == b"ftyp" and any(brand in start[8:] for brand in AVIF_BRANDS):
        from .boxes import read_avif

        return read_avif
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        from .heif import read_heif

        return read_heif
    if start[:1] == b"P" and start[1:2] in b"1234567fF" and start[2:3].isspace():
        from .netpbm import read_netpbm

        return read_netpbm
    return read_with_pillow


def read_with_pillow(path: Path) -> Picture:
    """The picture in a file that Pillow reads as it is."""
    with open_image(path, str(path)) as image:
        image.load()
        pages = int(getattr(image, "n_frames", 1))
        turned = orientation_of(image)
        form = "JPEG" if image.format == "MPO" else image.format or ""
        picture = picture_of(image, metadata_of(image), Origin(path, form, turned, pages))
    pixels, metadata = stand_upright(picture.pixels, picture.metadata, turned)
    return picture.copy(pixels=pixels, metadata=metadata)


@contextmanager
def reading_ahead(picture: Picture, path: Path, quality: int | None) -> Iterator[Picture]:
    """A context in which a picture is repaired, while what its `write` needs is read, if there is anything.

    Its end waits for that, also when the repair failed: no thread is left whose files nobody removes.
    """
    if quality is not None or output_form(path) != "JPEG":
        yield picture
        return
    from .jpeg import read_ahead

    picture = read_ahead(picture)
    try:
        yield picture
    finally:
        if picture.origin is not None and picture.origin.coefficients is not None:
            wait([picture.origin.coefficients])


class Written(NamedTuple):
    """What there is to say about a file that was written: what is lost, and what was done."""

    lost: list[str]
    done: list[str]


def write(path: Path, picture: Picture, quality: int | None = None) -> Written:
    """Write a picture in the format that the suffix of `path` names, whole or not at all.

    A file of that name is replaced in one step, only after everything has been written, and keeps its mode.

    `quality`, 1 to 100, asks for a loss: by JPEG's scale in JPEG, WebP, AVIF and HEIC; in JPEG 2000 it is the peak
    signal-to-noise ratio in decibels. Without it nothing but a new JPEG loses anything, and a JPEG keeps its tables.

    Raises PhotoError: photos aren't written under this suffix, this one is too large for it, or the disk refuses;
    PhotomendError: a quality where there is none.
    """
    form, room = output_form(path), format_of(path)
    check_room(path, picture)
    check_quality(path, quality)
    itself = fits_itself(picture, path) and quality is None
    fitting, said = (picture, []) if itself else fit(picture, room)
    lost = [f"{room.name} can't hold everything: {'; '.join(said)}"] if said else []
    own = fitting.origin is not None and fitting.origin.form == form
    kept = room.pages and own and (form != "PNG" or picture.origin is None or picture.origin.turned == 1)
    try:
        with replacing(path) as draft:
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # reading has passed them on
                if quality is None:
                    done = list((_write_pam if room is PAM else WRITERS[form])(draft, fitting) or ())
                else:
                    WRITERS[form](draft, fitting, quality)
                    done = [f"{room.name}, quality {quality}: known pixels change a little"]
            if path.exists():
                draft.chmod(path.stat().st_mode & 0o7777)
    except (PhotomendError, MemoryError):
        raise
    except Exception as error:  # the libraries have errors of their own
        raise PhotoError(f"{path}: can't be written ({reason(error)})") from error
    pages = picture.origin.pages if picture.origin is not None else 1
    if pages > 1:
        first = f"the first of {pages} pages or frames is repaired, the others"
        (done if kept else lost).append(f"{first} {'stay as they are' if kept else 'are left out'}")
    return Written(lost, done)


def _write_png(draft: Path, picture: Picture) -> None:
    from .png import write_png

    with draft.open("xb") as file:
        write_png(file, picture)


def _write_tiff(draft: Path, picture: Picture) -> list[str]:
    from .tiff import write_tiff
    from .tiff_patch import can_patch, patch_tiff

    if can_patch(picture):
        return patch_tiff(draft, picture)
    with draft.open("x+b") as file:
        return write_tiff(file, picture)


def _write_jpeg(draft: Path, picture: Picture, quality: int | None = None) -> list[str]:
    from .jpeg import write_jpeg

    with draft.open("xb") as file:
        return write_jpeg(file, picture, quality)


def _write_webp(draft: Path, picture: Picture, quality: int | None = None) -> None:
    from .webp import write_webp

    write_webp(draft, picture, quality)


def _write_avif(draft: Path, picture: Picture, quality: int | None = None) -> list[str]:
    from .boxes import write_avif

    with draft.open("xb") as file:
        return write_avif(file, picture, quality)


def _write_heif(draft: Path, picture: Picture, quality: int | None = None) -> None:
    from .heif import write_heif

    with draft.open("xb") as file:
        write_heif(file, picture, quality)


def _write_jp2(draft: Path, picture: Picture, quality: int | None = None) -> None:
    from .boxes import write_jp2

    write_jp2(draft, picture, quality)


def _write_bmp(draft: Path, picture: Picture) -> None:
    image_of(picture).save(draft, "BMP", **({"dpi": picture.metadata.dpi} if picture.metadata.dpi else {}))


def _write_netpbm(draft: Path, picture: Picture) -> None:
    from .netpbm import write_netpbm

    write_netpbm(draft, picture)


def _write_pam(draft: Path, picture: Picture) -> None:
    from .netpbm import write_netpbm

    write_netpbm(draft, picture, pam=True)


#: What writes each format; those with a loss take a quality, too.
WRITERS: dict[str, Callable[..., list[str] | None]] = {
    "PNG": _write_png,
    "TIFF": _write_tiff,
    "JPEG": _write_jpeg,
    "WEBP": _write_webp,
    "AVIF": _write_avif,
    "HEIF": _write_heif,
    "JPEG2000": _write_jp2,
    "BMP": _write_bmp,
    "PPM": _write_netpbm,
}
