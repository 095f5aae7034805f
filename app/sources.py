"""The photos that --photos, --data, or neither of them mean."""

from __future__ import annotations

from pathlib import Path

from ..core import PhotomendError
from ..data.photos import find_photos
from ..data.prepared import PreparedSource
from ..data.samples import sample_photos
from ..data.sources import FolderSource, PhotoSource, SampleSource
from ..data.split import SPLITS, split_photos

SPLIT_CHOICES = (*SPLITS, "all")
HOLES = 8


def open_source(photos: Path | None, data: Path | None, split: str) -> PhotoSource:
    """The photos of one split of the folder `photos` or of the prepared data set `data`; of the samples
    without both.

    `split` is "train", "validation" or "test", or "all" for the whole of a folder or the samples.

    Raises:
        PhotomendError: a folder without photos, no data set, or a split with nothing in it.
    """
    if data is not None:
        return PreparedSource(data, split)
    if photos is None:
        return SampleSource([sample for sample in sample_photos() if split in ("all", sample.split)])
    paths = find_photos(photos)
    chosen = paths if split == "all" else split_photos(photos, paths)[split]
    if not chosen:
        raise PhotomendError(f"{photos}: none of its {len(paths)} photos falls into the {split} split; it takes more")
    return FolderSource(chosen, photos)


def with_several_holes(source: PhotoSource) -> PhotoSource:
    """The source; but of the sample photos each one several times, every time with another hole.

    They are so few that a single hole in each would be an accident.
    """
    return SampleSource(source.samples * HOLES) if isinstance(source, SampleSource) else source
