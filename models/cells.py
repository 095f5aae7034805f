"""Holes cut into cells, and photos seen in a hole's own coordinates.

Both are products with constant matrices, Rows · x · Columnsᵀ: one says what each row belongs to, the other what each
column does.
"""

from __future__ import annotations

import torch

from ..core import Array, Tensor, matmul
from .holes import hole_edges

#: Colours that describe the ring around a hole: eight on each side and the four corners.
RING = 36
#: Pixels (by area) from which on a tile counts as covered; less is a rounding error of its edges.
SLIVER = 1e-6


def paint_cells(cells: Array | Tensor, mask: Array) -> Tensor:
    """Colours (N, C, k, k) as photos (N, C, H, W) in which each cell of the hole's k × k grid has its colour.

    The grid divides the bounds of the hole in mask (N, 1, H, W): cell j of an axis takes the rows (columns) from
    ⌊j s / k⌋ to before ⌊(j + 1) s / k⌋ of s, so the cells cover the bounds exactly and differ by one pixel at most; a
    hole narrower than k has some that are empty. Outside the bounds everything is 0.
    """
    rows, columns = _memberships(mask, cells.shape[-1], mask.dtype)
    return matmul(matmul(rows, cells), columns.mT)


def composite_cells(cells: Array | Tensor, masked: Array, mask: Array) -> Tensor:
    """`masked` (N, 3, H, W) with the missing pixels of mask (N, 1, H, W) painted in the colours of their cells."""
    missing = mask > 0.5
    return torch.where(missing, 0.0, masked) + paint_cells(cells, mask) * missing.to(mask.dtype)


def cell_means(photo: Array, mask: Array, k: int) -> tuple[Array, Array]:
    """The mean colours (N, C, k, k) of the missing pixels in each cell of `paint_cells`, 0 where a cell has none, and
    how many (N, 1, k, k) it has.
    """
    rows, columns = _memberships(mask, k, photo.dtype)
    missing = (mask > 0.5).to(photo.dtype)
    count = rows.mT @ missing @ columns
    return rows.mT @ (photo * missing) @ columns / count.clamp_min(1), count


def ring_colours(masked: Array, mask: Array, sides: int = (RING - 4) // 4) -> tuple[Array, Array]:
    """The colours of the known pixels that touch the hole's bounds, by position, and their mean.

    The ring is one pixel wide. Each of its four sides is cut into `sides` equal pieces, whose mean colours stand
    beside the four corners', 4 · sides + 4 colours in reading order. Where the hole touches the photo's edge there is
    no ring: those colours take the mean of the others. If nothing is left (the bounds are the whole photo), the mean
    is that of all known pixels.

    Returns:
        (N, C, 4 · sides + 4), the colours less their mean, and (N, C, 1), the mean.
    """
    top, left, bottom, right = _bounds(mask)
    known = (mask <= 0.5).to(masked.dtype)
    fraction = torch.arange(sides + 1, dtype=torch.float64, device=mask.device) / sides
    rows, columns = (  # a pixel before the hole, its equal pieces, a pixel behind it
        torch.cat((start - 1.0, start + fraction * (stop - start), stop + 1.0), dim=1)
        for start, stop in ((top, bottom), (left, right))
    )
    colours, covered = _tile_means(rows, columns, masked, known)
    ring, present = _outermost(colours), _outermost(covered)
    everywhere = torch.where(known > 0, masked, 0.0).sum(dim=(2, 3)) / known.sum(dim=(2, 3))
    count = present.sum(dim=2, keepdim=True)
    mean = torch.where(count > 0, ring.sum(dim=2, keepdim=True) / count.clamp_min(1), everywhere[..., None])
    return torch.where(present, ring - mean, 0.0), mean


def _outermost(x: Array) -> Array:
    """The first and last row and column of (N, C, S, S) in reading order, (N, C, 4 S − 4)."""
    return torch.cat((x[:, :, 0], x[:, :, 1:-1, :: x.shape[3] - 1].flatten(2), x[:, :, -1]), dim=2)


def hole_aligned(masked: Array, mask: Array, inner: int, margin: int) -> tuple[Array, Array]:
    """A photo in its hole's own coordinates: every hole, whatever its size, lies in the same place.

    The hole's bounds are cut into inner × inner equal tiles, and `margin` more of the same size stand on each side.
    Each has the mean colour of its known pixels, weighted by area; a tile without any (in the hole, or beyond the
    photo) is 0.

    Returns:
        Colours (N, C, S, S) with S = inner + 2 · margin, and which tiles have one, (N, 1, S, S), 1 or 0.
    """
    top, left, bottom, right = _bounds(mask)
    position = torch.arange(-margin, inner + margin + 1, dtype=torch.float64, device=mask.device) / inner
    rows, columns = top + position * (bottom - top), left + position * (right - left)
    colours, covered = _tile_means(rows, columns, masked, (mask <= 0.5).to(masked.dtype))
    return colours, covered.to(masked.dtype)


def _tile_means(row_edges: Array, column_edges: Array, x: Array, known: Array) -> tuple[Array, Array]:
    """The mean of the known pixels of x (N, C, H, W) in each tile, 0 where there are none; and where there are.

    The tiles lie between row edges (N, R + 1) and column edges (N, S + 1), in pixels, in the photo or beyond.
    """
    rows, columns = _overlap(row_edges, x.shape[2]).to(x.dtype), _overlap(column_edges, x.shape[3]).to(x.dtype)
    coverage = rows @ known @ columns.mT
    sums = rows @ torch.where(known > 0, x, 0.0) @ columns.mT
    covered = coverage > SLIVER
    return torch.where(covered, sums / coverage.clamp_min(SLIVER), 0.0), covered


def _bounds(mask: Array) -> tuple[Array, Array, Array, Array]:
    """Top, left, bottom and right of the holes, each (N, 1), whole numbers on the mask's device."""
    top, left, bottom, right = hole_edges(mask)[..., None]
    return top, left, bottom, right


def _memberships(mask: Array, k: int, dtype: torch.dtype) -> list[Array]:
    """(N, 1, H, k) and (N, 1, W, k): whether each row and column lies in cell j of the k that the hole has along it."""
    top, left, bottom, right = _bounds(mask)
    found = []
    for start, stop, size in ((top, bottom, mask.shape[2]), (left, right, mask.shape[3])):
        position = torch.arange(size, device=mask.device) - start
        cell = torch.div((position + 1) * k - 1, stop - start, rounding_mode="floor")  # 0 to k − 1 in the hole alone
        found.append((cell[..., None] == torch.arange(k, device=mask.device))[:, None].to(dtype))
    return found


def _overlap(edges: Array, size: int) -> Array:
    """(N, 1, S, size): how much of each pixel of an axis lies between edges i and i + 1."""
    pixel = torch.arange(size, dtype=torch.float64, device=edges.device)
    low, high = edges[:, :-1, None], edges[:, 1:, None]
    return (torch.minimum(high, pixel + 1) - torch.maximum(low, pixel)).clamp_min(0)[:, None]
