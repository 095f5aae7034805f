"""Work on images cut into blocks that fit a cache: what a block sees of its images, and where its outputs go."""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import batches_by_mkl
from ...core.backend.threads import parts
from ...core.backend.workspace import LARGEST, scratch
from .shape import ConvShape

#: Bytes of a block of tiles at the points, for each thread. Input, products and output need about as much each.
BLOCK = 4 * 2**20
#: The same where batches are MKL's (`batches_by_mkl`): a block may be smaller there …
BATCH_BLOCK = 2 * 2**20
#: … but should have about as many tiles as there are channels, up to so many, since every block goes through all of
#: the kernel at the points.
MOST_TILES = 512


def blocks(images: int, rows: int, most: int) -> list[tuple[slice, slice]]:
    """Images and rows, in blocks of at most `most` rows but one at least: several whole images, or rows of one.

    Blocks are as few as there can be, and differ little in size.
    """
    together = max(1, most) // max(1, rows)
    if not images:
        return []
    if together:
        return [(these, slice(0, rows)) for these in parts(images, -(-images // together))]
    return [(slice(i, i + 1), these) for i in range(images) for these in parts(rows, -(-rows // max(1, most)))]


def tile_blocks(shape: ConvShape, at_points: int) -> list[tuple[slice, slice]]:
    """All tiles of 4 × 4 outputs, each of which is `at_points` numbers at the points, in blocks of about `BLOCK` bytes
    for each thread: several whole images, or some rows of tiles of one."""
    down, across = (-(-size // 4) for size in shape.out)
    size = at_points * shape.dtype.itemsize
    tiles = BLOCK * torch.get_num_threads() // size
    if shape.dtype == torch.float32 and shape.device == "cpu" and batches_by_mkl():
        enough = min(max(shape.channels, shape.out_channels), MOST_TILES, LARGEST // size)
        tiles = max(BATCH_BLOCK * torch.get_num_threads() // size, enough)
    return blocks(shape.images, down, tiles // across)


def seen_by_tiles(tile_rows: slice, shape: ConvShape) -> tuple[slice, slice]:
    """Rows and columns of an image that these rows of tiles of 4 × 4 outputs look at; some of them may lie outside."""
    (sh, sw), (kh, kw), (ph, pw), across = shape.stride, shape.kernel, shape.padding, -(-shape.out[1] // 4)
    rows = slice(4 * sh * tile_rows.start - ph, 4 * sh * tile_rows.stop - ph + kh - sh)
    return rows, slice(-pw, 4 * sw * across - pw + kw - sw)


def zero_padded(pixels: Array, down: slice, across: slice) -> Array:
    """These rows and columns of images (N, H, W, C), in scratch; 0 where they reach beyond an image."""
    n, c = len(pixels), pixels.shape[3]
    padded = scratch("padded", (n, down.stop - down.start, across.stop - across.start, c), pixels)
    top, left = max(0, -down.start), max(0, -across.start)
    inside = pixels[:, max(0, down.start) : max(0, down.stop), max(0, across.start) : max(0, across.stop)]
    bottom, right = top + inside.shape[1], left + inside.shape[2]
    padded[:, :top], padded[:, bottom:] = 0, 0
    padded[:, top:bottom, :left], padded[:, top:bottom, right:] = 0, 0
    padded[:, top:bottom, left:right] = inside
    return padded


def whole_tiles(cotangents: Array, images: slice, tile_rows: slice) -> Array:
    """A block's rows of tiles, 4 × 4 pixels each, of the cotangents (N, H', W', O), with zeros beyond the last row and
    column: (n, 4 down, 4 across, O)."""
    rows, columns = slice(4 * tile_rows.start, 4 * tile_rows.stop), slice(0, 4 * -(-cotangents.shape[2] // 4))
    inside = cotangents[images, rows]
    if inside.shape[1:3] == (rows.stop - rows.start, columns.stop):
        return inside
    return zero_padded(cotangents[images], rows, columns)


def put_tiles(y: Array, images: slice, tile_rows: slice, tiles: Array, b: Array | None) -> None:
    """Write a block's tiles of outputs (16, T, O), plus `b`, into y (N, H', W', O), beyond which some may reach."""
    n, down, across, o = images.stop - images.start, tile_rows.stop - tile_rows.start, -(-y.shape[2] // 4), y.shape[3]
    tiles = tiles.view(4, 4, n, down, across, o).permute(2, 3, 0, 4, 1, 5)
    inside = y[images, 4 * tile_rows.start : 4 * tile_rows.stop]
    if inside.shape[1:3] == (4 * down, 4 * across):
        inside = inside.view(tiles.shape)
    else:
        whole = scratch("pixels", tiles.shape, y).copy_(tiles).view(n, 4 * down, 4 * across, o)
        tiles = whole[:, : inside.shape[1], : inside.shape[2]]
    inside.copy_(tiles) if b is None else torch.add(tiles, b, out=inside)
