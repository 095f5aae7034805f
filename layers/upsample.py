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


def _neighbours(size: int, scale: int, like: Array) -> tuple[Array, Array, Array]:
    """For each output position along one axis: the two input positions around it and the weight of the second.

    Pixels are areas: output pixel i has its centre at (i + ½) / scale − ½ of the input. Beyond the outermost centres
    the edge pixel is held (torch's ``align_corners=False``).
    """
    centre = (torch.arange(size * scale, device=like.device, dtype=torch.float64) + 0.5) / scale - 0.5
    centre = centre.clamp(0, size - 1)
    low = centre.floor().long()
    high = (low + 1).clamp(max=size - 1)
    return low, high, (centre - low).to(like.dtype)


def _interpolate(x: Array, dim: int, scale: int) -> Array:
    low, high, t = _neighbours(x.shape[dim], scale, x)
    t = t.reshape(-1, *[1] * (x.ndim - 1 - dim))
    return torch.lerp(x.index_select(dim, low), x.index_select(dim, high), t)


def _interpolate_adjoint(ȳ: Array, dim: int, scale: int) -> Array:
    size = ȳ.shape[dim] // scale
    low, high, t = _neighbours(size, scale, ȳ)
    t = t.reshape(-1, *[1] * (ȳ.ndim - 1 - dim))
    shape = list(ȳ.shape)
    shape[dim] = size
    x̄ = ȳ.new_zeros(shape)
    x̄.index_add_(dim, low, ȳ * (1 - t))
    x̄.index_add_(dim, high, ȳ * t)
    return x̄


@primitive
def upsample_bilinear(x: Array, *, scale_factor: int) -> tuple[Array, Pullback]:
    """(N, C, H, W) → (N, C, s H, s W) by linear interpolation along rows, then columns (``align_corners=False``).

    Raises:
        ValueError: x isn't (N, C, H, W), or the factor isn't a positive integer.
    """
    require_images(x, "upsample_bilinear")
    s = integer("upsample_bilinear", "scale_factor", scale_factor)

    def upsample_bilinear_pullback(ȳ: Array):
        return _interpolate_adjoint(_interpolate_adjoint(ȳ, 3, s), 2, s)

    return _interpolate(_interpolate(x, 2, s), 3, s), upsample_bilinear_pullback


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
