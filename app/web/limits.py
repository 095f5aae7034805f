"""How much people may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass

from ...core import PhotomendError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one person, and all together, may take.

    Attributes:
        upload: bytes of a file.
        pixels: of a photo, counted before it is decoded.
        photos: open at a time.
        minutes: after which a photo that nobody has touched is forgotten.
    """

    upload: int = 500 * MEBIBYTE
    pixels: int = 100_000_000
    photos: int = 32
    minutes: float = 60

    def check_upload(self, size: int) -> None:
        """Raise TooLargeError for a file of more bytes than one may have."""
        if size > self.upload:
            raise TooLargeError(f"the file is larger than {self.upload / MEBIBYTE:.0f} MB")


class TooLargeError(PhotomendError):
    """More than `Limits` allow."""
