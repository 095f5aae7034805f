"""The trained weights that come with the package; `weights/README.md` is their model card.

Each file's SHA-256 stands in `weights/SHA256SUMS`, in the form that `sha256sum --check` reads. It is compared whenever
a file is loaded, so that a figure of the model card is never repeated with other weights than the card's.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from ..core import PhotomendError
from ..models import TRAINED

FOLDER = Path(__file__).resolve().parent.parent / "weights"
SUMS = "SHA256SUMS"
#: What a network's own name means where its weights go by another.
MEANT = {"attention": "photomend-s"}


@cache
def shipped() -> dict[str, str]:
    """The names of all weights that come with the package, and their SHA-256."""
    try:
        lines = (FOLDER / SUMS).read_text(encoding="ascii").splitlines()
    except OSError:  # a package that was built without them
        return {}
    pairs = (line.split() for line in lines)
    return {file.removesuffix(".safetensors"): digest for digest, file in pairs}


def names() -> tuple[str, ...]:
    """All names under which `find` knows weights."""
    return (*(name for name, file in MEANT.items() if file in shipped()), *shipped())


def others() -> tuple[str, ...]:
    """The weights that no network's name means, neither as it is nor through MEANT."""
    return tuple(name for name in shipped() if name not in TRAINED and name not in MEANT.values())


def find(name: str) -> Path | None:
    """The weights file that `name` means, if one of that name comes with the package.

    Raises PhotomendError: the file is missing or isn't the one that was shipped.
    """
    stem = MEANT.get(name, name)
    if stem not in shipped():
        return None
    path = FOLDER / f"{stem}.safetensors"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PhotomendError(f"{path}: photomend's own weights can't be read ({error.strerror})") from error
    if found != shipped()[stem]:
        raise PhotomendError(f"{path}: isn't the file that came with photomend (its SHA-256 differs); install it again")
    return path
