"""What the worker does with a photo: read it, and repair it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ...core import PhotomendError
from ...data.claims import allow_pixels
from ...data.photos import Mask
from ...models.calibration import SHARE, overall
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
from .views import keep_colours, marks, profile_of, shown_size

#: What files of each format are called, by Pillow's names, where the photo's own name is wrong.
SUFFIX = {
    **{"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg", "WEBP": ".webp", "AVIF": ".avif", "HEIF": ".heic"},
    **{"JPEG2000": ".jp2", "BMP": ".bmp", "PPM": ".ppm"},
}
#: Files of a session: colours before and after, their profile, and the errors to expect.
BEFORE, AFTER, PROFILE, CERTAINTY = "before.npy", "after.npy", "profile", "certainty.png"
#: And the damage that was found, as it is and as it is shown.
FOUND, FOUND_SHOWN = "found.npy", "found.png"


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


def repair_photo(session: Session, wanted: Mapping[str, Any], repairers: Repairers, job: Job) -> None:
    """Repair the photo where it is marked, and note what there is to say. Raises PhotomendError."""
    started = perf_counter()
    photo = session.photo
    assert photo is not None, "only photos that have been read are repaired"
    path = session.folder / FOUND
    missing = draw(wanted.get("edits"), photo["height"], photo["width"], np.load(path) if path.exists() else None)
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


def find_in_photo(session: Session, job: Job) -> None:
    """Find the damage of the photo, and note how much there is. Raises PhotomendError."""
    from ..masks.choice import damage_of  # here, because it brings scipy along

    with _in_its_own_words(session):
        picture = read(session.file)
        job.check()
        found = damage_of(picture)
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
