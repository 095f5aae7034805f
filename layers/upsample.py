"""Upsampling: nearest-neighbour and bilinear. Both are linear maps, and the pullbacks are their transposes."""

from __future__ import annotations

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from .windows import integer, require_images


@primitive
def upsample_nearest(x: Array, *, scale_factor: int) -> tuple[Array, Pullback]:
    """(N, C, H, W) → (N, C, s H, s W): every pixel becomes an s × s block; x̄ sums ȳ over each block.

    Raises:
        ValueError: x isn't (N, C, H, W), or the factor isn't a positive integer.
    """
    require_images(x, "upsample_nearest")
    s, (n, c, h, w) = integer("upsample_nearest", "scale_factor", scale_factor), x.shape
    pixels = x.permute(0, 2, 3, 1)[:, :, None, :, None]
    y = pixels.expand(n, h, s, w, s, c).reshape(n, h * s, w * s, c).permute(0, 3, 1, 2)

    def upsample_nearest_pullback(ȳ: Array):
        # A block's rows, then its columns: sums of strided slices are much faster than torch's sum over short axes.
        rows = _add([ȳ[:, :, i::s] for i in range(s)])
        return _add([rows[..., j::s] for j in range(s)])

    return y, upsample_nearest_pullback


def _add(arrays: list[Array]) -> Array:
    total = arrays[0].clone()
    for array in arrays[1:]:
        total += array
    return total


@primitive
def upsample_bilinear(x: Array, *, scale_factor: int) -> tuple[Array, Pullback]:
    """(N, C, H, W) → (N, C, s H, s W) by linear interpolation along rows and columns (``align_corners=False``).

    Every channel X becomes Y = R X Cᵀ, where R interpolates its rows and C its columns; X̄ = Rᵀ Ȳ C.

    Raises:
        ValueError: x isn't (N, C, H, W), or the factor isn't a positive integer.
    """
    require_images(x, "upsample_bilinear")
    s = integer("upsample_bilinear", "scale_factor", scale_factor)
    rows, columns = (_interpolation(size, s).to(x) for size in x.shape[2:])

    def upsample_bilinear_pullback(ȳ: Array):
        return rows.mT @ ȳ @ columns

    return rows @ x @ columns.mT, upsample_bilinear_pullback


def _interpolation(size: int, scale: int) -> Array:
    """The matrix (scale · size, size) that interpolates along one axis: a row holds one output pixel's weights.

    Pixels are areas: output pixel i has its centre at (i + ½) / scale − ½ of the input, and an input pixel's weight
    falls from 1 at its own centre to 0 at its neighbours'. Beyond the outermost centres the edge pixel is held.
    """
    centre = (torch.arange(size * scale, dtype=torch.float64) + 0.5) / scale - 0.5
    distance = centre.clamp(0, size - 1)[:, None] - torch.arange(size)
    return (1 - distance.abs()).clamp_min(0)


class _Upsample(Module):
    def __init__(self, scale_factor: int) -> None:
        self.scale_factor = integer(type(self).__name__, "scale_factor", scale_factor)

    def extra_repr(self) -> str:
        return f"scale_factor={self.scale_factor}"


class UpsampleNearest(_Upsample):
    """Every pixel becomes a block of `scale_factor` × `scale_factor`."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return upsample_nearest(x, scale_factor=self.scale_factor)


class UpsampleBilinear(_Upsample):
    """Linear interpolation to `scale_factor` times the height and width."""

    def forward(self, x: Array | Tensor) -> Tensor:
        return upsample_bilinear(x, scale_factor=self.scale_factor)
