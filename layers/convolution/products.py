"""A matrix product that several ways to convolve need."""

from __future__ import annotations

import torch

from ...core import Array

#: Parts of the sum over rows; a fixed number, so that the sum doesn't depend on how many threads there are.
PARTS = 8
#: Fewer rows than this are not worth it.
FEWEST_ROWS = 2048


def product_over_rows(a: Array, b: Array) -> Array:
    """aᵀ · b for matrices with many rows (the pixels) and few columns (the channels), (rows, m) and (rows, n).

    Threads share a product by parts of its result, and here the result is small. So the rows are cut into `PARTS`, each
    with a product of its own, and these are added. Measured on two threads, 20,000 rows: with 32 columns on either side
    1.5 times as fast, with 128 1.1 times.
    """
    if len(a) < FEWEST_ROWS:
        return torch.mm(a.mT, b)
    length = len(a) // PARTS
    whole = PARTS * length
    a_parts, b_parts = (m[:whole].unflatten(0, (PARTS, length)) for m in (a, b))
    return torch.bmm(a_parts.mT, b_parts).sum(dim=0).addmm_(a[whole:].mT, b[whole:])
