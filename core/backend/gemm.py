"""Matrix products, by the library that is the faster one on this machine.

`torch.mm` leaves a float32 product on a CPU to the library that torch was built with, in its usual builds Intel's MKL.
torch has a second one, oneDNN, which gives the same up to rounding. Which one multiplies large matrices, and which one
batches of small ones, is a part of the machine's description (`machine.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from ..tape import Array
from .machine import machine

#: Multiplications of one product from which on calling oneDNN costs less than it saves.
FEWEST = 2**20
#: Parts of a sum over rows; a fixed number, so that the sum does not depend on how many threads there are.
ROW_PARTS = 8
#: Rows from which on cutting them into parts pays.
FEWEST_ROWS = 2048
#: Entries of a result up to which cutting the rows pays, by bytes of an entry: larger ones the threads share as it is.
LARGEST_RESULT = {2: 2**18, 4: 2**14, 8: 2**14}

#: (a, b, bias or None) → a · b + bias
_Product = Callable[[Array, Array, Array | None], Array]


def product(a: Array, b: Array, bias: Array | None = None, out: Array | None = None) -> Array:
    """a · b, plus `bias` (m,) in every row: (n, k) and (k, m) to (n, m), in `out` or in a new array."""
    if machine().onednn and (onednn := _onednn_for(a, b)) is not None:
        # Of a matrix with gaps, such as every ninth number of another, oneDNN's product took 90 times as long.
        dense = b.is_contiguous() or b.mT.is_contiguous()
        found = onednn(a, b if dense else b.contiguous(), bias)
        return found if out is None else out.copy_(found)
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)


def batch_product(a: Array, b: Array) -> Array:
    """a · b for batches (B, n, k) and (B, k, m): (B, n, m)."""
    if not machine().onednn_batches or (onednn := _onednn_for(a, b)) is None:
        return torch.bmm(a, b)
    y = a.new_empty(len(a), a.shape[1], b.shape[2])
    for a_, b_, y_ in zip(a, b, y, strict=True):
        y_.copy_(onednn(a_, b_, None))
    return y


def product_over_rows(a: Array, b: Array) -> Array:
    """aᵀ · b for matrices with many rows (the pixels) and few columns (the channels), (rows, m) and (rows, n).

    Threads share a product by parts of its result, and here the result is small. So the rows are cut into `ROW_PARTS`,
    each with a product of its own, and these are added. The narrower matrix stands first, which is the faster order.
    """
    if a.shape[1] > b.shape[1]:
        return product_over_rows(b, a).mT.contiguous()
    if len(a) < FEWEST_ROWS or a.shape[1] * b.shape[1] > LARGEST_RESULT[a.element_size()]:
        return product(a.mT, b)
    length = len(a) // ROW_PARTS
    whole = ROW_PARTS * length
    a_parts, b_parts = (m[:whole].unflatten(0, (ROW_PARTS, length)) for m in (a, b))
    return torch.bmm(a_parts.mT, b_parts).sum(dim=0).addmm_(a[whole:].mT, b[whole:])


def _onednn_for(a: Array, b: Array) -> _Product | None:
    """oneDNN's product, if it multiplies arrays of this kind and size."""
    if a.dtype != torch.float32 or a.device.type != "cpu":
        return None
    return onednn_product() if a.shape[-2:].numel() * b.shape[-1] >= FEWEST else None


@functools.cache
def onednn_product() -> _Product | None:
    """oneDNN's product, where this torch has it.

    torch names the operation after the layer that it serves, x Wᵀ + b; there is no other door to this product.
    """
    try:
        linear = torch.ops.mkldnn._linear_pointwise.default

        def onednn(a: Array, b: Array, bias: Array | None) -> Array:
            return linear(a, b.mT, bias, "none", [], "")

        works = onednn(torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)).equal(torch.full((2, 4), 4.0))
    except (AttributeError, RuntimeError):  # a torch without oneDNN, or one in which it is called otherwise
        return None
    return onednn if works else None
