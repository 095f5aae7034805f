"""Patches and guide together: the steps from pixel to pixel of the one, the low frequencies of the other.

What is wanted is the picture F in a hole that minimises

    Σ over neighbours p, q ((F_p − F_q) − (S_p − S_q))²  +  Σ over missing p λ_p (F_p − G_p)²

where S is made of patches, G is the guide, and F is the photo beside the hole: a seam costs more than to let the
colours drift to it. With F = S + e the derivative is 0 where

    (n_p + λ_p) e_p − Σ over missing neighbours q of p e_q  =  λ_p (G_p − S_p)

with n_p neighbours in the photo: Laplace's equation (`../harmonic.py`) with λ on the diagonal. For a constant λ it is a
low-pass filter of G − S with a length of 1/√λ pixels. Beside the hole's edge the guide knows more than patches do, and
λ is larger.

Source: Pérez, Gangnet & Blake, *Poisson image editing* (2003); with λ, Bhat, Curless, Cohen & Zitnick, *Fourier
analysis of the 2D screened Poisson equation for gradient domain problems* (2008).
"""

from __future__ import annotations

import torch

from ...core import Array
from .. import conjugate_gradient
from ..conjugate_gradient import ConjugateGradient
from .resampling import blurred

#: Pixels: the length from which the low frequencies are the guide's.
LENGTH = 12.0
#: λ beside the hole's edge, and after how many steps inwards it has fallen by a factor e.
AT_EDGE, FALLS = 0.4, 3.0
#: What the vote and the levels blur is given back: so much of the difference to a blur of this many pixels.
GAIN, BLUR = 0.15, 1.5
#: Grey levels, and iterations that it mostly takes.
TOLERANCE, EXPECTED = 0.05, 24


def sharpened(photo: Array, own: Array) -> Array:
    """A photo (3, H, W) whose hole, bool (H, W), has a little more contrast between near pixels: an unsharp mask."""
    return torch.where(own, photo + GAIN * (photo - blurred(photo, BLUR)), photo)


def blend(photo: Array, guide: Array, own: Array, steps: Array) -> Array:
    """A photo (3, H, W) in grey levels with the patches of its hole blended with the guide (3, H, W).

    `own` is bool (H, W), the hole, and `steps` (H, W) how many lead from each of its pixels to its edge.
    """
    window = _bounds(own)
    hole = own[window].to(torch.float64)
    pull = hole * (LENGTH**-2 + AT_EDGE * torch.exp((1 - steps[window].double()) / FALLS))
    diagonal = _neighbours(torch.ones_like(own, dtype=torch.float64))[window] + pull
    difference = (guide - photo)[:, *window].double()[None]
    solution = ConjugateGradient(
        lambda e: (diagonal * e - _neighbours(e)) * hole,
        lambda residual: residual / diagonal,
        pull * difference,
        TOLERANCE,
        EXPECTED,
    )
    conjugate_gradient.solve([solution])
    blended = photo.clone()
    blended[:, *window] += solution.u[0].to(photo)
    return blended


def _bounds(own: Array) -> tuple[slice, slice]:
    """The smallest window that holds all that is true in bool (H, W)."""
    rows, columns = (own.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _neighbours(x: Array) -> Array:
    """The sum of the four neighbours of every pixel of (…, H, W), 0 beyond the edge."""
    total = torch.zeros_like(x)
    for axis in (-2, -1):
        size = x.shape[axis] - 1
        total.narrow(axis, 0, size).add_(x.narrow(axis, 1, size))
        total.narrow(axis, 1, size).add_(x.narrow(axis, 0, size))
    return total
