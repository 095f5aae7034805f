"""Resampling to another size: nearest-neighbour and bilinear. Both are linear maps, and the pullbacks their transposes.

Along one axis of n input pixels, output pixel i of m looks at the input position (i + ½) r − ½ with r = n / m: pixels
are areas, and centres are at halves. With ``align_corners`` the first and the last centres coincide instead, and it
looks at i (n − 1) / (m − 1). Torch's nearest neighbour rounds i r down. Where a `scale_factor` is given and not a size,
r is its inverse and m = ⌊n / r⌋; but an axis that keeps its size is copied. All this is torch's convention.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..core import Array, Module, Pullback, Tensor, primitive
from ..core.ops.half import rounded_once
from .windows import IntOrPair, Pair, pair, positive, require_images, single_images

Factor = float | tuple[float, float]


def _asked(op: str, size: IntOrPair | None, scale_factor: Factor | None) -> tuple[Pair | None, tuple[float, float]]:
    """The size that is asked for, or None, and the factors (rows, columns), checked."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{op}: exactly one of size (={size}) and scale_factor (={scale_factor}) must be given")
    if size is not None:
        return pair(size, f"{op}: size", 1), (1, 1)
    factors = scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor, scale_factor)
    down, across = (positive(op, "scale_factor", factor) for factor in factors)
    return None, (down, across)


def _sizes(op: str, x: Array, size: IntOrPair | None, scale_factor: Factor | None) -> tuple[Pair, tuple[float, float]]:
    """The output's (rows, columns), and for each axis the ratio r of the input's size to it."""
    require_images(x, op)
    (h, w), (out, (down, across)) = x.shape[-2:], _asked(op, size, scale_factor)
    if out is not None:
        return out, (h / out[0], w / out[1])
    out = math.floor(h * down), math.floor(w * across)
    if min(out) < 1:
        raise ValueError(f"{op}: scale_factor (={scale_factor}) leaves no pixel of an input of size {(h, w)}")
    return out, (1 if out[0] == h else 1 / down, 1 if out[1] == w else 1 / across)


@primitive
@single_images
@rounded_once
def upsample_nearest(
    x: Array, *, size: IntOrPair | None = None, scale_factor: Factor | None = None
) -> tuple[Array, Pullback]:
    """(N, C, H, W) or (C, H, W) → (…, H', W'): every output pixel copies one of the input's, which sums their ȳ.

    With a whole `scale_factor` s every pixel becomes an s × s block.

    Raises:
        ValueError: x isn't an image, or a size or factor isn't above 0, or both or none of them are given.
    """
    (rows, columns), ratios = _sizes("upsample_nearest", x, size, scale_factor)
    n, c, h, w = x.shape
    whole = math.isclose(rows * ratios[0], h) and math.isclose(columns * ratios[1], w)
    if rows % h or columns % w or not whole:
        indices = (_nearest(*axis, x.device) for axis in zip((h, w), (rows, columns), ratios, strict=True))
        return _nearest_by_index(x, *indices)
    down, across = rows // h, columns // w
    pixels = x.permute(0, 2, 3, 1)[:, :, None, :, None]
    y = pixels.expand(n, h, down, w, across, c).reshape(n, rows, columns, c).permute(0, 3, 1, 2)

    def upsample_nearest_pullback(ȳ: Array):
        # A block's rows, then its columns: sums of strided slices are much faster than torch's sum over short axes.
        total = _add([ȳ[:, :, i::down] for i in range(down)])
        return _add([total[..., j::across] for j in range(across)])

    return y, upsample_nearest_pullback


def _add(arrays: list[Array]) -> Array:
    total = arrays[0].clone()
    for array in arrays[1:]:
        total += array
    return total


def _nearest_by_index(x: Array, rows: Array, columns: Array) -> tuple[Array, Pullback]:
    """x[:, :, rows][..., columns], for indices of which each may come several times or never."""
    shape = x.shape

    def upsample_nearest_pullback(ȳ: Array):
        of_rows = ȳ.new_zeros(*ȳ.shape[:3], shape[3]).index_add_(3, columns, ȳ)
        return ȳ.new_zeros(shape).index_add_(2, rows, of_rows)

    return x.index_select(2, rows).index_select(3, columns), upsample_nearest_pullback


def _nearest(size: int, out: int, ratio: float, device: torch.device) -> Array:
    """For each output pixel along an axis the input pixel ⌊i r⌋; in float32, where torch rounds it, too."""
    if out == 2 * size:  # as torch does, whatever the ratio
        return torch.arange(out, device=device) // 2
    positions = torch.arange(out, dtype=torch.float32, device=device) * ratio
    return positions.long()


