"""Safetensors files from anyone: what their header claims is checked before it is believed, and damage is noticed.

A file is read as bytes, never executed, and never mapped into memory, where another program could change or cut it. The
header may hold a description as JSON and, in files that photomend wrote, a digest: the SHA-256 of the whole file with
zeros in the digest's own place. It lies within the file, so no copy can lose it, and one flipped bit is enough to be
refused.

    {"__metadata__": {"photomend": "{\\"sha256\\": \\"9f86d0…\\", …}"}, "stem.weight": {"dtype": "F32", …}, …}
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..core import Array, PhotomendError, replacing
from ..core.files import write_chunks
from ..core.reading import parse_json

#: The key in the header's metadata of the description, the only one, since safetensors writes several in any order; and
#: the digest's in the description.
HEADER, DIGEST = "photomend", "sha256"
#: The most that is read: bytes of a file and of its header, and arrays. The largest that ships has 11 MB, 4 kB and 62.
MOST_BYTES, MOST_HEADER, MOST_ARRAYS = 2**32, 2**23, 10_000
_ZEROS = "0" * hashlib.sha256().digest_size * 2
#: How the first bytes of files show what they are that are mistaken for safetensors.
_MISTAKEN = {b"PK\3\4": "a zip file, as torch.save writes it", b"\x80": "a pickle", b"\x89HDF": "an HDF5 file"}


class CheckpointError(PhotomendError):
    """A file that is missing, damaged, or not the checkpoint that was asked for."""


class Contents(NamedTuple):
    """What is in a file: arrays, the description that photomend gave them (None: it is another's), and whether it was
    compared with a digest, and fitted."""

    arrays: dict[str, Array]
    about: Any
    checked: bool


def write_file(path: Path, arrays: Mapping[str, Array], about: Mapping[str, Any], keep: Path | None = None) -> None:
    """Write arrays, description and digest, whole or not at all; the file that was there goes on as `keep`, if given.

    Raises CheckpointError naming the file and what to do.
    """
    # Copies, because safetensors takes neither views nor two names for one storage.
    owned = {k: torch.clone(v.detach().cpu(), memory_format=torch.contiguous_format) for k, v in arrays.items()}
    try:
        data = memoryview(save(owned, metadata={HEADER: json.dumps({DIGEST: _ZEROS, **about})}))
        place = _place(data, _ZEROS)
        digest = hashlib.sha256(data).hexdigest().encode()
        with replacing(path, keep) as draft:
            write_chunks(draft, (data[:place], digest, data[place + len(digest) :]))
    except (OSError, SafetensorError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        kept = "; the one before is still there" if path.exists() or (keep is not None and keep.exists()) else ""
        raise CheckpointError(f"{path}: the checkpoint cannot be written ({why}){kept}") from error


def read_file(path: Path, device: torch.device | str = "cpu", shipped: str | None = None) -> Contents:
    """Arrays and description of a safetensors file.

    `shipped` is the SHA-256 of the whole file, if it came with the package; it says more than the file's own digest,
    which isn't computed then.

    Raises CheckpointError naming it: there is none, it isn't safetensors, too large, damaged, or not the one shipped.
    """
    data = _bytes(path)
    if shipped is not None and hashlib.sha256(data).hexdigest() != shipped:
        raise CheckpointError(
            f"{path}: isn't the file that came with photomend (its SHA-256 differs); install it again"
        )
    try:
        metadata = _metadata(path, data)
        about = parse_json(metadata[HEADER]) if HEADER in metadata else None
        digest = about.pop(DIGEST, None) if isinstance(about, dict) else None
        if digest is not None and shipped is None:
            _require_digest(path, data, digest)
        arrays = {name: array.to(device) for name, array in sorted(load(data).items())}
    except (ValueError, TypeError, KeyError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint, or a damaged one ({_short(error)})") from error
    return Contents(arrays, about, digest is not None or shipped is not None)


def _bytes(path: Path) -> bytes:
    """The bytes of a regular file: a pipe or a device could give bytes without end, or none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for its writer
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from error
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise CheckpointError(f"{path}: not a checkpoint, but a folder, a pipe or a device")
        if about.st_size > MOST_BYTES:
            raise CheckpointError(f"{path}: has {about.st_size:,} bytes; checkpoints have at most {MOST_BYTES:,}")
        try:
            return file.read(about.st_size)  # so much memory is asked for at once
        except OSError as error:
            raise CheckpointError(f"{path}: can't be read ({error.strerror})") from error


def _metadata(path: Path, data: bytes) -> dict[str, Any]:
    """The metadata of the header. Raises CheckpointError, and ValueError where the header is no JSON."""
    for start, what in _MISTAKEN.items():
        # A safetensors header of that many bytes would be larger than any file here.
        if data.startswith(start) and int.from_bytes(data[:8], "little") > MOST_HEADER:
            raise CheckpointError(f"{path}: not a checkpoint, but {what}, which could run code and is never opened")
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise CheckpointError(f"{path}: not a checkpoint, or a damaged one (it ends within its header)")
    if size > MOST_HEADER:
        raise CheckpointError(f"{path}: has a header of {size:,} bytes; checkpoints have at most {MOST_HEADER:,}")
    header = parse_json(data[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    if len(header) > MOST_ARRAYS:
        raise CheckpointError(f"{path}: holds {len(header):,} arrays; checkpoints have at most {MOST_ARRAYS:,}")
    metadata = header.get("__metadata__") or {}
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are no table")
    return metadata


def _require_digest(path: Path, data: bytes, digest: Any) -> None:
    """Raise CheckpointError if these aren't the bytes that were written."""
    place = _place(data, digest) if isinstance(digest, str) and len(digest) == len(_ZEROS) else -1
    if place >= 0:
        hashed = hashlib.sha256(memoryview(data)[:place])
        hashed.update(_ZEROS.encode())
        hashed.update(memoryview(data)[place + len(digest) :])
        if hashed.hexdigest() == digest:
            return
    raise CheckpointError(
        f"{path}: damaged (its SHA-256 isn't the one that it was written with); take a copy of it, or an earlier one"
    )


def _place(data: bytes | memoryview, digest: str) -> int:
    """Where the digest stands in the header, or -1."""
    header = bytes(data[: 8 + int.from_bytes(data[:8], "little")])
    return header.find(digest.encode(errors="replace"))


def _short(error: Exception) -> str:
    """What an error says, in a line of bearable length."""
    return " ".join(str(error).split())[:200] or type(error).__name__
