"""A hole filled with patches of its own photo, from the coarsest level to the finest.

On the coarsest level the hole grows shut from its border inwards: each pixel takes the middle of the patch that is
nearest in what is known of its own by then. That start is sharp; a blurred one would lead to flat patches. Then, on
each level, every patch that touches the hole looks for its match (`search.py`), the matches vote (`vote.py`), and so
on, one to five times; the next level begins with the same matches at twice the resolution.

Source: Wexler, Shechtman & Irani, *Space-time completion of video* (2007); the growing start, Criminisi, Pérez &
Toyama, *Region filling and object removal by exemplar-based inpainting* (2004).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...core import Array
from ..holes import distance_to_known, near
from .pyramid import Level, halvings, levels
from .search import AT_A_TIME, RADIUS, SIDE, Description, Known, patches
from .vote import vote

#: Searches with a vote each on the coarsest level and on those between.
COARSEST, BETWEEN = 4, 2
#: On the finest level they are for so many patches in all, but there are at most FINEST and at least one: small holes
#: need more. In holes of up to about 16 pixels all known patches are compared there, with so many COMPARISONS at most.
FOR_PATCHES, FINEST, COMPARISONS = 2**13, 5, 10**7
#: A match counts so much less with every pixel that its patch is farther from the hole's edge, up to DEEPEST.
LESS, DEEPEST = 1.3, 30
#: How widely a match votes, pixels, while matches are still to agree, and in the end.
AGREE, SHARP = 3.0, 0.4


def synthesize(
    photo: Array,
    own: Array,
    missing: Array,
    guide: Array,
    seed: int = 0,
    on_level: Callable[[Array], object] = lambda photo: None,
) -> tuple[Array, Array]:
    """A photo with one hole filled from patches of what is known.

    Time and memory grow with the pixels of the photo and of the hole: give a crop around it.

    Args:
        photo: (3, H, W), float32 in [0, 255].
        own: bool (H, W), the hole.
        missing: bool (H, W), all that is missing; no patch is taken that touches it.
        guide: (3, H, W), another fill of all that is missing, which says what the low frequencies are.
        seed: of the random guesses in the search.
        on_level: is shown the photo (3, h, w) of each level, the coarsest first.

    Returns:
        The photo (3, H, W), and of each pixel the row and column (2, H, W) of the known one that is the middle of its
        match; known pixels match themselves. Where fewer than 256 patches are known, the hole is the guide's, and all
        do.
    """
    height, width = own.shape
    multiple = 2 ** halvings(own)
    # What is added at the bottom and on the right counts as missing.
    rows, columns = (
        torch.arange(size + -size % multiple, device=photo.device).clamp(max=size - 1) for size in (height, width)
    )
    added = (torch.arange(len(rows)) >= height)[:, None] | (torch.arange(len(columns)) >= width)
    photo_, guide_ = (each[:, rows][:, :, columns] for each in (photo, guide))
    own_, missing_ = (each[rows][:, columns] for each in (own, missing))
    added = added.to(own.device)
    found = levels(photo_, own_ & ~added, missing_ | added, guide_)
    if not found:
        return torch.where(own, guide, photo), _themselves(own)
    generator, matches = torch.Generator().manual_seed(seed), None
    for number, level in reversed(list(enumerate(found))):
        filled, matches = _refined(level, matches, number == 0, generator)
        on_level(filled)
    assert matches is not None, "there was a level"
    return torch.where(own, filled[:, :height, :width], photo), matches[:, :height, :width]


def _themselves(own: Array) -> Array:
    """Each pixel's own row and column."""
    return torch.stack(torch.meshgrid(*(torch.arange(size, device=own.device) for size in own.shape), indexing="ij"))


