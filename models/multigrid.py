"""Laplace's equation on any set of pixels, by the conjugate gradient method with a multigrid preconditioner.

    A u = b:    (neighbours of i) · u_i  −  Σ of u_j over its missing neighbours j  =  Σ of its known neighbours

for every missing pixel i. Only missing pixels are stored, each with the numbers of its four neighbours: a scratch
across a photo, a frame around it or ten thousand specks cost what their pixels cost, not what the photo does.

A sweep of the Gauss–Seidel method solves one equation after the other, which soon makes the error smooth, but hardly
smaller where a hole is deep. A smooth error is seen just as well with half the resolution: so four pixels become one,
whose equation is the sum of theirs, and these are solved in the same way, level by level, until no two unknowns are
neighbours. Constant over four pixels, the correction is too stiff by half (a slope becomes steps), so it is taken
STRETCH times. That is too crude to be a method of its own, but a good preconditioner.

As on a chessboard, red pixels have black neighbours only: a sweep is one step for all red pixels and one for all black
ones. Before the correction the red ones come first, behind it the black ones, which keeps the preconditioner symmetric.

Sources: Trottenberg, Oosterlee & Schüller, *Multigrid* (2001), §2.1 and §8.7; Braess, *Towards algebraic multigrid for
elliptic problems of second order* (1995), for the correction's factor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..core import Array
from .components import Positions

#: What a correction from the coarser level is multiplied by.
STRETCH = 1.8
#: Rows and columns from a pixel to its four neighbours.
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Pixels:
    """Some pixels of images (N, H, W), the red ones first, and their neighbours among each other.

    Args:
        places: their places in the images as one row of numbers, (image · H + row) · W + column, rising.
        shape: (N, H, W).

    Attributes:
        places: in the order in which their values are kept.
        numbers: of the places as they came, their numbers in that order.
        red: how many of them are red.
        neighbours: (4, n), the number of each one's neighbour in the direction of STEPS; n where there is none among
            them.
        beyond: (4, n), whether the image has a pixel in that direction that is none of them.
    """

    def __init__(self, places: Positions, shape: tuple[int, int, int]) -> None:
        self.shape, n = shape, len(places)
        y, x = places // shape[2] % shape[1], places % shape[2]
        black = (y + x) % 2
        order, self.red = np.argsort(black, kind="stable"), n - int(black.sum())
        self.places, self.y, self.x = places[order], y[order], x[order]
        self.numbers = np.empty_like(order)
        self.numbers[order] = np.arange(n)
        self.neighbours, self.beyond = np.empty((4, n), np.int64), np.empty((4, n), np.bool_)
        for k, (down, across) in enumerate(STEPS):
            y, x = self.y + down, self.x + across
            exists = (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
            there = self.places + down * shape[2] + across
            found = np.searchsorted(places, there).clip(max=n - 1)
            among = exists & (places[found] == there)
            self.neighbours[k] = np.where(among, self.numbers[found], n)
            self.beyond[k] = exists & ~among

    def find(self, places: Positions) -> Positions:
        """The numbers of these places, which are all among its own."""
        return self.numbers[np.searchsorted(self.places[self.numbers], places)]

    def positions(self) -> tuple[Positions, Positions, Positions]:
        """The image, row and column of each one."""
        return self.places // (self.shape[1] * self.shape[2]), self.y, self.x

    def around(self) -> Iterator[tuple[Positions, Positions, Positions, Positions]]:
        """In each direction of STEPS, the pixels beside these that are none of them: the numbers of those that they are
        beside; image, row and column.
        """
        image, y, x = self.positions()
        for beyond, (down, across) in zip(self.beyond, STEPS, strict=True):
            numbers = np.flatnonzero(beyond)
            yield numbers, image[numbers], y[numbers] + down, x[numbers] + across

    def halved(self) -> tuple[Pixels, Positions]:
        """The pixels at half the resolution that hold these, and for each of these the number of the one that does."""
        images, height, width = self.shape
        half = images, -(-height // 2), -(-width // 2)
        places = (self.positions()[0] * half[1] + self.y // 2) * half[2] + self.x // 2
        coarse, own = np.unique(places, return_inverse=True)
        pixels = Pixels(coarse, half)
        return pixels, pixels.numbers[own]


class _Level:
    """The equations of one level: diagonal · u − Σ over the four neighbours of weight · u = b, for u (…, n)."""

    def __init__(self, pixels: Pixels, weights: np.ndarray, diagonal: np.ndarray, device: torch.device) -> None:
        self.pixels, self.host = pixels, (weights, diagonal)
        self.n, self.red = len(pixels.places), pixels.red
        self.neighbours = torch.from_numpy(pixels.neighbours).to(device)
        self.weights, self.diagonal = (torch.from_numpy(a).to(device) for a in (weights, diagonal))
        self.parent: Array | None = None
        self.children: Array | None = None

    def coarser(self) -> _Level | None:
        """The level below, whose equations are the sums of these; None if no unknown here has another beside it."""
        pixels, (weights, diagonal) = self.pixels, self.host
        if not weights.any():
            return None
        coarse, parent = pixels.halved()
        m, device = len(coarse.places), self.neighbours.device
        parents = np.append(parent, m)
        summed, within = np.zeros((4, m)), np.zeros(self.n)
        for k, weight in enumerate(weights):
            inner = parents[pixels.neighbours[k]] == parent
            within += np.where(inner, weight, 0)
            summed[k] = np.bincount(parent, np.where(inner, 0, weight), m)
        children = np.full((4, m), self.n)
        children[pixels.y % 2 * 2 + pixels.x % 2, parent] = np.arange(self.n)
        self.parent, self.children = (torch.from_numpy(a).to(device) for a in (parent, children))
        return _Level(coarse, summed, np.bincount(parent, diagonal - within, m), device)

    def around(self, u: Array, part: slice) -> Array:
        """For the unknowns of this part, the weighted sum of their neighbours in u (…, n + 1), whose last is 0."""
        total = _at(u, self.neighbours[0, part]).mul_(self.weights[0, part])
        for k in range(1, 4):
            total.addcmul_(_at(u, self.neighbours[k, part]), self.weights[k, part])
        return total


class Laplace:
    """The equations for the missing pixels, and an approximate inverse: operators on u (…, n), float64.

    Args:
        pixels: what is missing.
        device: where they are applied.
    """

    def __init__(self, pixels: Pixels, device: torch.device) -> None:
        among = pixels.neighbours < len(pixels.places)
        self.levels = [
            _Level(pixels, among.astype(np.float64), (among | pixels.beyond).sum(0).astype(np.float64), device)
        ]
        while (level := self.levels[-1].coarser()) is not None:
            self.levels.append(level)

    def __call__(self, u: Array) -> Array:
        """A u."""
        level = self.levels[0]
        return level.diagonal * u - level.around(_with_zero(u), slice(None))

    def precondition(self, b: Array, depth: int = 0) -> Array:
        """About A⁻¹ b: one V-cycle."""
        level = self.levels[depth]
        if depth + 1 == len(self.levels):
            return b / level.diagonal
        red, black, d = slice(0, level.red), slice(level.red, level.n), level.diagonal
        u = b.new_zeros(*b.shape[:-1], level.n + 1)
        u[..., red] = b[..., red] / d[red]
        u[..., black] = (b[..., black] + level.around(u, black)) / d[black]
        left = _with_zero(torch.zeros_like(b))  # b − A u: 0 where an equation was solved last
        left[..., red] = b[..., red] + level.around(u, red) - d[red] * u[..., red]
        assert level.children is not None
        assert level.parent is not None
        summed = torch.stack([_at(left, child) for child in level.children]).sum(0)
        u[..., : level.n] += STRETCH * _at(self.precondition(summed, depth + 1), level.parent)
        for part in (black, red):
            u[..., part] = (b[..., part] + level.around(u, part)) / d[part]
        return u[..., : level.n]


def _with_zero(u: Array) -> Array:
    """(…, n) → (…, n + 1): what a neighbour that is none of the unknowns counts."""
    return torch.cat((u, u.new_zeros(*u.shape[:-1], 1)), dim=-1)


def _at(u: Array, numbers: Array) -> Array:
    """The values of u (…, n) with these numbers (m,): (…, m). `index_select` takes eight times as long."""
    return u.gather(-1, numbers.expand(*u.shape[:-1], -1))
