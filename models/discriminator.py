"""The discriminator of patches: it looks at a photo whose hole is filled and scores each piece of it, real or fake.

    photo, mask (4 channels)  ─►  5×5, stride 2  ─►  3×3, stride 2  ─►  3×3  ─►  1×1  ─►  scores

Every score belongs to a cell of 4×4 pixels and sees 17×17 around it, less than any hole. So it judges texture, and how
texture goes on across the edge of the hole, but not what the photo shows: guessing that costs far more error than
texture does. Every weight is spectrally normalised.

Source: Yu et al., *Free-form image inpainting with gated convolution* (2019), section 3.3 (SN-PatchGAN). Theirs has six
layers of stride 2 for photos of 256×256, and its scores see most of a photo.
"""

from __future__ import annotations

from ..core import Array, Module, Tensor, concatenate
from ..layers import LeakyReLU, Sequential, SpectralConv2d


class PatchDiscriminator(Module):
    """Scores (N, 1, H / 4, W / 4) of photos (N, 3, H, W) in [0, 1] with the masks (N, 1, H, W) of their holes.

    Args:
        widths: channels after the first three convolutions.
    """

    #: Side of a patch's cell, pixels.
    stride = 4

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 128)) -> None:
        first, second, third = widths
        self.body = Sequential(
            SpectralConv2d(4, first, 5, stride=2, padding=2),
            LeakyReLU(0.2),
            SpectralConv2d(first, second, 3, stride=2, padding=1),
            LeakyReLU(0.2),
            SpectralConv2d(second, third, 3, padding=1),
            LeakyReLU(0.2),
            SpectralConv2d(third, 1, 1),
        )

    def forward(self, photo: Array | Tensor, mask: Array) -> Tensor:
        """Raises ValueError: height or width isn't divisible by 4."""
        _require_divisible(mask)
        return self.body(concatenate(2 * photo - 1, mask, dim=1))


def hole_patches(mask: Array) -> Array:
    """The patches whose own cell touches the hole, (N, 1, H / 4, W / 4) of 0 and 1, for masks (N, 1, H, W).

    A patch beside the hole sees generated pixels too, but its own are real.
    Raises ValueError: height or width isn't divisible by 4.
    """
    _require_divisible(mask)
    side = PatchDiscriminator.stride
    return mask.unflatten(3, (-1, side)).unflatten(2, (-1, side)).amax(dim=(3, 5))


def _require_divisible(mask: Array) -> None:
    h, w = mask.shape[2:]
    if h % PatchDiscriminator.stride or w % PatchDiscriminator.stride:
        raise ValueError(f"discriminator: size {h}x{w} must be divisible by {PatchDiscriminator.stride}")
