"""Paths around layers: added back (residual), joined beside (skip connection), and the residual block of ResNet."""

from __future__ import annotations

from collections.abc import Callable

from ..core import Array, Module, Tensor, concatenate, recompute
from .activation import relu
from .conv import Conv2d
from .norm import BatchNorm2d


class Recomputable(Module):
    """A block with a path around it, whose activations may be recomputed for the gradient (`recompute_blocks`)."""

    recomputed = False

    def _through(self, inner: Callable[..., Tensor], x: Array | Tensor) -> Tensor:
        """inner(x), where `inner` is a part or a method of this block."""
        found: Tensor = recompute(inner, x) if self.recomputed else inner(x)
        return found


def recompute_blocks(network: Module) -> int:
    """Have a network's residual blocks keep only their inputs and recompute their activations for the gradient
    (`core.recompute`): less memory for more time. Returns how many blocks there are."""
    blocks = [module for _, module in network.named_modules() if isinstance(module, Recomputable)]
    for block in blocks:
        block.recomputed = True
    return len(blocks)


class Residual(Recomputable):
    """x + body(x): the body learns what to change, and gradients have a way past it.

    Source: He et al., *Deep residual learning for image recognition* (2016), eq. 1.
    """

    def __init__(self, body: Module) -> None:
        self.body = body

    def forward(self, x: Array | Tensor) -> Tensor:
        return x + self._through(self.body, x)


class SkipConnection(Module):
    """(x, inner(x)) joined along the channels: the decoder gets the encoder's detail beside what lies deeper.

    `skip`, if given, works on the part that goes around (for example an attention).
    Source: Ronneberger, Fischer & Brox, *U-Net* (2015).
    """

    def __init__(self, inner: Module, skip: Module | None = None) -> None:
        self.inner = inner
        self.skip = skip

    def forward(self, x: Array | Tensor) -> Tensor:
        return concatenate(x if self.skip is None else self.skip(x), self.inner(x), dim=1)


class ResidualBlock(Recomputable):
    """relu(x + bn(conv(relu(bn(conv(x)))))) with two 3×3 convolutions that keep channels and size.

    At 0 both ReLUs have slope 0, as in torch.

    Source: He et al., *Deep residual learning for image recognition* (2016), fig. 2.
    """

    def __init__(self, channels: int) -> None:
        self.conv1 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(channels)

    def forward(self, x: Array | Tensor) -> Tensor:
        return relu(x + self._through(self._inner, x))

    def _inner(self, x: Array | Tensor) -> Tensor:
        return self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
