"""Photos that claim more than they hold, made here from nothing, for the tests of what reads photos."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image

PIXEL_GIF = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\x00"


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, pixels: bytes = bytes(100)) -> bytes:
    """A PNG file with these chunks before its pixels, whatever the pixels are."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    inner = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in inner)


def grown(size: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size >> 20)) + packer.flush()


def png_that_grows(depth: int, size: int) -> bytes:
    """A PNG file of one pixel whose compressed pixels are `size` bytes."""
    inner = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, depth, 2, 0, 0, 0)), (b"IDAT", grown(size)), (b"IEND", b"")
    made = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in inner
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def tiff_that_grows(size: int) -> bytes:
    """A TIFF file of one pixel whose strip becomes `size` bytes."""
    data, place = grown(size), len(tiff(1, 1))
    return tiff(1, 1, t259=8, t273=place, t279=len(data)) + data


def tiff(width: int, height: int, pages: int = 1, endless: bool = False, **tags: int) -> bytes:
    """A grey TIFF file whose tags may be changed by number (`t277=9`); its last page may lead back to its first."""
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 4, 277: 1, 278: height, 279: width * height}
    values |= {int(name[1:]): value for name, value in tags.items()}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, values[tag] % 2**32) for tag in sorted(values))
    size = 2 + len(table) + 4
    made = [b"II*\0" + struct.pack("<I", 8)]
    for page in range(pages):
        following = 8 + (page + 1) * size if page < pages - 1 else 8 * endless
        made += [struct.pack("<H", len(values)), table, struct.pack("<I", following)]
    return b"".join(made)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def jpeg(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
    scan = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    parts = (b"\xff\xc0", frame), (b"\xff\xda", scan)
    return b"\xff\xd8" + b"".join(m + struct.pack(">H", len(d) + 2) + d for m, d in parts) + b"\xff\xd9"


def gif(frames: int) -> bytes:
    start = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return start + (b"\x21\xf9\x04\0\x0a\0\0\0" + PIXEL_GIF) * frames + b";"


def claiming(form: str, *places: tuple[bytes, int, bytes]) -> bytes:
    """A small photo of this format whose bytes at places (so far behind these) are others."""
    file = BytesIO()
    Image.new("RGB", (32, 32), "teal").save(file, form)
    made = bytearray(file.getvalue())
    for mark, behind, claim in places:
        at = made.index(mark) + behind
        made[at : at + len(claim)] = claim
    return bytes(made)


#: 60,000 × 60,000, as ISO's formats have it.
ENORMOUS = struct.pack(">II", 60_000, 60_000)
#: What they are called, their suffix and bytes; all must be refused.
REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "60,000 a side": (".png", lambda: png(60_000, 60_000)),
    "60,000 a side at 16 bits": (".png", lambda: png(60_000, 60_000, depth=16)),
    "2³¹ a side": (".png", lambda: png(2**31 - 1, 2**31 - 1)),
    "no pixels": (".png", lambda: png(0, 0)),
    "text that grows": (".png", lambda: png(9, 9, (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26 + 1))))),
    "a profile that grows": (".png", lambda: png(9, 9, (b"iCCP", b"a\0\0" + zlib.compress(bytes(2**26 + 1))))),
    "long lines": (".tif", lambda: tiff(96, 16_711_760)),
    "long strips": (".tif", lambda: tiff(16, 16, t278=2**31)),
    "large tiles": (".tif", lambda: tiff(16, 16, t322=60_000, t323=60_000, t324=8, t325=99)),
    "many channels": (".tif", lambda: tiff(16, 16, t277=60_000)),
    "deep channels": (".tif", lambda: tiff(16, 16, t258=60_000)),
    "100,000 pages": (".tif", lambda: tiff(1, 1, pages=100_000)),
    "pages without end": (".tif", lambda: tiff(1, 1, endless=True)),
    "a large bitmap": (".bmp", lambda: bmp(60_000, 60_000)),
    "a large JPEG": (".jpg", lambda: jpeg(60_000, 60_000)),
    "a large pixmap": (".ppm", lambda: b"P6 60000 60000 255\n" + bytes(100)),
    "a large PAM": (".pam", lambda: b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\0"),
    "a deep PAM": (".pam", lambda: b"P7\nWIDTH 6\nHEIGHT 6\nDEPTH 900000\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\0"),
    "large floats": (".pfm", lambda: b"PF\n60000 60000\n-1.0\n\0"),
    "a large canvas": (".gif", lambda: claiming("GIF", (b"GIF8", 6, b"\xff" * 4))),
    "a large frame": (".gif", lambda: claiming("GIF", (b"\x2c", 5, b"\xff" * 4))),
    "a large JPEG 2000": (".jp2", lambda: claiming("JPEG2000", (b"\xff\x51", 6, ENORMOUS))),
    "a large AVIF": (".avif", lambda: claiming("AVIF", (b"ispe", 8, ENORMOUS))),
    "PostScript": (".png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n"),
    "a page of a script": (".png", lambda: b"<script>alert(1)</script>"),
    "nothing": (".png", lambda: b""),
}
#: These are read: they claim nothing out of the way.
READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "100,000 frames": (".gif", lambda: gif(100_000)),
    "3,000 pages": (".tif", lambda: tiff(1, 1, pages=3000)),
}


def special(kind: str, path: Path) -> None:
    """Put something at `path` that is no file."""
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "a device" else path.with_name("nowhere"))