def _refined(level: Level, coarse: Array | None, finest: bool, generator: torch.Generator) -> tuple[Array, Array]:
    """A level's photo (3, H, W) with its hole filled, and each pixel's match (2, H, W), its row and column.

    `coarse` are the matches of the level before.
    """
    width = level.own.shape[1]
    places = level.known()
    describe = Description(level.photo, level.about, places)
    known = Known(places, describe(level.photo, places), level.own.shape)
    middles = near(level.own, RADIUS).flatten().nonzero()[:, 0]
    pixels = level.own.flatten().nonzero()[:, 0]
    times, compare_all = COARSEST if coarse is None else BETWEEN, False
    if finest:
        times = max(1, min(FINEST, FOR_PATCHES // len(middles)))
        compare_all = len(middles) * len(places) <= COMPARISONS
    trust = LESS ** -steps_inwards(level.own).flatten()
    field, weights = places.new_full(trust.shape, -1), torch.ones_like(trust)
    if coarse is None:
        photo, numbers = _grown_shut(level, known), None
    else:
        photo, numbers = level.photo.clone(), known.number(_twice(coarse, middles, width))
        field[middles] = known.places[numbers]
        photo.flatten(1)[:, pixels] = vote(photo, pixels, field, weights, SHARP)
    for time in range(times):
        wanted = describe(photo, middles)
        if numbers is None or compare_all:
            numbers, distances = known.nearest(wanted)
        else:
            numbers, distances = known.improve(wanted, middles, numbers, generator)
        typical = distances.sort().values[3 * len(distances) // 4].clamp_min(1e-6)
        field[middles] = known.places[numbers]
        weights[middles] = (torch.exp(-distances / (2 * typical)) * trust[middles]).clamp_min(1e-12)
        spread = SHARP if finest and time == times - 1 else AGREE
        photo.flatten(1)[:, pixels] = vote(photo, pixels, field, weights, spread)
    matches = torch.arange(len(field), device=field.device)
    matches[middles] = field[middles]
    return photo, torch.stack((matches // width, matches % width)).unflatten(1, level.own.shape)


def _twice(coarse: Array, places: Array, width: int) -> Array:
    """The matches of `places` (n,) at this level, by those (2, H/2, W/2) of the level before: twice as far down and to
    the right, and as the pixel lies in its block."""
    rows, columns = places // width, places % width
    down, across = coarse[:, rows // 2, columns // 2]
    return (2 * down + rows % 2) * width + 2 * across + columns % 2


def _grown_shut(level: Level, known: Known) -> Array:
    """The photo (3, H, W) with the hole filled from its border inwards, each ring at a time."""
    filled, area = ~level.own, SIDE**2
    photo = torch.cat((level.photo, filled[None].to(level.photo)))  # and whether each pixel is filled
    sources = patches(level.photo, known.places)
    squares = sources.square().unflatten(1, (3, area)).sum(dim=1)
    about, colours = level.about.flatten(1), level.photo.flatten(1)[:, known.places]
    around = about[:, known.places]
    while not filled.all():
        ring = (near(filled, 1) & ~filled).flatten().nonzero()[:, 0]
        for part in ring.split(max(1, AT_A_TIME // len(known.places))):
            found = patches(photo, part)
            counted = found[:, 3 * area :]
            wanted = found[:, : 3 * area] * counted.repeat(1, 3)
            # Σ over the counted pixels of (source − wanted)², but for the wanted ones' own squares.
            distance = (counted @ squares.T - 2 * wanted @ sources.T) / (3 * counted.sum(dim=1, keepdim=True))
            distance += around.square().sum(dim=0) - 2 * about[:, part].T @ around
            photo[:3].flatten(1)[:, part] = colours[:, distance.argmin(dim=1)]
        filled.view(-1)[ring] = True
        photo[3] = filled
    return photo[:3].contiguous()


def steps_inwards(own: Array) -> Array:
    """How many steps along rows and columns lead from each pixel out of the hole, up to DEEPEST; float32 (H, W)."""
    return distance_to_known(own[None, None].float())[0, 0].clamp_max(DEEPEST)
