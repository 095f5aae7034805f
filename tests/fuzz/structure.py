"""Changes to the parts that a file consists of: chunks, boxes, tags, values of JSON. What holds them stays consistent.

A reader that checks lengths and checksums first never gets to see what is inside a file whose bytes were changed at
random.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

#: Numbers at which sizes, counts and offsets go wrong.
SMALL = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536)
EXTREMES = (*SMALL, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
#: Texts that are more than a text somewhere: on a terminal, in a page, as a path.
TEXTS = (
    "",
    "a\nb",
    "\x1b[2J",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "/dev/zero",
    "\ud800",
    "\0",
    "x" * 5000,
    "$array",
    "nan",
    "٣",
)
#: Values as JSON and TOML write them, some of which neither allows.
VALUES = (
    *("null", "NaN", "-Infinity", "1e999", "-1", "1.5", "true", "[]", "{}", '""'),
    *("9" * 400, "[" * 3000, '{"a":' * 2000),
)
#: What stands for a value until the text is written.
PLACE = "\x02place\x03"
#: Tags of TIFF that say how pixels are stored, or point at other tables.
TAGS = (258, 259, 262, 273, 277, 279, 322, 324, 330, 338, 34665)
#: The chunks of PNG whose contents are compressed, and where that begins.
COMPRESSED = {b"IDAT": 0, b"zTXt": 2, b"iCCP": 2, b"fdAT": 4}

#: Between the parts of a hub's replies.
BETWEEN = b"\n----\n"

Part = tuple[bytes, bytes]


def restructured(data: bytes, random: Random) -> bytes:
    """`data` with one of its parts changed; as it is where it has no structure that is known here."""
    for is_one, change in KINDS:
        if is_one(data):
            try:
                return change(data, random)
            except (ValueError, KeyError, IndexError, struct.error, zlib.error, RecursionError, OverflowError):
                return data
    return data


def changed_json(data: bytes, random: Random) -> bytes:
    """JSON, or one line of a log, with a value replaced, a key twice, renamed or gone."""
    lines = data.split(b"\n")
    whole = len(lines) > 1 and not lines[0].rstrip().endswith(b"}")
    number = 0 if whole else random.randrange(len(lines))
    text = data if whole else lines[number]
    value = json.loads(text)
    written = json.dumps(_with_change(value, random)).replace(json.dumps(PLACE), random.choice(VALUES))
    if random.random() < 0.1 and written.startswith("{") and len(written) > 2:
        written = "{" + written[1:-1] + ", " + written[1:]  # every key twice
    lines[number] = written.encode("utf-8", "surrogatepass")
    return lines[0] if whole else b"\n".join(lines)


def _with_change(value: Any, random: Random) -> Any:
    """A value with one change at a random place of its tree."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key, made = random.choice(list(value)), dict(value)
        what = random.random()
        if what < 0.1:
            del made[key]
        elif what < 0.2:
            made[random.choice(TEXTS)] = made.pop(key)
        elif what < 0.25:
            made[random.choice(list(value))] = value[key]
        else:
            made[key] = _with_change(value[key], random)
        return made
    if isinstance(value, list) and value and random.random() < 0.9:
        place, many = random.randrange(len(value)), random.random()
        if many < 0.1:
            return value[:place] + value[place + 1 :]
        if many < 0.2:
            return value[:place] + value[place : place + 1] * random.choice((2, 3, 500)) + value[place:]
        return [*value[:place], _with_change(value[place], random), *value[place + 1 :]]
    if isinstance(value, str) and value[:1] in ("{", "[") and random.random() < 0.8:  # JSON within JSON
        return json.dumps(_with_change(json.loads(value), random))
    near = [value + 1, -value, value * 2, value / 3] if isinstance(value, int | float) else []
    return random.choice((PLACE, PLACE, random.choice(TEXTS), random.choice(EXTREMES), *near))


def changed_replies(data: bytes, random: Random) -> bytes:
    """A hub's: one of its documents, or the file behind them."""
    parts = data.split(BETWEEN, 2)
    number = random.randrange(len(parts))
    parts[number] = _bytes(parts[number], random) if number == 2 else changed_json(parts[number], random)
    return BETWEEN.join(parts)