@primitive
@single_images
@rounded_once
def upsample_bilinear(
    x: Array,
    *,
    size: IntOrPair | None = None,
    scale_factor: Factor | None = None,
    align_corners: bool = False,
) -> tuple[Array, Pullback]:
    """(N, C, H, W) or (C, H, W) → (…, H', W') by linear interpolation along rows and columns.

    Every channel X becomes Y = R X Cᵀ, where R interpolates its rows and C its columns; X̄ = Rᵀ Ȳ C. Where X is NaN or
    infinite so are the outputs that give the pixel a weight; in torch also some of those that give it the weight 0.

    Raises:
        ValueError: x isn't an image, or a size or factor isn't above 0, or both or none of them are given.
    """
    out, ratios = _sizes("upsample_bilinear", x, size, scale_factor)
    rows, columns = (_interpolation(*axis, align_corners).to(x) for axis in zip(x.shape[2:], out, ratios, strict=True))

    def upsample_bilinear_pullback(ȳ: Array):
        return _between(rows.mT, ȳ, columns)

    return _between(rows, x, columns.mT), upsample_bilinear_pullback


def _between(rows: Array, x: Array, columns: Array) -> Array:
    """rows · x · columns for matrices without negative numbers, in which 0 · ∞ and 0 · NaN are 0."""
    y = rows @ x @ columns
    if y.device.type == "cpu" and math.isfinite(y.sum().item()):  # a GPU isn't waited for
        return y
    y = rows @ torch.where(x.isfinite(), x, 0) @ columns
    for special in (torch.inf, -torch.inf, torch.nan):
        there = x.isnan() if special != special else x == special
        reached = (rows > 0).to(x) @ there.to(x) @ (columns > 0).to(x) > 0
        y = torch.where(reached, y + special, y)
    return y


def _interpolation(size: int, out: int, ratio: float, align_corners: bool) -> Array:
    """The matrix (out, size) that interpolates along one axis: a row holds one output pixel's weights.

    An input pixel's weight falls from 1 at its own centre to 0 at its neighbours'. Beyond the outermost centres the
    edge pixel is held.
    """
    i = torch.arange(out, dtype=torch.float64)
    centre = i * ((size - 1) / max(1, out - 1)) if align_corners else (i + 0.5) * ratio - 0.5
    distance = centre.clamp(0, size - 1)[:, None] - torch.arange(size)
    return (1 - distance.abs()).clamp_min(0)


def interpolate(
    x: Array | Tensor,
    size: IntOrPair | None = None,
    scale_factor: Factor | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """Images in another `size`, or `scale_factor` times as large; `mode` is ``"nearest"`` or ``"bilinear"``.

    Raises:
        ValueError: another mode, align_corners with "nearest", or what `upsample_nearest` and `upsample_bilinear`
            refuse.
    """
    _check_mode("interpolate", mode, align_corners)
    if mode == "nearest":
        return upsample_nearest(x, size=size, scale_factor=scale_factor)
    return upsample_bilinear(x, size=size, scale_factor=scale_factor, align_corners=bool(align_corners))


def _check_mode(op: str, mode: str, align_corners: bool | None) -> None:
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"{op}: mode (={mode!r}) must be 'nearest' or 'bilinear'")
    if mode == "nearest" and align_corners is not None:
        raise ValueError(f"{op}: align_corners (={align_corners}) can be set with mode 'bilinear' only")


class Upsample(Module):
    """Images in another `size`, or `scale_factor` times as large; see `interpolate`.

    >>> Upsample(scale_factor=2, mode="bilinear")(torch.ones(1, 3, 4, 5)).shape
    torch.Size([1, 3, 8, 10])

    Raises:
        ValueError: an option that `interpolate` refuses.
    """

    def __init__(
        self,
        size: IntOrPair | None = None,
        scale_factor: Factor | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners
        _asked(type(self).__name__, size, scale_factor)
        _check_mode(type(self).__name__, mode, align_corners)

    def forward(self, x: Array | Tensor) -> Tensor:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        return f"size={self.size}, scale_factor={self.scale_factor}, mode={self.mode!r}"


class UpsampleNearest(Upsample):
    """Every pixel becomes a block of `scale_factor` × `scale_factor`."""

    def __init__(self, scale_factor: Factor) -> None:
        super().__init__(scale_factor=scale_factor)


class UpsampleBilinear(Upsample):
    """Linear interpolation to `scale_factor` times the height and width."""

    def __init__(self, scale_factor: Factor) -> None:
        super().__init__(scale_factor=scale_factor, mode="bilinear")
