"""Flatten: several axes become one, in reading order, and back. Nothing is computed: `reshape` does it, both ways."""

from __future__ import annotations

import math

from ..core import Array, Module, Tensor, reshape
from .windows import axis, integer


class Flatten(Module):
    """Axes `start_dim` to `end_dim` as one: (N, C, H, W) → (N, C H W) unless told otherwise.

    >>> import torch
    >>> Flatten()(torch.ones(2, 3, 4, 5)).shape
    torch.Size([2, 60])

    Raises:
        ValueError: the input has no such axes, or they come in the wrong order.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Array | Tensor) -> Tensor:
        start, end = (axis("Flatten", name, getattr(self, name), x.ndim) for name in ("start_dim", "end_dim"))
        if start > end:
            raise ValueError(
                f"Flatten: start_dim (={self.start_dim}) must not come after end_dim (={self.end_dim}) "
                f"in an input of shape {tuple(x.shape)}"
            )
        sizes = tuple(x.shape)
        return reshape(x, shape=(*sizes[:start], math.prod(sizes[start : end + 1]), *sizes[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The axis `dim` as several, of the sizes `unflattened_size`, one of which may be −1: Flatten's inverse.

    >>> import torch
    >>> Unflatten(1, (3, 4, -1))(torch.ones(2, 60)).shape
    torch.Size([2, 3, 4, 5])

    Raises:
        ValueError: the input has no such axis, or the sizes don't multiply to its size.
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim = dim
        self.unflattened_size = tuple(
            -1 if n == -1 else integer("Unflatten", "unflattened_size", n) for n in unflattened_size
        )
        if self.unflattened_size.count(-1) > 1:
            raise ValueError(f"Unflatten: unflattened_size (={self.unflattened_size}) may hold a single -1")

    def forward(self, x: Array | Tensor) -> Tensor:
        at, sizes = axis("Unflatten", "dim", self.dim, x.ndim), tuple(x.shape)
        known = math.prod(n for n in self.unflattened_size if n != -1)
        rest = sizes[at] // known
        if known * (rest if -1 in self.unflattened_size else 1) != sizes[at]:
            raise ValueError(
                f"Unflatten: unflattened_size (={self.unflattened_size}) doesn't fit axis {self.dim} of an input of "
                f"shape {sizes}"
            )
        inner = tuple(rest if n == -1 else n for n in self.unflattened_size)
        return reshape(x, shape=(*sizes[:at], *inner, *sizes[at + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
