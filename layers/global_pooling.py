"""Pooling over whole images, or over a given number of areas of them.

Source: Lin, Chen & Yan, *Network in network* (2014), §3.2.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Tensor, amax, matmul, mean
from .windows import integer, require_array, require_images


class AdaptiveAvgPool2d(Module):
    """(N, C, H, W) → (N, C, *output_size): the means over as many areas of nearly one size, which may overlap.

    Args:
        output_size: one number, or (rows, columns); None keeps the input's.

    Output i of n is the mean of the inputs from ⌊i H / n⌋ to ⌈(i + 1) H / n⌉, that one not included, as in torch. Like
    an interpolation it is a product with a matrix for the rows and one for the columns.

    >>> AdaptiveAvgPool2d(1)(torch.ones(2, 3, 5, 4)).shape
    torch.Size([2, 3, 1, 1])

    Raises:
        ValueError: a size isn't a whole number above 0.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        sizes = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
        rows, columns = (None if n is None else integer("AdaptiveAvgPool2d", "output_size", n) for n in sizes)
        self.output_size = rows, columns

    def forward(self, x: Array | Tensor) -> Tensor:
        require_array(x, "AdaptiveAvgPool2d")
        if x.ndim not in (3, 4):
            require_images(x, "AdaptiveAvgPool2d")
        if self.output_size == (1, 1):
            return mean(x, dim=(-2, -1), keepdim=True)
        rows, columns = (
            _areas(size, size if n is None else n, x.device).to(x.dtype)
            for size, n in zip(x.shape[-2:], self.output_size, strict=True)
        )
        return matmul(matmul(rows, x), columns.mT)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


def _areas(size: int, out: int, device: torch.device) -> Array:
    """The matrix (out, size) whose row i takes the mean of the inputs that belong to output i."""
    i = torch.arange(out, device=device)[:, None]
    first, end, inputs = i * size // out, -((i + 1) * -size // out), torch.arange(size, device=device)
    return ((first <= inputs) & (inputs < end)).double() / (end - first)


class GlobalAvgPool2d(Module):
    """(N, C, H, W) → (N, C, 1, 1): the mean over all pixels."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return mean(x, dim=(-2, -1), keepdim=True)


class GlobalMaxPool2d(Module):
    """(N, C, H, W) → (N, C, 1, 1): the largest value over all pixels; several that tie share its gradient evenly.

    So do ties under torch's `amax`; its `AdaptiveMaxPool2d(1)`, of the same value, gives everything to the first.
    """

    def forward(self, x: Array | Tensor) -> Tensor:
        return amax(x, dim=(-2, -1), keepdim=True)
