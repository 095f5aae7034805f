"""Mistakes in a convolution's geometry: padding, stride, dilation, the kernel's order.

The geometry is read off the true Jacobian of the weight: its entries are the pixels that each tap saw. Then the
gradients that other geometries would give are compared with the claimed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import torch

from ...tape import Array
from .evidence import Evidence, Hypothesis, Point, close


@dataclass(frozen=True)
class Geometry:
    """Stride, padding and dilation, the same along both axes; x (N, C, H, W), w (O, C, KH, KW), y (N, O, OH, OW)."""

    stride: int
    padding: int
    dilation: int = 1

    def taps(self, x: Array, w: Array, y: Array) -> Iterator[tuple[int, int, Array, Array]]:
        """For each tap (i, j): the input pixels' flat positions (OH, OW) that it sees, and which of them exist."""
        height, width = x.shape[2:]
        for i, j in product(range(w.shape[2]), range(w.shape[3])):
            rows = torch.arange(y.shape[2]) * self.stride + i * self.dilation - self.padding
            columns = torch.arange(y.shape[3]) * self.stride + j * self.dilation - self.padding
            inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
            flat = rows.clamp(0, height - 1)[:, None] * width + columns.clamp(0, width - 1)[None]
            yield i, j, flat, inside.to(x.dtype)

    def weight_gradient(self, x: Array, w: Array, v: Array) -> Array:
        found, seen = torch.zeros_like(w), x.flatten(2)
        for i, j, flat, inside in self.taps(x, w, v):
            found[:, :, i, j] = torch.einsum("nchw,nohw->oc", seen[:, :, flat] * inside, v)
        return found

    def input_gradient(self, x: Array, w: Array, v: Array, *, overwrite: bool = False) -> Array:
        found = torch.zeros_like(x).flatten(2)
        for i, j, flat, inside in self.taps(x, w, v):
            shares = torch.einsum("nohw,oc->nchw", v, w[:, :, i, j])
            there = inside.bool()
            if overwrite:
                found[:, :, flat[there]] = shares[:, :, there]
            else:
                found.index_add_(2, flat[there], shares[:, :, there])
        return found.reshape(x.shape)


def convolution(e: Evidence) -> Iterator[str]:
    if recognised := _recognise(e):
        geometry, x, w = recognised
        if e.k == w:
            yield from e.those(_of_weight(geometry, x))
        elif e.k == x:
            yield from e.those(_of_input(geometry, w))


def _recognise(e: Evidence) -> tuple[Geometry, int, int] | None:
    """Stride, padding and dilation of a convolution, and which variables are the image and the kernel."""
    p = e.points[0]
    images = [k for k, x in enumerate(p.xs) if x.ndim == 4]
    if p.y.ndim != 4 or len(images) != 2:
        return None
    for x, w in (images, images[::-1]):
        image, kernel = p.xs[x], p.xs[w]
        if image.shape[1] != kernel.shape[1] or p.y.shape[:2] != (image.shape[0], kernel.shape[0]):
            continue
        for stride, padding, dilation in product((1, 2, 3), (0, 1, 2, 3), (1, 2)):
            geometry = Geometry(stride, padding, dilation)
            if close(geometry.weight_gradient(image, kernel, p.vs[0]), p.pull(p.vs[0], w)):
                return geometry, x, w
    return None


def _others(g: Geometry) -> Iterator[tuple[str, Geometry]]:
    """Geometries that are taken by mistake."""
    if g.padding:
        yield "the padding is kept: the gradient is cut out at the corner, as if there were none", replace(g, padding=0)
    if g.stride > 1:
        yield "the stride is ignored, as if it were 1", replace(g, stride=1)
    if g.dilation > 1:
        yield "the dilation is ignored, as if the taps lay side by side", replace(g, dilation=1)
    for off in (-1, 1):
        yield "everything is shifted by one pixel: the padding is off by one", replace(g, padding=g.padding + off)


def _of_weight(g: Geometry, x: int) -> Iterator[tuple[str, Hypothesis]]:
    for sentence, other in _others(g):
        yield sentence, partial(lambda other, p, v: other.weight_gradient(p.xs[x], p.x, v), other)
    yield (
        "the kernel is flipped: the gradient belongs to a mathematician's convolution, last tap first",
        lambda p, v: g.weight_gradient(p.xs[x], p.x, v).flip(2, 3),
    )
    yield (
        "the gradient of the first image only: the sum over the batch is missing",
        lambda p, v: g.weight_gradient(p.xs[x][:1], p.x, v[:1]) if len(v) > 1 else None,
    )
    yield (
        "the gradient of the last image only: the sum over the batch is missing, overwritten and not added",
        lambda p, v: g.weight_gradient(p.xs[x][-1:], p.x, v[-1:]) if len(v) > 1 else None,
    )


def _of_input(g: Geometry, w: int) -> Iterator[tuple[str, Hypothesis]]:
    for sentence, other in _others(g):
        yield sentence, partial(lambda other, p, v: other.input_gradient(p.x, p.xs[w], v), other)
    yield (
        "the kernel is flipped: its last tap is taken for its first",
        lambda p, v: _unless_same(g, p, v, p.xs[w].flip(2, 3)),
    )
    yield (
        "the kernel is transposed: its rows and columns are exchanged",
        lambda p, v: _unless_same(g, p, v, p.xs[w].mT),
    )
    yield (
        "the kernel's channels are exchanged: W where Wᵀ is due",
        lambda p, v: _unless_same(g, p, v, p.xs[w].transpose(0, 1)),
    )
    yield (
        "where windows overlap, the last tap's gradient overwrites the others: it must be added",
        lambda p, v: g.input_gradient(p.x, p.xs[w], v, overwrite=True),
    )


def _unless_same(g: Geometry, p: Point, v: Array, changed: Array) -> Array | None:
    found = g.input_gradient(p.x, changed, v)
    return None if close(found, p.pull(v)) else found
