"""Patches and guide together: the steps from pixel to pixel of the one, the low frequencies of the other.

What is wanted is the picture F in a hole that minimises

    Σ over neighbours p, q ((F_p − F_q) − d_pq)²  +  Σ over missing p λ_p (F_p − G_p)²

where d_pq is the step from q to p that patches have, G is the guide, and F is the photo beside the hole: a seam costs
more than to let the colours drift to it. The steps are those of the picture S that patches have made, but for false
edges: where two patches meet whose brightness differs, S has a step that is in neither of them, and d is their own.

With F = S + e the derivative is 0 where

    (n_p + λ_p) e_p − Σ over missing neighbours q of p e_q
        =  λ_p (G_p − S_p)  +  Σ over neighbours q of p (d_pq − (S_p − S_q))

with n_p neighbours in the photo: Laplace's equation (`../harmonic.py`) with λ on the diagonal. For a constant λ it is a
low-pass filter of G − S with a length of 1/√λ pixels. Beside the hole's edge the guide knows more than patches do, and
λ is larger. With the mean λ, in the rectangle around the hole, the solution is known; as the preconditioner it leaves
conjugate gradients about ten iterations.

Sources: Pérez, Gangnet & Blake, *Poisson image editing* (2003); with λ, Bhat, Curless, Cohen & Zitnick, *Fourier
analysis of the 2D screened Poisson equation for gradient domain problems* (2008); steps that patches vote for, Darabi,
Shechtman, Barnes, Goldman & Sen, *Image melding* (2012).
"""

from __future__ import annotations

import torch

from ...core import Array
from .. import conjugate_gradient
from ..conjugate_gradient import ConjugateGradient
from ..holes import Window, hole_bounds, inside
from ..rectangle import rectangle_solver
from .resampling import blurred

#: Pixels: the length from which the low frequencies are the guide's.
LENGTH = 12.0
#: λ beside the hole's edge, and after how many steps inwards it has fallen by a factor e.
AT_EDGE, FALLS = 0.4, 3.0
#: What the vote and the levels blur is given back: so much of the difference to a blur of this many pixels.
GAIN, BLUR = 0.15, 1.5
#: A step is a false edge if it is larger than so many times those of the patches, and so many grey levels more.
FACTOR, LEAST = 2.0, 6.0
#: Grey levels, and iterations that it mostly takes.
TOLERANCE, EXPECTED = 0.05, 12


def sharpened(photo: Array, own: Array) -> Array:
    """A photo (3, H, W) whose hole, bool (H, W), has a little more contrast between near pixels: an unsharp mask."""
    return torch.where(own, photo + GAIN * (photo - blurred(photo, BLUR)), photo)


def false_edges(photo: Array, window: Window, own: Array, matches: Array, axis: int) -> Array:
    """What the steps from each pixel to the next along an axis, 1 or 2, of a window have too much, without its end.

    It is 0 but where the step is much larger than those that the matches of both pixels have there. `own` (h, w) and
    `matches` (2, h, w) are those of the window; matches are places of the photo (3, H, W).
    """
    size = own.shape[axis - 1]
    colours, shift = photo.flatten(1), photo.shape[2] if axis == 1 else 1
    places = matches[0] * photo.shape[2] + matches[1]

    def at(places: Array) -> Array:
        return colours.index_select(1, places.clamp(0, colours.shape[1] - 1).flatten()).unflatten(1, own.shape)

    here, missing = at(places), own.to(photo)
    onwards = ((at(places + shift) - here) * missing).narrow(axis, 0, size - 1)
    back = ((here - at(places - shift)) * missing).narrow(axis, 1, size - 1)
    count = missing.narrow(axis - 1, 0, size - 1) + missing.narrow(axis - 1, 1, size - 1)
    there = photo[:, *window].diff(dim=axis)
    largest = torch.maximum(onwards.norm(dim=0), back.norm(dim=0))
    false = (count > 0) & (there.norm(dim=0) > FACTOR * largest + LEAST)
    return torch.where(false, there - (onwards + back) / count.clamp_min(1), 0)


def blend(photo: Array, guide: Array, own: Array, steps: Array, matches: Array) -> Array:
    """A photo (3, H, W) in grey levels with the patches of its hole blended with the guide (3, H, W).

    `own` is bool (H, W), the hole, `steps` (H, W) how many lead from each of its pixels to its edge, and `matches`
    (2, H, W) the row and column of the known pixel that each of them comes from; known ones come from themselves.
    """
    [bounds] = hole_bounds(own[None, None])
    window, wide = bounds.window(0, own.shape), bounds.window(1, own.shape)
    height, width = own.shape
    hole = own[window].to(photo)
    pull = hole * (LENGTH**-2 + AT_EDGE * torch.exp((1 - steps[window]) / FALLS))
    diagonal = _neighbours(torch.ones_like(own, dtype=photo.dtype))[window] + pull
    excess = torch.zeros_like(photo[:, *wide])  # what the steps that end at a pixel and that begin there have too much
    for axis in (1, 2):
        false = false_edges(photo, wide, own[wide], matches[:, *wide], axis)
        excess.narrow(axis, 0, false.shape[axis]).add_(false)
        excess.narrow(axis, 1, false.shape[axis]).sub_(false)
    wanted = (pull * (guide - photo)[:, *window] + excess[:, *inside(window, wide)]) * hole
    solution = ConjugateGradient(
        lambda e: (diagonal * e - _neighbours(e)) * hole,
        rectangle_solver([bounds], height, width, hole[None, None], pull.sum() / hole.sum()),
        wanted[None],
        TOLERANCE,
        EXPECTED,
    )
    conjugate_gradient.solve([solution])
    blended = photo.clone()
    blended[:, *window] += solution.u[0]
    return blended


def _neighbours(x: Array) -> Array:
    """The sum of the four neighbours of every pixel of (…, H, W), 0 beyond the edge."""
    total = torch.zeros_like(x)
    for axis in (-2, -1):
        size = x.shape[axis] - 1
        total.narrow(axis, 0, size).add_(x.narrow(axis, 1, size))
        total.narrow(axis, 1, size).add_(x.narrow(axis, 0, size))
    return total
