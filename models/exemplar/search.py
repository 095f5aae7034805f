"""Which known patch is most like each patch that touches a hole.

A patch is SIDE×SIDE pixels: 147 numbers, of which a photo's patches use few directions (edges, slopes, spots). Their
principal components keep the distances nearly as they are with DIMENSIONS numbers, so that a comparison costs a sixth.

On coarse levels each patch is compared with all known ones, one matrix product. On fine levels that would cost the
square of the hole's pixels; there the coarse level's answer is a start, and PatchMatch improves it: a pixel's patch
mostly lies beside its neighbour's (propagation), and once in a while a random guess is better than both. PatchMatch
goes through the pixels one by one; here all of them ask neighbours at distances 1, 2 and 4 at a time, as in jump
flooding, which suits tensors.

Sources: Barnes, Shechtman, Finkelstein & Goldman, *PatchMatch* (2009); Rong & Tan, *Jump flooding in GPU with
applications to Voronoi diagram and distance transform* (2006).
"""

from __future__ import annotations

import itertools

import torch

from ...core import Array

#: Sides of a patch, pixels, and how far it reaches from its middle.
SIDE, RADIUS = 7, 3
#: Principal components that a patch is described by.
DIMENSIONS = 24
#: Comparisons at which all known patches are still searched, and how many are made at a time: their distances, 2 MB,
#: stay in a processor's cache.
EXHAUSTIVE, AT_A_TIME = 4 * 10**7, 2**19
#: Patches that components are found from, and that are described at a time.
SOME, BLOCK = 2**15, 2**14
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
        some = patches(photo, places[:: -(-len(places) // SOME)]).double()
        self.mean = some.mean(dim=0)
        _, vectors = torch.linalg.eigh((some - self.mean).T @ (some - self.mean))
        # Per pixel and channel, so that patches and the other numbers are on one scale.
        self.basis = (vectors[:, -DIMENSIONS:] / some.shape[1] ** 0.5).to(photo)
        self.mean = self.mean.to(photo)[None] @ self.basis
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
        components = torch.cat(parts).flatten(0, 1)[inside] - self.mean
        return torch.cat((components, self.about[:, places].T), dim=1)


class Known:
    """The known patches: the places of their middles (m,), and their descriptions (m, D)."""

    def __init__(self, places: Array, described: Array, shape: torch.Size) -> None:
        self.places, self.described = places, described
        self.products = torch.cat((described.T, described.square().sum(dim=1)[None] / -2))
        self.width = shape[1]
        self.numbers = places.new_full((shape[0] * shape[1],), -1)
        self.numbers[places] = torch.arange(len(places), device=places.device)

    def nearest(self, wanted: Array) -> tuple[Array, Array]:
        """The number (n,) of the known patch nearest to each that is wanted (n, D), and the squared distance."""
        ones = torch.ones_like(wanted[:, :1])
        # ‖a − b‖² is least where a · b − ‖b‖² / 2 is greatest: the products with (a, 1) of (b, −‖b‖² / 2).
        parts = torch.cat((wanted, ones), dim=1).split(max(1, AT_A_TIME // len(self.places)))
        numbers = torch.cat([(part @ self.products).max(dim=1).indices for part in parts])
        return numbers, (wanted - self.described[numbers]).square().sum(dim=1)

    def improve(self, wanted: Array, middles: Array, matches: Array, generator: torch.Generator) -> tuple[Array, Array]:
        """Better numbers than `matches` (n,) for the patches around `middles` (n,), and their squared distances."""
        distances = (wanted - self.described[matches]).square().sum(dim=1)
        field = torch.full_like(self.numbers, -1)  # the number of the match, for each pixel that has one
        for step in STEPS:
            for down, across in itertools.product((-step, 0, step), repeat=2):
                if (down, across) == (0, 0):
                    continue
                field[middles] = matches
                shift = down * self.width + across
                asked = field[(middles + shift).clamp(0, len(field) - 1)]
                places = torch.where(asked < 0, -1, self.places[asked] - shift)
                matches, distances = self._better(wanted, places, matches, distances)
        for reach in REACHES:
            drawn = torch.randint(-reach, reach + 1, (2, len(middles)), generator=generator).to(middles.device)
            places = self.places[matches] + drawn[0] * self.width + drawn[1]
            matches, distances = self._better(wanted, places, matches, distances)
        return matches, distances

    def _better(self, wanted: Array, places: Array, matches: Array, distances: Array) -> tuple[Array, Array]:
        """The patches at `places` instead of the matches where they are known and nearer."""
        inside = (places >= 0) & (places < len(self.numbers))
        numbers = torch.where(inside, self.numbers[places.clamp(0, len(self.numbers) - 1)], -1)
        found = (wanted - self.described[numbers.clamp_min(0)]).square().sum(dim=1)
        better = (numbers >= 0) & (found < distances)
        return torch.where(better, numbers, matches), torch.where(better, found, distances)


def patches(photo: Array, places: Array) -> Array:
    """The patches (n, C·SIDE²) of a photo (C, H, W) around `places` (n,); beyond its edge its last pixels go on."""
    height, width = photo.shape[1:]
    steps = torch.arange(-RADIUS, RADIUS + 1, device=photo.device)
    rows = ((places // width)[:, None] + steps).clamp(0, height - 1)
    columns = ((places % width)[:, None] + steps).clamp(0, width - 1)
    inner = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    return photo.flatten(1)[:, inner].movedim(1, 0).flatten(1)
