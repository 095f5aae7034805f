"""What is fuzzed: each reader, and what it owes for any bytes: a right answer or an error of the one family."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from photomend.core import PhotomendError
from photomend.data.claims import allow_pixels

from . import corpus, dataset_corpus, dataset_readers, readers

#: Pixels of a photo while fuzzing: enough for all that the corpus means, and soon too many.
PIXELS = 1_000_000


class Target(NamedTuple):
    """A reader: takes the path of a file, and checks what it gets; and the files to begin with."""

    read: Callable[[Path], object]
    corpus: Callable[[], list[bytes]]


TARGETS = {
    "photo": Target(readers.photo, corpus.photos),
    "training-photo": Target(readers.training_photo, corpus.photos),
    "mask": Target(readers.mask, corpus.photos),
    "repaired-photo": Target(readers.repaired_photo, corpus.photos),
    "marks": Target(readers.marks, corpus.marks),
    "weights": Target(readers.weights, corpus.weights),
    "arrays": Target(readers.arrays, corpus.weights),
    "digests": Target(readers.digests, corpus.digests),
    "state": Target(readers.state, corpus.states),
    "settings": Target(readers.settings, corpus.settings),
    "log": Target(readers.log, corpus.logs),
    "profile": Target(readers.machine_profile, corpus.profiles),
    "shard": Target(dataset_readers.shard, dataset_corpus.shards),
    "provenance": Target(dataset_readers.provenance, dataset_corpus.provenance),
    "dataset-info": Target(dataset_readers.info, dataset_corpus.info),
    "dataset-state": Target(dataset_readers.state, dataset_corpus.state),
    "journal": Target(dataset_readers.journal, dataset_corpus.journals),
    "hub": Target(dataset_readers.hub, dataset_corpus.replies),
}


def attempt(target: Target, path: Path, data: bytes) -> bool:
    """Give these bytes to a reader; whether it refuses them. Raises what it does but an error of the family."""
    path.write_bytes(data)
    allow_pixels(PIXELS)
    try:
        with warnings.catch_warnings(action="ignore"):
            target.read(path)
        return False
    except PhotomendError as error:
        if len(str(error)) > 5000:
            raise ValueError("a message that nobody reads") from error
        return True
    finally:
        allow_pixels(None)


def warm_up(target: Target, files: list[bytes]) -> None:
    """Give a reader these files, so that everything is imported that it imports when it is needed.

    What is wrong with these files is found when they are tried.
    """
    with TemporaryDirectory() as folder:
        for data in files:
            with suppress(Exception):  # the fuzzer will say which
                attempt(target, Path(folder, "file"), data)
