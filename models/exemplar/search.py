"""Which known patch is most like each patch that touches a hole.

A patch is SIDE×SIDE pixels: 147 numbers, of which a photo's patches use few directions (edges, slopes, spots). Their
principal components keep the distances nearly as they are with DIMENSIONS numbers, so that a comparison costs a sixth.

On the coarsest level each patch is first compared with all known ones, one matrix product; so it is on the finest level
of very small holes. Elsewhere that would cost the square of the hole's pixels, and make the picture no better: of all
patches, mostly flat ones are nearest to a blur. There the coarser level's answer is a start, and PatchMatch improves
it: a pixel's patch mostly lies beside its neighbour's (propagation), and once in a while a random guess is better than
both. PatchMatch goes through the pixels one by one; here all of them ask those above, below and beside them at
distances 1, 2 and 4, as in jump flooding, which suits tensors.

Sources: Barnes, Shechtman, Finkelstein & Goldman, *PatchMatch* (2009); Rong & Tan, *Jump flooding in GPU with
applications to Voronoi diagram and distance transform* (2006).
"""

from __future__ import annotations

import torch

from ...core import Array

#: Sides of a patch, pixels, and how far it reaches from its middle.
SIDE, RADIUS = 7, 3
#: Principal components that a patch is described by.
DIMENSIONS = 24
#: Comparisons made at a time where all known patches are searched: their distances, 2 MB, stay in a processor's cache.
AT_A_TIME = 2**19
#: Patches that components are found from, and that are described at a time.
SOME, BLOCK = 2**12, 2**14
#: How far neighbours are asked, pixels, and how far random guesses go from a pixel's present match.
STEPS, REACHES = (1, 2, 4), (1, 3, 9, 27)


