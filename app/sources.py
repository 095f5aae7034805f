"""The photos that a command works on: those of --photos or --data, or the samples without either."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from ..core import PhotomendError
from ..data.evaluation_set import EvaluationSet
from ..data.photos import find_photos
from ..data.prepared import PreparedSource
from ..data.sources import SPLITS, FolderSource, PhotoSource, SampleSource, sample_photos, split_photos

SPLIT_CHOICES = (*SPLITS, "all")
#: Below so many photos each is evaluated with several holes, and with how many.
FEW, HOLES = 30, 8


def open_source(photos: Path | None, data: Path | None, split: str) -> PhotoSource:
    """The photos of one split of the folder `photos` or of the prepared data set `data`, or else of the samples.

    `split` is "train", "validation" or "test", or "all" for the whole of a folder or the samples.

    Raises PhotomendError: a folder without photos, no data set, or a split with nothing in it.
    """
    if data is not None:
        return PreparedSource(data, split)
    if photos is None:
        return SampleSource([sample for sample in sample_photos() if split in ("all", sample.split)])
    paths = find_photos(photos)
    chosen = paths if split == "all" else split_photos(photos, paths)[split]
    if not chosen:
        raise PhotomendError(
            f"{photos}: none of its {len(paths)} photos falls into the {split} split; "
            f"it takes about {FEW} to fill every split, and without --photos the sample photos are taken"
        )
    return FolderSource(chosen, photos)


def with_several_holes(source: PhotoSource, most: int = FEW * HOLES) -> PhotoSource:
    """The source, but with fewer than FEW photos each several times, every time with another hole, `most` in all.

    Results on so few photos would depend on where the holes happen to be. Prepared photos keep the hole they have.
    """
    times = min(HOLES, most // len(source)) if 0 < len(source) < FEW else 1
    if times > 1 and isinstance(source, SampleSource):
        return SampleSource(source.samples * times)
    if times > 1 and isinstance(source, FolderSource):
        return FolderSource(source.paths * times, source.root)
    return source


def evenly(photos: EvaluationSet, most: int) -> EvaluationSet:
    """At most `most` different photos of an evaluation that has run, evenly spread, with the holes that it saw.

    Those that could not be read are left out.
    """
    first: dict[str, int] = {}
    for index in photos.indices:
        first.setdefault(photos.source.name(index), index)
    readable = [index for name, index in first.items() if name not in photos.skipped]
    chosen = copy(photos)
    chosen.indices = readable[:: -(-len(readable) // most)]
    return chosen
