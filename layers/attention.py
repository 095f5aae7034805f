"""Attention: weigh channels by what the whole image shows, and pixels by what all channels show.

"Attention" has two meanings: here it is a gate on features, in `multihead_attention.py` a look-up of values by how well
queries match their keys.

Sources: Hu, Shen & Sun, *Squeeze-and-excitation networks* (2018); Woo et al., *CBAM: Convolutional block attention
module* (2018).
"""

from __future__ import annotations

from ..core import Array, Module, Tensor, amax, concatenate, mean, reshape
from .activation import ReLU, sigmoid
from .conv import Conv2d
from .linear import Linear
from .norm import GroupNorm
from .sequential import Sequential
from .windows import integer


class SqueezeExcitation(Module):
    """x · σ(mlp(mean of x over all pixels)): one weight in (0, 1) for each channel of each image.

    The hidden layer's ReLU has slope 0 at 0, as in torch.

    Args:
        channels: C of the input (N, C, H, W).
        reduction: the hidden layer has ⌊C / reduction⌋ units.

    Raises:
        ValueError: a number isn't whole and above 0, or `reduction` exceeds the channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        name = type(self).__name__
        channels, reduction = integer(name, "channels", channels), integer(name, "reduction", reduction)
        if channels < reduction:
            raise ValueError(f"{name}: channels (={channels}) must be at least reduction (={reduction})")
        hidden = channels // reduction
        self.mlp = Sequential(Linear(channels, hidden), ReLU(), Linear(hidden, channels))

    def scores(self, x: Array | Tensor) -> Tensor:
        """(N, C, H, W) → (N, C), before σ."""
        return self.mlp(mean(x, dim=(2, 3)))

    def weights(self, x: Array | Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, 1, 1)."""
        weights = sigmoid(self.scores(x))
        return reshape(weights, shape=(*weights.shape, 1, 1))

    def forward(self, x: Array | Tensor) -> Tensor:
        return x * self.weights(x)


class ChannelAttention(SqueezeExcitation):
    """x · σ(mlp(mean of x) + mlp(max of x)), both over all pixels, through one shared network (CBAM, eq. 2).

    Pixels that tie for the largest share its gradient evenly, and the hidden layer's ReLU has slope 0 at 0, as in
    torch. Arguments and errors are `SqueezeExcitation`'s.
    """

    def scores(self, x: Array | Tensor) -> Tensor:
        return super().scores(x) + self.mlp(amax(x, dim=(2, 3)))


class SpatialAttention(Module):
    """x · σ(conv(mean and max of x over its channels)): one weight in (0, 1) for each pixel (CBAM, eq. 3).

    Channels that tie for the largest share its gradient evenly, as in torch.

    Args:
        kernel_size: of the convolution from the two maps to the weights; odd, so that the size stays.
        norm: whether the convolution's result is standardised within each image before σ (CBAM's own code does so
            within the batch). Without it, features that grow in training drive σ to 0 or 1 everywhere, where no
            gradient passes.

    Raises:
        ValueError: kernel_size isn't a whole number above 0, or is even.
    """

    def __init__(self, kernel_size: int = 7, norm: bool = False) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"SpatialAttention: kernel_size (={kernel_size}) must be odd")
        self.conv = Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = GroupNorm(1, 1) if norm else None

    def weights(self, x: Array | Tensor) -> Tensor:
        """(N, C, H, W) → (N, 1, H, W)."""
        maps = concatenate(mean(x, dim=1, keepdim=True), amax(x, dim=1, keepdim=True), dim=1)
        scores = self.conv(maps)
        return sigmoid(scores if self.norm is None else self.norm(scores))

    def forward(self, x: Array | Tensor) -> Tensor:
        return x * self.weights(x)


class CBAM(Module):
    """Channel attention, then spatial attention (CBAM, eq. 1); see both, for ties as well as errors."""

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7) -> None:
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)

    def forward(self, x: Array | Tensor) -> Tensor:
        return self.spatial(self.channel(x))
