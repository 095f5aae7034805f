"""A matrix product that several ways to convolve need."""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import product

#: Parts of the sum over rows; a fixed number, so that the sum doesn't depend on how many threads there are.
PARTS = 8
#: Fewer rows than this are not worth it.
FEWEST_ROWS = 2048
#: Nor is a result of more entries than this, which is enough for the threads to share; by bytes of an entry.
LARGEST_RESULT = {2: 2**18, 4: 2**14, 8: 2**14}


def product_over_rows(a: Array, b: Array) -> Array:
    """aᵀ · b for matrices with many rows (the pixels) and few columns (the channels), (rows, m) and (rows, n).

    Threads share a product by parts of its result, and here the result is small. So the rows are cut into `PARTS`,
    each with a product of its own, and these are added. Measured on two threads: 20,000 rows with 32 columns on either
    side 1.5 times as fast; in bfloat16 37,000 rows with 48 and 432 columns 1.2 times. The narrower matrix stands first:
    with the wider one there it took up to 1.5 times as long.
    """
    if a.shape[1] > b.shape[1]:
        return product_over_rows(b, a).mT.contiguous()
    if len(a) < FEWEST_ROWS or a.shape[1] * b.shape[1] > LARGEST_RESULT[a.element_size()]:
        return product(a.mT, b)
    length = len(a) // PARTS
    whole = PARTS * length
    a_parts, b_parts = (m[:whole].unflatten(0, (PARTS, length)) for m in (a, b))
    return torch.bmm(a_parts.mT, b_parts).sum(dim=0).addmm_(a[whole:].mT, b[whole:])