class Description:
    """What patches are compared by: their principal components, and numbers about each place.

    Args:
        photo: (3, H, W), known where the patches around `places` are.
        about: (A, H, W), more numbers about each pixel, in grey levels as the colours are.
        places: (m,) the middles of known patches, as row · W + column.
    """

    def __init__(self, photo: Array, about: Array, places: Array) -> None:
        some = patches(photo, places[:: -(-len(places) // SOME)])
        mean = some.mean(dim=0, keepdim=True)
        some -= mean
        _, vectors = torch.linalg.eigh((some.T @ some).double())
        # Per pixel and channel, so that patches and the other numbers are on one scale.
        self.basis = (vectors[:, -DIMENSIONS:] / some.shape[1] ** 0.5).to(photo)
        self.mean = mean @ self.basis
        self.about = about.flatten(1)

    def __call__(self, photo: Array, places: Array) -> Array:
        """The numbers (n, D) of the patches of a photo around `places` (n,)."""
        height, width = photo.shape[1:]
        top, bottom = int(places.min()) // width, int(places.max()) // width + 1
        left, right = int((places % width).min()), int((places % width).max()) + 1
        rows, columns = (
            torch.arange(start - RADIUS, stop + RADIUS, device=photo.device).clamp(0, size - 1)
            for start, stop, size in ((top, bottom, height), (left, right, width))
        )
        # All patches of the window that holds the places, as views: to copy rows of them is faster than to gather each.
        windows = photo[:, rows][:, :, columns].unfold(1, SIDE, 1).unfold(2, SIDE, 1).permute(1, 2, 0, 3, 4)
        at_a_time = max(1, BLOCK // (right - left))
        parts = [part.flatten(2) @ self.basis for part in windows.split(at_a_time)]
        inside = (places // width - top) * (right - left) + places % width - left
        components = torch.cat(parts).flatten(0, 1).index_select(0, inside) - self.mean
        return torch.cat((components, self.about.index_select(1, places).T), dim=1)


class Known:
    """The known patches: the places of their middles (m,), and their descriptions (m, D).

    Above the photo's first row and below its last lies a margin in which nothing is known, so that no proposal has to
    be asked whether it lies in the photo.
    """

    def __init__(self, places: Array, described: Array, shape: torch.Size) -> None:
        self.places, self.width = places, shape[1]
        # A proposal is at most the longest step and the longest reach away from a place.
        self.margin = (STEPS[-1] + REACHES[-1]) * (self.width + 1)
        self.numbers = places.new_full((shape[0] * shape[1] + 2 * self.margin,), len(places))
        self.numbers[places + self.margin] = torch.arange(len(places), device=places.device)
        #: The last patch is at an infinite distance from all others: what isn't known has its number.
        self.compared = torch.cat((described, torch.full_like(described[:1], torch.inf)))
        self.described = self.compared[:-1]

    def number(self, places: Array) -> Array:
        """The numbers (n,) of the known patches at places (n,) of the photo."""
        return self.numbers.index_select(0, places + self.margin)

    def nearest(self, wanted: Array) -> tuple[Array, Array]:
        """The number (n,) of the known patch nearest to each that is wanted (n, D), and the squared distance."""
        # ‖a − b‖² is least where a · b − ‖b‖² / 2 is greatest: the products of (a, 1) and (b, −‖b‖² / 2).
        known = torch.cat((self.described.T, self.described.square().sum(dim=1)[None] / -2))
        ones = torch.ones_like(wanted[:, :1])
        parts = torch.cat((wanted, ones), dim=1).split(max(1, AT_A_TIME // len(self.places)))
        numbers = torch.cat([(part @ known).max(dim=1).indices for part in parts])
        return numbers, self._distances(wanted, numbers)

    def improve(self, wanted: Array, middles: Array, matches: Array, generator: torch.Generator) -> tuple[Array, Array]:
        """Better numbers than `matches` (n,) for the patches around `middles` (n,), and their squared distances."""
        middles, distances = middles + self.margin, self._distances(wanted, matches)
        field = torch.zeros_like(self.numbers)  # the match's place, for each pixel that has one
        towards = middles.new_tensor((-self.width, self.width, -1, 1))[:, None]
        for step in STEPS:
            field.index_copy_(0, middles, self.places.index_select(0, matches) + self.margin)
            shifts = step * towards
            asked = field.index_select(0, (middles + shifts).flatten()).unflatten(0, (len(towards), len(middles)))
            matches, distances = self._best(wanted, (asked - shifts).clamp_min_(0), matches, distances)
        drawn = torch.stack(
            [torch.randint(-reach, reach + 1, (2, len(middles)), generator=generator) for reach in REACHES]
        ).to(middles.device)
        here = self.places.index_select(0, matches) + self.margin
        return self._best(wanted, here + drawn[:, 0] * self.width + drawn[:, 1], matches, distances)

    def _best(self, wanted: Array, proposed: Array, matches: Array, distances: Array) -> tuple[Array, Array]:
        """The nearest of the match and the patches at k proposed places (k, n) of which are known, for each of n."""
        numbers = self.numbers.index_select(0, proposed.flatten())
        found, which = self._distances(wanted, numbers).view_as(proposed).min(dim=0)
        numbers = numbers.view_as(proposed).gather(0, which[None])[0]
        return torch.where(found < distances, numbers, matches), torch.minimum(found, distances)

    def _distances(self, wanted: Array, numbers: Array) -> Array:
        """The squared distances (k·n,) between what is wanted (n, D) and the known patches of these numbers (k·n,)."""
        compared = self.compared.index_select(0, numbers).view(-1, *wanted.shape)
        return compared.sub_(wanted).square_().sum(dim=2).flatten()


def patches(photo: Array, places: Array) -> Array:
    """The patches (n, C·SIDE²) of a photo (C, H, W) around `places` (n,); beyond its edge its last pixels go on."""
    height, width = photo.shape[1:]
    steps = torch.arange(-RADIUS, RADIUS + 1, device=photo.device)
    rows = ((places // width)[:, None] + steps).clamp(0, height - 1)
    columns = ((places % width)[:, None] + steps).clamp(0, width - 1)
    inner = (rows[:, :, None] * width + columns[:, None, :]).flatten()
    found = photo.flatten(1).index_select(1, inner).unflatten(1, (len(places), SIDE**2))
    return found.movedim(1, 0).flatten(1)
