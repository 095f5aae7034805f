"""Winograd's F(4, 3) along one axis: to the six points and back, and the adjoint.

Four neighbouring outputs of a kernel of 3 taps take 12 multiplications. Six are enough: input and kernel are seen as
polynomials, evaluated at six points (0, 1, −1, 2, −2, ∞), multiplied point by point, and the product's coefficients
are read off its values there. All of that is linear. For a piece d of 6 inputs and a kernel g of 3,

    y  =  Aᵀ [(G g) ⊙ (Bᵀ d)].

Here a "number" is a whole array of them, and Bᵀ, Aᵀ and A are applied by the fewest additions: what the values at a
and −a have in common is added up once. Where `into` is given, the results are written there.

Source: Lavin & Gray, *Fast algorithms for convolutional neural networks* (2016), whose matrices these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...core import Array

G = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # all over 24
BT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]

#: Of an axis of a tile, or of the points: arrays that stand for single numbers.
Numbers = Sequence[Array]
Into = Sequence[Array | None]

_NEW: Into = (None,) * 6


def bt(d: Numbers, into: Into = _NEW) -> list[Array]:
    """Bᵀ d for six numbers."""
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


def at(m: Numbers, into: Into = _NEW) -> list[Array]:
    """Aᵀ m for six numbers."""
    add = torch.add
    near, far = m[1] + m[2], m[3] + m[4]
    near_slope, far_slope = m[1] - m[2], m[3] - m[4]
    return [
        add(m[0] + near, far, out=into[0]),
        add(near_slope, far_slope, alpha=2, out=into[1]),
        add(near, far, alpha=4, out=into[2]),
        add(near_slope + m[5], far_slope, alpha=8, out=into[3]),
    ]


def a(y: Numbers) -> list[Array]:
    """A y for four numbers."""
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
