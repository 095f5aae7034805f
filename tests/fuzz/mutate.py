"""Changes to files that keep some of their structure, so that readers get past the first bytes."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Sequence
from random import Random

from .structure import EXTREMES, restructured

FORMATS = ("B", "<H", ">H", "<I", ">I", "<Q", ">Q")
WORDS = (b"null", b"NaN", b"-1", b"1e999", b'""', b"[]", b"{}", b"true", b"9" * 400, b"[" * 2000, b"\\ud800", b"\0")


def mutated(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """`data` with one to six changes, and the checks that would reveal them at once made right again."""
    made = bytearray(data)
    if random.random() < 0.5:
        made = bytearray(restructured(data, random))
        if random.random() < 0.7:
            return repaired(bytes(made), random)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        random.choice((_flip, _number, _cut, _repeat, _splice, _word, _remove))(made, others, random)
    return repaired(bytes(made), random)


def repaired(made: bytes, random: Random) -> bytes:
    """A changed file with the right checksums, mostly."""
    if made[:4] == b"\x89PNG" and random.random() < 0.8:
        return checked_png(made)
    if made[8:9] == b"{" and random.random() < 0.8:
        return digested(resized_header(made))
    return made


def _place(made: bytearray, random: Random) -> int:
    """More often near the beginning, where headers are."""
    return min(len(made), int(len(made) * random.random() ** random.choice((1, 3))))


def _flip(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    if made:
        made[min(_place(made, random), len(made) - 1)] ^= 1 << random.randrange(8)


def _number(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    form, place = random.choice(FORMATS), _place(made, random)
    size = struct.calcsize(form)
    if place + size <= len(made):
        (old,) = struct.unpack_from(form, made, place)
        new = random.choice((*EXTREMES, old + 1, old - 1, old * 2))
        struct.pack_into(form, made, place, new % 2 ** (8 * size))


def _cut(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    del made[_place(made, random) :]


def _remove(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    place = _place(made, random)
    del made[place : place + random.choice((1, 2, 4, 8, 32))]


def _repeat(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    place, size = _place(made, random), random.choice((1, 2, 4, 12, 64))
    made[place:place] = made[place : place + size] * random.choice((1, 2, 50))


def _splice(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    other, place = random.choice(others), _place(made, random)
    start = _place(bytearray(other), random)
    made[place : place + 64] = other[start : start + random.choice((4, 16, 64, 256))]


def _word(made: bytearray, others: Sequence[bytes], random: Random) -> None:
    place = _place(made, random)
    made[place : place + random.randrange(6)] = random.choice(WORDS)


def checked_png(data: bytes) -> bytes:
    """A PNG file whose chunks have the right checksums."""
    made, place = [data[:8]], 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunk = data[place + 4 : place + 8 + min(size, len(data))]
        made.append(data[place : place + 4] + chunk + struct.pack(">I", zlib.crc32(chunk)))
        place += 12 + size
    return b"".join(made)


def digested(data: bytes) -> bytes:
    """A safetensors file of ours with the digest that it should have."""
    if not (found := re.search(rb'"sha256\\": \\"([0-9a-f]{64})', data[: 2**14])):
        return data
    start, end = found.span(1)
    digest = hashlib.sha256(data[:start] + b"0" * 64 + data[end:]).hexdigest()
    return data[:start] + digest.encode() + data[end:]


def resized_header(data: bytes) -> bytes:
    """A safetensors file that says how long its header is now."""
    for end in (data.rfind(b"}}", 8, 8 + 2**14) + 2, data.rfind(b"}", 8, 8 + 2**14) + 1):
        try:
            json.loads(data[8:end])
        except (ValueError, RecursionError):
            continue
        return struct.pack("<Q", end - 8) + data[8:]
    return data
