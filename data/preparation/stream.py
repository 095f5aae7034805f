"""Photos one after another, with a place to go on from: what a dataset is prepared from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ...core import PhotomendError
from ..masks import Box
from ..photos import Photo
from ..sources import FolderSource, PhotoSource


class StreamedPhoto(NamedTuple):
    """A photo that hasn't been decoded yet. `read` gives its pixels and the hole stored with it, if there is one.

    `read` raises PhotoError if the photo can't be read.
    """

    name: str
    class_name: str
    split: str
    read: Callable[[], tuple[Photo, Box | None]]


@runtime_checkable
class PhotoStream(Protocol):
    """Photos in an order that is the same every time.

    Attributes:
        origin: the folder or dataset, for messages.
        parameters: what was asked for, as JSON: for the provenance, and to tell whether a resumed stream is the same.
        total: how many photos there are in all, if that is known.
    """

    origin: str
    parameters: dict[str, Any]
    total: int | None

    def photos(self, position: dict[str, Any] | None = None) -> Iterator[StreamedPhoto | None]:
        """The photos after `position`, or all of them; None for something that was read and isn't wanted.

        Raises PhotomendError if the photos aren't those that `position` was taken in, or don't come.
        """

    def position(self) -> dict[str, Any]:
        """Where the stream stands after the last photo or None that it gave, as JSON."""


class SourceStream:
    """The photos of `source` in its order.

    A position holds the number of photos given so far, and a digest of all names and, for files, their sizes and
    modification times: photos that were added, removed or edited in between are noticed.

    Args:
        source: the photos.
        label: what the provenance calls them; the last part of the source's origin if it isn't given.
    """

    def __init__(self, source: PhotoSource, label: str | None = None) -> None:
        self.source = source
        self.origin = source.origin
        self.parameters: dict[str, Any] = {"source": Path(source.origin).resolve().name if label is None else label}
        self.total: int | None = len(source)
        self._given = 0
        self._digest = ""

    def photos(self, position: dict[str, Any] | None = None) -> Iterator[StreamedPhoto]:
        given = 0 if position is None else position.get("given")
        self._given = given if type(given) is int and given >= 0 else -1
        self._digest = _digest(self.source)
        if position is not None and position != self.position():
            raise PhotomendError(
                f"{self.origin}: its photos have changed since ({position.get('photos')} then, {len(self.source)} "
                "now); start over with --restart"
            )
        return self._rest()

    def position(self) -> dict[str, Any]:
        return {"given": self._given, "photos": len(self.source), "digest": self._digest}

    def _rest(self) -> Iterator[StreamedPhoto]:
        source = self.source
        for index in range(self._given, len(source)):
            self._given = index + 1

            def read(index: int = index) -> tuple[Photo, Box | None]:
                return source.read(index), source.box(index)

            yield StreamedPhoto(source.name(index), source.class_name(index), source.split(index), read)


def _digest(source: PhotoSource) -> str:
    """A fingerprint of the photos without reading them."""
    digest = hashlib.blake2b(digest_size=8)
    for index in range(len(source)):
        digest.update(source.name(index).encode("utf-8", "surrogateescape") + b"\0")
        for file in source.files(index) if isinstance(source, FolderSource) else ():
            try:
                status = file.stat()
            except OSError:  # a dangling link: it can't be read either, and is skipped then
                continue
            digest.update(f"{status.st_size} {status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
