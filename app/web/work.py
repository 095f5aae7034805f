"""What the worker does with a photo: read it, and repair it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...core import PhotomendError
from ...data.claims import allow_pixels
from ...data.photos import Mask
from ...models.calibration import SHARE, overall
from ..masks.reading import read_mask, turn_like
from ..photo.canvas import check_mask
from ..photo.files import read, write
from ..photo.formats import FORMATS, check_room, output_form
from ..photo.mend import mend
from ..photo.picture import Picture
from ..repair import Repairer
from .edits import draw
from .jobs import Job
from .limits import Limits
from .sessions import Session
from .views import Part, keep_colours, marks, profile_of, shown_size, view

#: What files of each format are called, by Pillow's names, where the photo's own name is wrong.
SUFFIX = {
    **{"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg", "WEBP": ".webp", "AVIF": ".avif", "HEIF": ".heic"},
    **{"JPEG2000": ".jp2", "BMP": ".bmp", "PPM": ".ppm"},
}
#: Files of a session: colours before and after, their profile, and the errors to expect.
BEFORE, AFTER, PROFILE, CERTAINTY = "before.npy", "after.npy", "profile", "certainty.png"
#: And the damage that was found, as it is and as it is shown; the same of masks that were sent, by their numbers.
FOUND, FOUND_SHOWN = "found.npy", "found.png"
MASK, MASK_SHOWN = "mask-{}.png", "mask-{}-shown.png"
#: Masks that may be sent for a photo.
MASKS = 20
#: Parts of a photo that are kept as they were shown, some 300 kB each.
VIEWS = 24


class Repairers:
    """Models by their names and looks, each loaded when it is first asked for."""

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self._loaded: dict[tuple[str, str], Repairer] = {}

    def get(self, name: str, look: str) -> Repairer:
        if (name, look) not in self._loaded:
            self._loaded[name, look] = Repairer.load(name, self.device, look=look)
        return self._loaded[name, look]


def open_photo(session: Session, limits: Limits, job: Job) -> None:
    """Read the photo that was sent, and note what the page has to know of it. Raises PhotomendError."""
    with _in_its_own_words(session) as said:
        allow_pixels(limits.pixels)  # which reading refuses before anything is decoded
        picture = read(session.file)
        job.check()
        target = target_of(session.name, picture)
        check_room(session.folder / f"repaired{target.suffix}", picture)
        keep_colours(picture, session.folder / BEFORE)
        job.check()
        (session.folder / PROFILE).write_bytes(profile_of(picture))
    height, width = picture.shape
    across, down = shown_size(width, height)
    form = FORMATS[output_form(target)].name
    origin = picture.origin
    own = origin is not None and output_form(target) == origin.form
    session.turned = origin.turned if origin is not None else 1
    session.photo = {
        "name": session.name,
        "width": width,
        "height": height,
        "shown": [across, down],
        "kind": picture.kind,
        "format": form,
        "keeps": picture.metadata.names(),
        "pages": origin.pages if origin is not None else 1,
        "download": target.name,
        "said": said + ([] if own else [f"photos of this format can only be read; the repaired one will be {form}"]),
    }


def target_of(name: str, picture: Picture) -> Path:
    """What the repaired photo is called: like the photo, with the suffix of its own format, or PNG if none writes it.

    >>> import numpy as np
    >>> picture = Picture(np.zeros((4, 4), np.uint8), "grey")
    >>> target_of("scan 3.tiff", picture).name
    'scan 3-repaired.png'
    """
    path, form = Path(name), picture.origin.form if picture.origin is not None else ""
    try:
        suffix = path.suffix if output_form(path) == form else SUFFIX.get(form, ".png")
    except PhotomendError:
        suffix = SUFFIX.get(form, ".png")
    return Path(f"{path.stem}-repaired{suffix}")


def shown(session: Session, path: Path, part: Part | None) -> tuple[bytes, str]:
    """A part of the colours in a file of the session, and its media type; the last ones are kept. Raises ViewError."""
    version = session.result["version"] if session.result is not None and path.name == AFTER else 0
    key = path.name, version, part
    found = session.views.pop(key, None) or view(path, part, (session.folder / PROFILE).read_bytes())
    session.views[key] = found  # as the latest
    while len(session.views) > VIEWS:
        session.views.pop(next(iter(session.views)), None)
    return found


def repair_photo(session: Session, wanted: Mapping[str, Any], repairers: Repairers, job: Job) -> None:
    """Repair the photo where it is marked, and note what there is to say. Raises PhotomendError."""
    started = perf_counter()
    photo = session.photo
    assert photo is not None, "only photos that have been read are repaired"
    missing = marked(session, wanted)
    check_mask(missing, missing.shape)
    with _in_its_own_words(session) as said:
        repairer = repairers.get(wanted["model"], wanted["look"])
        picture = read(session.file)
        repaired = mend(picture, missing, repairer, job.progress)
        job.check()
        target = session.folder / f"repaired{Path(photo['download']).suffix}"
        written = write(target, repaired)
        job.check()
        draft = session.folder / "after.part"
        keep_colours(repaired, draft)
        os.replace(draft, session.folder / AFTER)
    version = 1 if session.result is None else session.result["version"] + 1
    session.result = {
        "version": version,
        "pixels": int(missing.sum()),
        "seconds": round(perf_counter() - started, 1),
        "said": [
            each for each in (*said, *map(session.named, written.lost), *written.done) if each not in photo["said"]
        ],
        "bytes": target.stat().st_size,
        "model": wanted["model"],
        "expected": _certainty(repaired, missing, repairer, session.folder / CERTAINTY),
    }


def marked(session: Session, wanted: Mapping[str, Any]) -> Mask:
    """The mask (H, W) of the photo that `wanted` has as edits. Raises EditError."""
    assert session.photo is not None, "only photos that have been read are marked"
    found = session.folder / FOUND

    def given(number: int) -> Mask | None:
        path = session.folder / MASK.format(number)
        return np.asarray(Image.open(path)) if 0 < number <= MASKS and path.exists() else None

    height, width = session.photo["height"], session.photo["width"]
    return draw(wanted.get("edits"), height, width, np.load(found) if found.exists() else None, given)


def mask_file(session: Session, wanted: Mapping[str, Any]) -> bytes:
    """The same as a PNG, white where something is marked."""
    file = BytesIO()
    Image.fromarray(marked(session, wanted)).save(file, "PNG")
    return file.getvalue()


def take_mask(session: Session, path: Path, name: str, job: Job) -> None:
    """Read the mask in the file `path`, whose sender calls it `name`, and keep it for edits. Raises PhotomendError."""
    assert session.photo is not None, "only photos that have been read have masks"
    shape = session.photo["height"], session.photo["width"]
    try:
        missing = turn_like(read_mask(path), shape, session.turned)
        check_mask(missing, shape)
    except PhotomendError as error:
        raise PhotomendError(str(error).replace(str(path), f"the mask {name}")) from error
    finally:
        path.unlink(missing_ok=True)
    job.check()
    number = 1 if session.mask is None else session.mask["number"] + 1
    rows, columns = np.nonzero(missing)
    Image.fromarray(missing).save(session.folder / MASK.format(number))
    (session.folder / MASK_SHOWN.format(number)).write_bytes(marks(shape, [(rows, columns, 255)]))
    session.mask = {"number": number, "pixels": len(rows)}


def find_in_photo(session: Session, job: Job) -> None:
    """Find the damage of the photo, and note how much there is. Raises PhotomendError."""
    from ..masks.choice import damage_of  # here, because it brings scipy along

    with _in_its_own_words(session):
        picture = read(session.file)
        job.check()
        found = damage_of(picture, on_step=job.progress)
        job.check()
    np.save(session.folder / FOUND, found)
    rows, columns = np.nonzero(found)
    (session.folder / FOUND_SHOWN).write_bytes(marks(picture.shape, [(rows, columns, 255)]))
    session.found = {"pixels": len(rows)}


def _certainty(picture: Picture, missing: Mask, repairer: Repairer, path: Path) -> dict[str, Any] | None:
    """The error to expect, as numbers, and hole by hole in a file; None where the model doesn't know its error."""
    canvas = picture.canvas(missing)
    found = list(repairer.expectations(canvas, missing))
    whole = overall([expected for *_, expected in found], [len(rows) for rows, *_ in found])
    if whole is None:
        path.unlink(missing_ok=True)
        return None
    each = [expected.mae for *_, expected in found]
    path.write_bytes(marks(picture.shape, [(rows, columns, expected.mae) for rows, columns, expected in found]))
    return {
        "mae": whole.mae,
        "low": whole.low,
        "high": whole.high,
        "share": SHARE,
        "least": min(each),
        "most": max(each),
    }


@contextmanager
def _in_its_own_words(session: Session) -> Iterator[list[str]]:
    """What libraries warn of is collected; files are called what the person who sent them calls them."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield said
        except PhotomendError as error:
            raise type(error)(session.named(str(error))) from error
        finally:
            messages = dict.fromkeys(str(warning.message) for warning in caught)
            said += [session.named(message) for message in messages]
