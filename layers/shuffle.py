"""Pixel shuffle and its inverse: channels become pixels and pixels channels; nothing is computed or lost.

Source: Shi et al., *Real-time single image and video super-resolution using an efficient sub-pixel convolutional
neural network* (2016), eq. 4.
"""

from __future__ import annotations

from itertools import product

from ..core import Array, Module, Pullback, Tensor, primitive
from .windows import integer, require_images, single_images

# Both copy one pixel of all blocks at a time: several times faster than one copy of a permuted view of six axes.


def _shuffle(x: Array, r: int) -> Array:
    """(N, C r², H, W) → (N, C, r H, r W), channels last in memory."""
    n, c, h, w = x.shape
    blocks, y = x.unflatten(1, (c // r**2, r, r)), x.new_empty(n, h * r, w * r, c // r**2)
    for i, j in product(range(r), range(r)):
        y[:, i::r, j::r] = blocks[:, :, i, j].permute(0, 2, 3, 1)
    return y.permute(0, 3, 1, 2)


def _unshuffle(x: Array, r: int) -> Array:
    """(N, C, r H, r W) → (N, C r², H, W), the inverse of `_shuffle`."""
    n, c, h, w = x.shape
    blocks = x.new_empty(n, h // r, w // r, c, r, r)
    for i, j in product(range(r), range(r)):
        blocks[..., i, j] = x[:, :, i::r, j::r].permute(0, 2, 3, 1)
    return blocks.flatten(3).permute(0, 3, 1, 2)


@primitive
@single_images
def pixel_shuffle(x: Array, *, upscale_factor: int) -> tuple[Array, Pullback]:
    """(N, C r², H, W) → (N, C, r H, r W): each pixel's r² channels become an r × r block; the pullback unshuffles.

    Raises:
        ValueError: the channels aren't divisible by r², or r isn't a positive integer.
    """
    require_images(x, "pixel_shuffle")
    r = integer("pixel_shuffle", "upscale_factor", upscale_factor)
    if x.shape[1] % r**2:
        raise ValueError(f"pixel_shuffle: channels (={x.shape[1]}) must be divisible by upscale_factor² (={r**2})")

    def pixel_shuffle_pullback(ȳ: Array):
        return _unshuffle(ȳ, r)

    return _shuffle(x, r), pixel_shuffle_pullback


@primitive
@single_images
def pixel_unshuffle(x: Array, *, downscale_factor: int) -> tuple[Array, Pullback]:
    """(N, C, r H, r W) → (N, C r², H, W): each r × r block becomes r² channels of one pixel; the pullback shuffles.

    Raises:
        ValueError: height or width isn't divisible by r, or r isn't a positive integer.
    """
    require_images(x, "pixel_unshuffle")
    r = integer("pixel_unshuffle", "downscale_factor", downscale_factor)
    if x.shape[2] % r or x.shape[3] % r:
        raise ValueError(f"pixel_unshuffle: size (={tuple(x.shape[2:])}) must be divisible by downscale_factor (={r})")

    def pixel_unshuffle_pullback(ȳ: Array):
        return _shuffle(ȳ, r)

    return _unshuffle(x, r), pixel_unshuffle_pullback


class PixelShuffle(Module):
    """(N, C r², H, W) → (N, C, r H, r W) with r = `upscale_factor`."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = integer("PixelShuffle", "upscale_factor", upscale_factor)

    def forward(self, x: Array | Tensor) -> Tensor:
        return pixel_shuffle(x, upscale_factor=self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(N, C, r H, r W) → (N, C r², H, W) with r = `downscale_factor`."""

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = integer("PixelUnshuffle", "downscale_factor", downscale_factor)

    def forward(self, x: Array | Tensor) -> Tensor:
        return pixel_unshuffle(x, downscale_factor=self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
