"""Photos in, batches out: sources and streams, masks, crops, splits and the prepared dataset."""

from .augment import training_crop
from .evaluation_set import EvaluationSet, MaskedPhoto, to_array
from .loader import Batch, CropLoader
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
from .preparation.hub import HubDataset
from .preparation.hub_stream import HubStream
from .preparation.pairs import PairSource, find_hole, find_pairs
from .preparation.prepare import prepare
from .preparation.stream import PhotoStream, SourceStream, StreamedPhoto
from .prepared import PreparedSource, read_provenance
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
    "HubDataset",
    "HubStream",
    "Mask",
    "MaskedPhoto",
    "PairSource",
    "Photo",
    "PhotoError",
    "PhotoSource",
    "PhotoStream",
    "PreparedSource",
    "SamplePhoto",
    "SampleSource",
    "SkippedPhotoWarning",
    "SourceStream",
    "StreamedPhoto",
    "box_mask",
    "find_hole",
    "find_pairs",
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
