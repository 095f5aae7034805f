"""Winograd's F(4, 3): four neighbouring outputs of a kernel of three taps by six multiplications in place of twelve.

Take two polynomials, one with the 4 coefficients ȳ and one with the 3 coefficients g. Their product has 6, so that it
is known by its values at six points: evaluate both there (A ȳ and G g), multiply point by point, and interpolate (B).
The points are 0, 1, −1, 2, −2 and ∞, where a polynomial's value is its last coefficient:

    d̄  =  B [(G g) ⊙ (A ȳ)],        which are the sums  d̄[m] = Σ over j of  g[j] · ȳ[m − j].

That is the adjoint of what is wanted, y[k] = Σ over j of g[j] · d[k + j] for 6 inputs d. For a given g it is a matrix,
B · diag(G g) · A, and what is wanted is its transpose:

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)].

The denominators of the interpolation stand in G, so that B has whole numbers.

Here the steps stand as matrices, for tiles whose rows and columns are transformed in one product (`winograd.py`), and
as additions, for arrays too large to go through a product with six columns (`winograd_rows.py`): there a "number" is a
whole array of them, and what the values at z and −z have in common is added up once.

Every number of a tile takes part in all four outputs, also in those that a plain sum would not give it a part in: there
its terms cancel, up to rounding. Two things follow.

- A NaN or an infinity does not cancel, and would spoil the whole tile. So the sum of some outputs of each tile is
  looked at while they are in the cache (`all_finite`). If it is not finite, the convolution is computed once more, by
  im2col, in which only what sees such a number gets one.
- A finite number X leaves rounding of its own size in its tile: outputs that do not see it are off by up to about
  5 ε |X| Σ|w| with tiles and ε |X| Σ|w| with rows, where Σ|w| runs over an output's weights and ε is 1.2 · 10⁻⁷ in
  float32. Beyond the tile they stay the same to the bit. With 64 channels of size 1 that is at most 1 % of an output
  for |X| = 1000. There is no cheap test for it: the largest of n numbers is at most √n times their root mean square,
  so the ratio of the two says little, and to find the largest takes 4 % of the time.

Sources: Toom, *The complexity of a scheme of functional elements* (1963), for products of polynomials; Winograd,
*Arithmetic complexity of computations* (1980), for the transpose; Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016), whose matrices these are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch

from ...core import Array

#: The kernel's taps to the points, times 24.
G24 = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))
#: Bᵀ: the six inputs to the points.
BT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
#: Aᵀ: the points to the four outputs.
AT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))

#: Arrays that stand for single numbers.
Numbers = Sequence[Array]


@functools.cache
def matrices(dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G (6, 3), Bᵀ (6, 6) and Aᵀ (4, 6)."""
    with torch.inference_mode(False):  # they are kept, and serve outside of that mode, too
        g, bt, at = (torch.tensor(m, dtype=torch.float64) for m in (G24, BT, AT))
        return (g / 24).to(device, dtype), bt.to(device, dtype), at.to(device, dtype)


@functools.cache
def tile_matrices(dtype: torch.dtype, device: torch.device) -> tuple[Array, Array, Array]:
    """G ⊗ G (36, 9), Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36): rows and columns of a tile in one step."""
    with torch.inference_mode(False):
        g, bt, at = (torch.kron(m, m).to(device, dtype) for m in matrices(torch.float64, torch.device("cpu")))
        return g, bt, at


def input_to_points(d: Numbers, points: Numbers) -> None:
    """Write Bᵀ d of six numbers into the six `points`."""
    add, sub = torch.add, torch.sub
    even, odd = add(d[4], d[2], alpha=-4), add(d[3], d[1], alpha=-4)
    outer, inner = d[4] - d[2], d[3] - d[1]
    add(outer, d[0] - d[2], alpha=4, out=points[0])
    add(even, odd, out=points[1])
    sub(even, odd, out=points[2])
    add(outer, inner, alpha=2, out=points[3])
    sub(outer, inner, alpha=2, out=points[4])
    sub(d[5] - d[3], inner, alpha=4, out=points[5])


def points_to_output(m: Numbers, y: Numbers) -> None:
    """Write Aᵀ m of six numbers into the four `y`."""
    add = torch.add
    near, far = m[1] + m[2], m[3] + m[4]
    near_slope, far_slope = m[1] - m[2], m[3] - m[4]
    add(m[0] + near, far, out=y[0])
    add(near_slope, far_slope, alpha=2, out=y[1])
    add(near, far, alpha=4, out=y[2])
    add(near_slope + m[5], far_slope, alpha=8, out=y[3])


def all_finite(numbers: Array) -> bool:
    """Whether no number is NaN or infinite, by their sum; also False if only the sum is too large for the dtype."""
    return math.isfinite(numbers.sum().item())
