"""Winograd's convolution down the columns only, F(4, 3), and along the rows in one product: half the multiplications.

`winograd.py` transforms tiles of 6×6 pixels, and is left with 36 small products, which a library computes at half its
speed. Here only the kernel's three rows are transformed (`transforms.py`), and its columns are left to the product. For
each tile t of four rows of outputs and each column s, with padding p of rows and q of columns:

    U_i[j]            =  Σ over r of  G_ir · w[:, :, r, j]ᵀ               (C, O), column j of the kernel at point i
    V_i[t, s]         =  Σ over r of  (Bᵀ)_ir · x[:, 4 t + r − p, s − q]  (C,), six rows at point i; x is 0 outside
    M_i[t, s]         =  Σ over j of  V_i[t, s + j] · U_i[j]              (O,)
    y[:, 4 t + k, s]  =  Σ over i of  (Aᵀ)_ki · M_i[t, s].

The sum over j and the channels is a product with a matrix whose row for (t, s) has V_i[t, s], V_i[t, s + 1], … side by
side. With channels last that is what lies in memory from V_i[t, s] on: the matrix is a view whose rows overlap. Where a
row of the image ends, the view goes on into the next one; these outputs (columns of the kernel − 1 for each row) are
computed and left out.

So there are six products with 3 C columns for 36 with C, if the kernel is 3×3, and the transforms make 1.5 numbers of
each pixel, where those of tiles make 2.25. Rounding in float32: 2 to 4 · 10⁻⁶ of the largest output, a third of what
tiles lose, and three times what a plain sum of products does. As with tiles, a result with a NaN or an infinity is
computed once more, by im2col (`transforms.py`).

A bias goes into the product at the point 1, whose value is added to all four outputs alike.

The adjoint in x is a convolution itself, of ȳ with the rotated kernel. For the adjoint in w the other algorithms are
faster, so there is none here.

Images are worked on in blocks. Memory beside input, output and U: some three times a block (V, what is added up for
it, and the products, or ȳ).

Sources: Winograd, *Arithmetic complexity of computations* (1980); Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016).
"""

from __future__ import annotations

import torch

from ...core import Array
from ...core.backend.gemm import product
from . import im2col
from .blocks import blocks, zero_padded
from .problem import Problem, rotated
from .transforms import all_finite, input_to_points, matrices, points_to_output

#: Bytes of a block's V, for each thread.
BLOCK = 4 * 2**20


def suits(problem: Problem) -> bool:
    return (
        problem.plain
        and problem.kernel[0] == 3
        and problem.padding[0] <= 2
        and problem.padding[1] < problem.kernel[1]
        and problem.dtype in (torch.float32, torch.float64)
    )


def forward(x: Array, w: Array, b: Array | None, problem: Problem) -> Array:
    (rows, columns), (c, o), kw = problem.out, (problem.channels, problem.out_channels), problem.kernel[1]
    wide, (to_points, _, _) = problem.size[1] + 2 * problem.padding[1], matrices(w.dtype, w.device)
    u = product(to_points, w.permute(2, 3, 1, 0).reshape(3, -1)).view(6, kw * c, o)
    y = x.new_empty(problem.images, rows, columns, o)
    for images, tile_rows in _blocks(problem):
        v = _input_at_points(x[images], tile_rows, problem)
        n, down = images.stop - images.start, tile_rows.stop - tile_rows.start
        seen = v.as_strided((6, n * down * wide - kw + 1, kw * c), (v.stride(0), c, 1))
        m = [product(seen[i], u[i], b if i == 1 else None) for i in range(6)]
        m = [each.as_strided((n, down, columns, o), (down * wide * o, wide * o, o, 1)) for each in m]
        inside = y[images, 4 * tile_rows.start : 4 * tile_rows.stop]
        shape, whole = (n, down, 4, columns, o), inside.shape[1] == 4 * down
        tiles = inside.view(shape) if whole else x.new_empty(shape)
        points_to_output(m, tiles.unbind(2))
        if not all_finite(tiles[:, :, 3]):  # what spoils all four spoils the last, which has the largest factors
            return im2col.forward(x, w, b, problem)
        if not whole:
            inside.copy_(tiles.view(n, 4 * down, columns, o)[:, : inside.shape[1]])
    return y


def input_gradient(ȳ: Array, w: Array, problem: Problem) -> Array:
    return forward(ȳ, rotated(w), None, problem.adjoint())


def _blocks(problem: Problem) -> list[tuple[slice, slice]]:
    """Images, and rows of tiles, in blocks whose V has about `BLOCK` bytes a thread."""
    channels, wide = max(problem.channels, problem.out_channels), problem.size[1] + 2 * problem.padding[1]
    row = 6 * wide * channels * problem.dtype.itemsize
    return blocks(problem.images, -(-problem.out[0] // 4), BLOCK * torch.get_num_threads() // row)


def _input_at_points(images: Array, tile_rows: slice, problem: Problem) -> Array:
    """V of these rows of tiles, (6, n, rows of tiles, padded columns, C), for images (n, H, W, C)."""
    ph, pw = problem.padding
    rows = slice(4 * tile_rows.start - ph, 4 * tile_rows.stop - ph + 2)
    padded = zero_padded(images, rows, slice(-pw, problem.size[1] + pw))
    n, height, *rest = padded.shape
    v = padded.new_empty(6, n, height // 4, *rest)
    input_to_points([padded[:, r : r + height - 5 : 4] for r in range(6)], v.unbind())
    return v
