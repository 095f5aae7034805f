"""How far the texture of a rebuilt hole is from the truth's, wherever in the hole it lies.

The squared error asks for the right colour at the right place. A blur wins it against grain that is right but for its
place, and nobody would print the blur. This measure asks the other question: do the patches that the truth has in its
hole occur in the rebuilt one, as often and with as much contrast?

A patch is 7×7 pixels with three channels, each less its mean: a point in a space of 147 dimensions, and the patches of
a hole are a cloud of points. The distance between two clouds is the mean cost of carrying one into the other, the
Wasserstein distance. On a line it is easy, since the order stays: sort both, and take the mean difference. So both
clouds are projected onto many directions and the distances averaged.

Source: Rabin, Peyré, Delon & Bernot, *Wasserstein barycenter and its application to texture mixing* (2011); at several
resolutions by Karras, Aila, Laine & Lehtinen, *Progressive growing of GANs* (2018), to compare generated pictures.
"""

from __future__ import annotations

from math import inf, nan

import torch

from ...core import Array
from ...models.exemplar.resampling import halved

PEAK = 255.0  # photos are in [0, 1]
#: Sides of a patch, pixels.
SIDE = 7
#: Directions that the patches are projected onto.
DIRECTIONS = 256
#: Resolutions: the photo's, half and a quarter of it.
LEVELS = 3


def texture_distance(truth: Array, rebuilt: Array, mask: Array) -> float:
    """The sliced Wasserstein distance between the patches of two photos in a hole, relative to that of a flat hole.

    The arguments are those of `texture_distances`.

    Returns:
        0 for the truth's patches, whatever their places; 1 for a hole without any texture; foreign texture may exceed
        1. Where the truth itself is flat: 0 if the rebuilt hole is, too, or else infinite. nan where no patch fits into
        the hole.
    """
    if not len(_fits(mask[0] > 0.5)):
        return nan
    distance, flat = texture_distances(truth, rebuilt, mask)
    return distance / flat if flat else (inf if distance else 0.0)


def texture_distances(truth: Array, rebuilt: Array, mask: Array) -> tuple[float, float]:
    """How far the rebuilt hole's patches are from the truth's, and how far those of a flat hole are, in grey levels.

    All patches that lie within the hole count, at full, half and a quarter of the resolution, where a pixel is the mean
    of 2×2 missing ones; the distances at the three are added. Both are 0 where no patch fits into the hole.

    Args:
        truth, rebuilt: (3, H, W) in [0, 1].
        mask: (1, H, W), 1 = missing.
    """
    missing = mask[0] > 0.5
    photos = PEAK * torch.stack((truth, rebuilt))
    distance = flat = 0.0
    for _ in range(LEVELS):
        places = _fits(missing)
        if len(places):
            there, here = (_directions(photos).T @ patches(photo, places).T for photo in photos)
            distance += (there.sort(dim=1).values - here.sort(dim=1).values).abs().mean().item()
            flat += there.abs().mean().item()  # every patch of a flat hole is 0
        photos, missing = halved(photos), halved(missing.to(photos)) == 1
    return distance, flat


def patches(photo: Array, places: Array) -> Array:
    """The patches (n, 3·SIDE²) of a photo (3, H, W), each channel less its mean, whose upper left pixels are at the
    rows and columns `places` (n, 2)."""
    steps = torch.arange(SIDE, device=photo.device)
    rows, columns = places[:, 0, None, None] + steps[:, None], places[:, 1, None, None] + steps
    found = photo[:, rows, columns].movedim(1, 0).flatten(2)
    return (found - found.mean(dim=2, keepdim=True)).flatten(1)


def _directions(like: Array) -> Array:
    """DIRECTIONS unit vectors (3·SIDE², DIRECTIONS), the same every time, in any direction with equal probability."""
    drawn = torch.randn(3 * SIDE**2, DIRECTIONS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (drawn / drawn.norm(dim=0)).to(like)


def _fits(missing: Array) -> Array:
    """The upper left pixels (n, 2) of the patches that are missing (H, W) as a whole."""
    if min(missing.shape) < SIDE:
        return torch.empty(0, 2, dtype=torch.long, device=missing.device)
    return missing.unfold(0, SIDE, 1).unfold(1, SIDE, 1).all(dim=(2, 3)).nonzero()
