"""Photos in, batches out: sources, masks, crops, splits and the prepared dataset."""

from .augment import training_crop
from .loader import Batch, CropLoader, EvaluationSet, Sample, to_array
from .masks import Box, box_mask, protocol_box, random_box
from .photos import (
    PHOTO_SUFFIXES,
    Mask,
    Photo,
    PhotoError,
    SkippedPhotoWarning,
    find_photos,
    read_mask,
    read_photo,
    resize,
    write_photo,
)
from .prepared import PreparedSource, prepare, read_provenance
from .samples import SamplePhoto, sample_photos
from .sources import FolderSource, PhotoSource, SampleSource
from .split import SPLITS, split_of, split_photos

__all__ = [
    "PHOTO_SUFFIXES",
    "SPLITS",
    "Batch",
    "Box",
    "CropLoader",
    "EvaluationSet",
    "FolderSource",
    "Mask",
    "Photo",
    "PhotoError",
    "PhotoSource",
    "PreparedSource",
    "Sample",
    "SamplePhoto",
    "SampleSource",
    "SkippedPhotoWarning",
    "box_mask",
    "find_photos",
    "prepare",
    "protocol_box",
    "random_box",
    "read_mask",
    "read_photo",
    "read_provenance",
    "resize",
    "sample_photos",
    "split_of",
    "split_photos",
    "to_array",
    "training_crop",
    "write_photo",
]
