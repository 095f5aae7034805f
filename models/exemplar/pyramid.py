"""The levels of a photo, and what is known of every place of a hole before a patch is chosen for it.

A patch of 7×7 pixels is 28 pixels wide at a quarter of the resolution. So what is large is decided on a coarse level,
where few pixels are to be chosen, and what is small on finer ones.

Patches alone don't know what belongs into a hole, and where patches are compared with a blurred start, flat ones win:
they are nearest to any blur. So two more things are compared, which are known in the hole as well as around it:

- the low frequencies. In the hole they are those of another fill, the guide, which may be a network's; elsewhere the
  photo's. Both are blurred alike, so that a wall with a texture isn't farther from the guide than one without;
- the texture: the logarithm of the mean step from pixel to pixel, across and downwards. In the hole it is what the
  texture around it is, by Laplace's equation: a hole between a meadow and the sky is rough below and smooth above.

Sources: Wexler, Shechtman & Irani, *Space-time completion of video* (2007), for the levels; Hertzmann, Jacobs, Oliver,
Curless & Salesin, *Image analogies* (2001), for pairs of a filtered and an unfiltered picture; Newson, Almansa,
Fradet, Gousseau & Pérez, *Video inpainting of complex scenes* (2014), for texture among the numbers compared.
"""

from __future__ import annotations

from math import ceil, log2, sqrt
from typing import NamedTuple

import torch

from ...core import Array
from ..harmonic import HarmonicFill
from ..holes import near
from .resampling import blurred, doubled, halved
from .search import RADIUS

#: The coarsest level is the first where the hole's longer side has at most so many pixels, but there are two halvings
#: at least.
COARSEST, HALVINGS = 36, 2
#: Standard deviations, pixels at a quarter of the resolution: of the low frequencies, and of where texture is measured.
LOW, AROUND = 2.0, 1.5
#: What a difference in the low frequencies counts for beside one between patches, both in grey levels², and what one of
#: 1 between the logarithms of two textures does.
LOW_WEIGHT, TEXTURE_WEIGHT = 1.0, 150.0
#: The share of known pixels from which a texture counts as measured.
MEASURED = 0.05
#: Known patches that a level needs.
ENOUGH = 256


class Level(NamedTuple):
    """A photo at one resolution.

    Attributes:
        photo: (3, H, W), grey levels, 0 in the hole; in other holes the guide.
        own: bool (H, W), the hole.
        missing: bool (H, W), it and all other holes: no patch is taken that touches them.
        about: (5, H, W), low frequencies and texture, times the roots of their weights.
    """

    photo: Array
    own: Array
    missing: Array
    about: Array

    def known(self) -> Array:
        """The middles of all known patches, as row · W + column."""
        usable = ~near(self.missing, RADIUS)
        usable[:RADIUS] = usable[-RADIUS:] = False
        usable[:, :RADIUS] = usable[:, -RADIUS:] = False
        return usable.flatten().nonzero()[:, 0]


def levels(photo: Array, own: Array, missing: Array, guide: Array) -> list[Level]:
    """The levels from the finest to the coarsest that has known patches enough; none if the finest hasn't.

    The arguments are those of `synthesize`, with sides that can be halved `halvings(own)` times.
    """
    known, whole = (~missing).to(photo), torch.where(missing, guide, photo)
    pyramid = [(photo * known, own, missing, whole)]
    for _ in range(halvings(own)):
        colours, inside, _, filled = pyramid[-1]
        share = halved(known)
        known = (share == 1).to(photo)  # of a block with a missing pixel nothing is taken, and nothing kept
        pyramid.append((halved(colours) * known, halved(inside.to(photo)) > 0, share < 1, halved(filled)))
    low = blurred(pyramid[HALVINGS][3], LOW) * sqrt(LOW_WEIGHT / 3)
    about = [torch.cat((low, texture(photo, missing) * sqrt(TEXTURE_WEIGHT / 2)))]
    for _ in range(HALVINGS):
        about.insert(0, doubled(about[0]))
    for _ in pyramid[HALVINGS + 1 :]:
        about.append(halved(about[-1]))
    found = []
    for (colours, inside, outside, filled), numbers in zip(pyramid, about, strict=True):
        colours = torch.where(outside & ~inside, filled, colours).contiguous()
        level = Level(colours, inside, outside, numbers)
        if len(level.known()) < ENOUGH:
            break
        found.append(level)
    return found


def halvings(own: Array) -> int:
    """How often the resolution is halved for a hole, bool (H, W)."""
    side = max(int(own.any(dim=axis).sum()) for axis in (0, 1))
    return max(HALVINGS, ceil(log2(side / COARSEST)))


def texture(photo: Array, missing: Array) -> Array:
    """The logarithm of the mean step between neighbouring pixels, downwards and to the right, in the surroundings of
    each pixel at the resolution after HALVINGS: (2, H, W). Where all is missing it is the smoothest continuation.
    """
    grey, known, steps = photo.mean(dim=0), ~missing, []
    for axis in (0, 1):
        size = grey.shape[axis] - 1
        both = known.narrow(axis, 0, size) & known.narrow(axis, 1, size)
        step = (grey.narrow(axis, 1, size) - grey.narrow(axis, 0, size)).abs() * both
        end = torch.zeros_like(step.narrow(axis, 0, 1))
        steps += [torch.cat((step, end), dim=axis), torch.cat((both.to(photo), end), dim=axis)]
    sums = torch.stack(steps)
    for _ in range(HALVINGS):
        sums = halved(sums)
    sums = blurred(sums, AROUND)
    measured = torch.log1p(sums[::2] / sums[1::2].clamp_min(1e-6))
    unknown = sums[1::2].amin(dim=0) < MEASURED
    if unknown.all() or not unknown.any():
        return measured
    channels = torch.cat((measured, torch.zeros_like(measured[:1])))  # the harmonic fill takes three
    return HarmonicFill().reconstruct(channels[None], unknown[None, None].to(photo))[0, :2]