def changed_safetensors(data: bytes, random: Random) -> bytes:
    """A safetensors file with a change in its header, whose size is right again."""
    size = int.from_bytes(data[:8], "little")
    header = changed_json(data[8 : 8 + size].rstrip(), random)
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def changed_toml(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    number = random.randrange(len(lines))
    key, equals, _ = lines[number].partition(b"=")
    value = random.choice((random.choice(VALUES), json.dumps(random.choice(TEXTS)), str(random.choice(EXTREMES))))
    lines[number] = key + equals + b" " + value.encode("utf-8", "surrogatepass")
    return b"\n".join(lines if random.random() < 0.8 else lines + lines[number : number + 1])


def changed_png(data: bytes, random: Random) -> bytes:
    chunks, place = [], 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    made = [data[:8]]
    for kind, inner in _with_part(chunks, random, _unpacked):
        made.append(struct.pack(">I", len(inner)) + kind + inner + struct.pack(">I", zlib.crc32(kind + inner)))
    return b"".join(made)


def _unpacked(kind: bytes, inner: bytes, random: Random) -> bytes:
    """What a chunk of a PNG file holds, changed: what is compressed as it is, or before it is compressed."""
    start = COMPRESSED.get(kind, -1)
    if start < 0 or random.random() < 0.3:
        return _bytes(inner, random)
    return inner[:start] + zlib.compress(_bytes(zlib.decompress(inner[start:]), random))


def changed_jpeg(data: bytes, random: Random) -> bytes:
    parts, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        parts.append((data[place : place + 2], data[place + 4 : place + 2 + size]))
        place += 2 + size
    made = [kind + struct.pack(">H", min(65535, len(inner) + 2)) + inner for kind, inner in _with_part(parts, random)]
    return data[:2] + b"".join(made) + data[place:]


def changed_riff(data: bytes, random: Random) -> bytes:
    """WebP."""
    chunks, place = [], 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append((data[place : place + 4], data[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    made = b"".join(
        kind + struct.pack("<I", len(inner)) + inner + bytes(len(inner) % 2)
        for kind, inner in _with_part(chunks, random)
    )
    return b"RIFF" + struct.pack("<I", len(made) + 4) + data[8:12] + made


def changed_boxes(data: bytes, random: Random) -> bytes:
    """AVIF, HEIC and JPEG 2000, whose boxes hold boxes."""
    boxes, place = [], 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big") or len(data) - place
        boxes.append((data[place + 4 : place + 8], data[place + 8 : place + max(8, size)]))
        place += max(8, size)

    def inside(kind: bytes, inner: bytes, random: Random) -> bytes:
        holds = {b"meta": 4, b"moov": 0, b"trak": 0, b"iprp": 0, b"ipco": 0, b"jp2h": 0, b"iinf": 6, b"iref": 4}
        if kind in holds and random.random() < 0.8:
            start = holds[kind]
            return inner[:start] + changed_boxes(inner[start:], random)
        return _bytes(inner, random)

    parts = _with_part(boxes, random, inside)
    return b"".join(struct.pack(">I", len(inner) + 8) + kind + inner for kind, inner in parts)


def changed_tiff(data: bytes, random: Random) -> bytes:
    """A tag's number, type, count or value; of BigTIFF, too."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    made, pointer = bytearray(data), "Q" if big else "I"
    (table,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, table)
    entry = table + (8 if big else 2) + random.randrange(count) * (20 if big else 12)
    form, place = random.choice((("H", 0), ("H", 2), (pointer, 4), (pointer, 12 if big else 8)))
    (old,) = struct.unpack_from(order + form, data, entry + place)
    new = random.choice((*EXTREMES, old + 1, old - 1, *range(1, 19), *TAGS))
    struct.pack_into(order + form, made, entry + place, new % 2 ** (8 * struct.calcsize("=" + form)))
    return bytes(made)


def _with_part(
    parts: list[Part], random: Random, change: Callable[[bytes, bytes, Random], bytes] | None = None
) -> list[Part]:
    """The parts with one of them changed inside, twice there, gone, somewhere else, or called like another."""
    place, what = random.randrange(len(parts)), random.random()
    kind, inner = parts[place]
    if what < 0.6:
        new = _bytes(inner, random) if change is None else change(kind, inner, random)
        return [*parts[:place], (kind, new), *parts[place + 1 :]]
    rest = [*parts[:place], *parts[place + 1 :]]
    other = random.randrange(len(parts))
    if what < 0.7:
        return rest
    if what < 0.8:
        return [*rest[:other], (kind, inner), *rest[other:]]
    if what < 0.9:
        return [*parts[:place], *[parts[place]] * random.choice((2, 40)), *parts[place + 1 :]]
    return [*parts[:place], (parts[other][0], inner), *parts[place + 1 :]]


def _bytes(inner: bytes, random: Random) -> bytes:
    """The contents of a part with a number in them changed, cut or grown."""
    made, what = bytearray(inner), random.random()
    if what < 0.1:
        return bytes(made[: random.randrange(len(made) + 1)])
    if what < 0.2:
        return bytes(made) + bytes(random.choice((1, 4, 100)))
    form = random.choice(("B", "B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(made) < size:
        return bytes(made)
    place = min(len(made) - size, int(len(made) * random.random() ** 2))
    (old,) = struct.unpack_from(form, made, place)
    new = random.choice((*EXTREMES, old + 1, old - 1, old ^ (1 << random.randrange(8 * size))))
    struct.pack_into(form, made, place, new % 2 ** (8 * size))
    return bytes(made)


#: How each kind of file is known, and what changes it.
KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, Random], bytes]], ...] = (
    (lambda data: data[:4] == b"\x89PNG", changed_png),
    (lambda data: data[:3] == b"\xff\xd8\xff", changed_jpeg),
    (lambda data: data[:4] == b"RIFF", changed_riff),
    (lambda data: data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), changed_tiff),
    (lambda data: data[4:8] in (b"ftyp", b"jP  "), changed_boxes),
    (lambda data: data[8:9] == b"{", changed_safetensors),
    (lambda data: data.count(BETWEEN) > 1, changed_replies),
    (lambda data: data[:1] in (b"{", b"["), changed_json),
    (lambda data: b" = " in data[:200] and data[:60].isascii(), changed_toml),
)
