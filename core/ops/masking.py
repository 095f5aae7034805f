"""Letting a gradient through in some places and in others not."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..primitive import sum_to_shape
from ..tape import Array

#: Integers as wide as a floating-point number. In each of these types 1.0 has no bit set but those of its exponent, of
#: which the highest is the third from the left; so shifting all but three bits out leaves the integer 1.
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def masked(ȳ: Array, mask: Array) -> Array:
    """ȳ where `mask` is 1 and 0 where it is 0, whatever ȳ is: 0 · ȳ would be NaN where ȳ is NaN or infinite.

    `mask` is an array of ȳ's shape and dtype that nobody else needs: the result is written into it. It is the *bits* of
    ȳ that are multiplied, as integers, by 1 or by 0: several times faster than `torch.where` with a mask of booleans.
    """
    integer = _INTEGERS[ȳ.element_size()]
    mask.view(integer).bitwise_right_shift_(8 * ȳ.element_size() - 3).mul_(ȳ.view(integer))
    return mask


def where_not_zero(ȳ: Array, y: Array) -> Array:
    """ȳ where y isn't 0, and 0 elsewhere, again whatever ȳ is; y is without −0, so all its zeros have the same bits."""
    bits = y.view(_INTEGERS[y.element_size()])
    return torch.ne(bits, 0, out=torch.empty_like(bits)).mul_(ȳ.view(bits.dtype)).view(ȳ.dtype)


def moved(left: Array, mask: Array) -> Array:
    """`masked` of what is left, which is 0 afterwards where the mask was 1."""
    taken, integer = masked(left, mask), _INTEGERS[left.element_size()]
    left.view(integer).sub_(taken.view(integer))
    return taken


def unless(loses: Callable[..., Array], a: Array, b: Array, ȳ: Array) -> tuple[Callable[[], Array], ...]:
    """The gradients of an elementwise choice between a and b: each receives ȳ unless it `loses`, half of it at a tie.

    NaN neither loses nor wins.
    """
    # Comparisons that write numbers: those that write booleans cost torch several times as much on a CPU.
    tie = torch.eq(a, b, out=torch.empty_like(ȳ))
    share = torch.mul(ȳ, tie.mul_(-0.5).add_(1), out=tie)

    def kept(this: Array, other: Array) -> Array:
        lost = loses(this, other, out=torch.empty_like(ȳ))
        return masked(share, torch.sub(1, lost, out=lost))

    return lambda: sum_to_shape(kept(a, b), a.shape), lambda: sum_to_shape(kept(b, a), b.shape)
