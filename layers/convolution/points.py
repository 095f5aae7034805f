"""Winograd's F(4, 3): four neighbouring outputs of a kernel of three taps by six multiplications in place of twelve.
And F(4, 2): four outputs of two taps by five in place of eight.

Take two polynomials, one with the 4 coefficients ȳ and one with the 3 coefficients g. Their product has 6, so that it
is known by its values at six points: evaluate both there (A ȳ and G g), multiply point by point, and interpolate (B).
The points are 0, 1, −1, 2, −2 and ∞, where a polynomial's value is its last coefficient:

    d̄  =  B [(G g) ⊙ (A ȳ)],        which are the sums  d̄[m] = Σ over j of  g[j] · ȳ[m − j].

That is the adjoint of what is wanted, y[k] = Σ over j of g[j] · d[k + j] for 6 inputs d. For a given g it is a matrix,
B · diag(G g) · A, and what is wanted is its transpose:

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)].

The denominators of the interpolation stand in G, so that B has whole numbers. For a kernel of two taps the point −2 is
left out, since there the product has one coefficient less.

For F(4, 3) the steps are also written as additions. There a "number" is a whole array of them, so that many such pieces
are worked on at once, and what the values at z and −z have in common is added up once. A number that isn't finite
reaches all four outputs of its piece.

Sources: Toom, *The complexity of a scheme of functional elements* (1963), for products of polynomials; Winograd,
*Arithmetic complexity of computations* (1980), for the transpose; Lavin & Gray, *Fast algorithms for convolutional
neural networks* (2016), whose matrices those of F(4, 3) are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...core import Array

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Points:
    """What F(4, r) is made of: a kernel g of r taps, 3 + r inputs d and as many points.

    Attributes:
        g: G, of a kernel's taps to the points, times `over`.
        over: the common denominator.
        bt: Bᵀ, of the inputs to the points.
        at: Aᵀ, of the points to the four outputs.
    """

    g: Matrix
    over: int
    bt: Matrix
    at: Matrix


F43 = Points(
    g=((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24)),
    over=24,
    bt=(
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    at=((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)
F42 = Points(
    g=((3, 0), (-3, -3), (-1, 1), (1, 2), (0, 6)),
    over=6,
    bt=((2, -1, -2, 1, 0), (0, -2, -1, 1, 0), (0, 2, -3, 1, 0), (0, -1, 0, 1, 0), (0, 2, -1, -2, 1)),
    at=((1, 1, 1, 1, 0), (0, 1, -1, 2, 0), (0, 1, 1, 4, 0), (0, 1, -1, 8, 1)),
)

#: Of a piece, or of the points: arrays that stand for single numbers.
Numbers = Sequence[Array] | Array
#: Where results are written, or None for a new array.
Into = Sequence[Array | None]

_NEW: Into = (None,) * 6


def input_to_points(d: Numbers, into: Into = _NEW) -> list[Array]:
    """F(4, 3)'s Bᵀ d of six numbers."""
    add, sub = torch.add, torch.sub
    even, odd = add(d[4], d[2], alpha=-4), add(d[3], d[1], alpha=-4)
    outer, inner = d[4] - d[2], d[3] - d[1]
    return [
        add(outer, d[0] - d[2], alpha=4, out=into[0]),
        add(even, odd, out=into[1]),
        sub(even, odd, out=into[2]),
        add(outer, inner, alpha=2, out=into[3]),
        sub(outer, inner, alpha=2, out=into[4]),
        sub(d[5] - d[3], inner, alpha=4, out=into[5]),
    ]


def points_to_output(m: Numbers, into: Into = _NEW) -> list[Array]:
    """F(4, 3)'s Aᵀ m of six numbers: four."""
    add = torch.add
    near, far = m[1] + m[2], m[3] + m[4]
    near_slope, far_slope = m[1] - m[2], m[3] - m[4]
    return [
        add(m[0] + near, far, out=into[0]),
        add(near_slope, far_slope, alpha=2, out=into[1]),
        add(near, far, alpha=4, out=into[2]),
        add(near_slope + m[5], far_slope, alpha=8, out=into[3]),
    ]


def output_to_points(y: Numbers) -> list[Array]:
    """F(4, 3)'s A y of four numbers: six, of which the first and the last are the first and the last number."""
    add, sub = torch.add, torch.sub
    even, odd = y[0] + y[2], y[1] + y[3]
    far_even, far_odd = add(y[0], y[2], alpha=4), add(y[1], y[3], alpha=4)
    return [
        y[0],
        even + odd,
        even - odd,
        add(far_even, far_odd, alpha=2),
        sub(far_even, far_odd, alpha=2),
        y[3],
    ]
