"""The attention model: start at the Laplace equation, and learn what it leaves out.

    masked photo, mask ── harmonic fill, distance to the known pixels
          │ pixel unshuffle: half the resolution, four times the channels
          ▼
    1/2  stem ── block ─┬─ spatial attention ──────────────────────► merge ── block ── pixel shuffle ── residual,
                        │ down                                         ▲                     added in the hole
                        ▼                                              │ pixel shuffle
    1/4               block ─┬─ spatial attention ─► merge ── block ───┘
                             │ down                    ▲
                             ▼                         │ pixel shuffle
    1/8                    dilated blocks ─────────────┘

A block standardises its input (group norm), and adds to it what two convolutions make of that, weighed by channel
attention. What goes down or up is standardised, too: or features would grow from level to level. The last convolutions
of the blocks and of the network start at zero, so training starts *at* the harmonic fill, the bar for a learned model.

Sources: Ronneberger, Fischer & Brox, *U-Net* (2015); Woo et al., *CBAM* (2018); Hu, Shen & Sun, *Squeeze-and-excitation
networks* (2018); Wu & He, *Group normalization* (2018); Yu & Koltun, *Multi-scale context aggregation by dilated
convolutions* (2016); Goyal et al., *Accurate, large minibatch SGD* (2017), §5.1, for blocks that start at zero.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from ..core import Array, Module, PhotomendError, Tensor, cast, concatenate, did_you_mean
from ..layers import (
    Conv2d,
    GroupNorm,
    PixelShuffle,
    PixelUnshuffle,
    Residual,
    Sequential,
    SiLU,
    SpatialAttention,
    SqueezeExcitation,
)
from .harmonic import HarmonicFill
from .holes import distance_to_known
from .network import RepairNetwork

#: Channel attention's hidden layer has channels / REDUCTION units.
REDUCTION = 8
#: Groups of channels in each group norm.
GROUPS = 8
#: What can be left out, to measure what it is worth (`benchmarks/ablation.py`).
ABLATIONS = ("fill", "mask", "channel", "spatial", "skips")


def features(masked: Array, mask: Array, without: Collection[str] = ()) -> tuple[Array, Array, Array]:
    """The fill to start from (N, 3, H, W), its contrast (N, 1, 1, 1), and what the network sees (N, 5, H, W).

    The network sees the harmonic fill, less its mean colour and divided by its contrast (the standard deviation, at
    least 5 grey levels), the mask, and the distance to the known pixels in units of 16 pixels. Its answer is multiplied
    by the contrast again: so an edge in a dark, soft photo is continued like one in a bright, harsh photo.

    Without "fill" the holes start at the mean known colour; without "mask" both the mask and the distance are 0.
    """
    known = torch.where(mask > 0.5, 0.0, masked)
    if "fill" in without:
        mean = known.sum(dim=(2, 3), keepdim=True) / (1 - mask).sum(dim=(2, 3), keepdim=True)
        fill = torch.where(mask > 0.5, mean, masked)
    else:
        fill = HarmonicFill().fill(known, mask)
    centred = fill - fill.mean(dim=(2, 3), keepdim=True)
    contrast = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(5 / 255)
    where = torch.cat((mask, distance_to_known(mask) / 16), dim=1)
    return fill, contrast, torch.cat((centred / contrast, where * 0 if "mask" in without else where), dim=1)


class AttentionModel(RepairNetwork):
    """Fill, look, correct: a U-Net with channel and spatial attention that predicts the error of the harmonic fill.

    Args:
        width: channels at half the resolution, divisible by 8; twice as many at a quarter, four times at an eighth.
        dilations: of the bottleneck's residual blocks, one block for each.
        window: side of the square crops it is trained on, and looks through unless a hole is small, pixels;
            divisible by 8.
        without: the ABLATIONS to make: the "fill" to start from and be added to, the "mask" among what it sees,
            "channel" or "spatial" attention, the "skips" from the encoder to the decoder.
        views: 1 or 8, see `RepairNetwork`; the weights don't depend on it.

    Raises:
        ValueError: a number is out of its range.
        PhotomendError: there is no such part to leave out.
    """

    name = "attention"
    least_window = 24  # its harmonic fill and its contrast are those of what is near; squares of 5 pixels gain by it

    def __init__(
        self,
        width: int = 32,
        dilations: tuple[int, ...] = (1, 2, 4),
        window: int = 96,
        without: Collection[str] = (),
        views: int = 1,
    ) -> None:
        self.width, self.dilations, self.window, self.without = width, tuple(dilations), window, tuple(without)
        self._check_settings(width=width, window=window, **{f"dilations[{i}]": d for i, d in enumerate(dilations)})
        if views not in (1, 8):
            raise ValueError(f"views (={views!r}) must be 1 or 8")
        self.views = views
        for part in self.without:
            if part not in ABLATIONS:
                raise PhotomendError(f"without (={part!r}) is no part of it; {did_you_mean(part, ABLATIONS)}")
        if width % GROUPS:
            raise ValueError(f"width (={width}) must be divisible by {GROUPS}")
        half, quarter, eighth = width, 2 * width, 4 * width
        self.stem = Sequential(PixelUnshuffle(2), Conv2d(20, half, 3, padding=1))
        self.encoder2 = self._block(half)
        self.encoder4 = Sequential(*_down(half, quarter), self._block(quarter))
        self.encoder8 = Sequential(*_down(quarter, eighth))
        self.bottleneck = Sequential(*(self._block(eighth, d) for d in self.dilations))
        self.up4, self.skip4, self.decoder4 = _up(eighth, quarter), self._skip(), self._decoder(quarter)
        self.up2, self.skip2, self.decoder2 = _up(quarter, half), self._skip(), self._decoder(half)
        self.head = Sequential(_norm(half), SiLU(), _from_zero(Conv2d(half, 12, 3, padding=1)), PixelShuffle(2))

    @property
    def config(self) -> dict[str, Any]:
        unusual: dict[str, Any] = {"without": list(self.without)} if self.without else {}
        unusual |= {"views": self.views} if self.views != 1 else {}
        return {"width": self.width, "dilations": list(self.dilations), "window": self.window, **unusual}

    def prepare(self, masked: Array, mask: Array) -> tuple[Array, ...]:
        """The fill, how much of a change is one unit at each pixel (N, 1, H, W), and what the network sees."""
        fill, contrast, seen = features(masked, mask, self.without)
        return fill, contrast * mask, seen

    def predict(self, fill: Array, unit: Array, seen: Array) -> Tensor:
        return fill + cast(self.residual(seen.to(self.dtype)), dtype=fill.dtype) * unit

    def residual(self, seen: Array) -> Tensor:
        """(N, 5, H, W) → (N, 3, H, W): what is to be added to the fill, in units of the contrast."""
        at2 = self.encoder2(self.stem(seen))
        at4 = self.encoder4(at2)
        deep = self.bottleneck(self.encoder8(at4))
        at4 = self.decoder4(_beside(self.up4(deep), self.skip4, at4))
        at2 = self.decoder2(_beside(self.up2(at4), self.skip2, at2))
        return self.head(at2)

    def _block(self, channels: int, dilation: int = 1) -> Module:
        """Adds to its input what two convolutions make of it, weighed by channel; nothing at first."""
        weigh = [] if "channel" in self.without else [SqueezeExcitation(channels, REDUCTION)]
        return Residual(
            Sequential(
                _norm(channels),
                Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
                SiLU(),
                _from_zero(Conv2d(channels, channels, 3, padding=1)),
                *weigh,
            )
        )

    def _skip(self) -> Module | None:
        """What lies on the way from the encoder to the decoder; None where there is no such way."""
        if "skips" in self.without:
            return None
        return Sequential() if "spatial" in self.without else SpatialAttention(norm=True)

    def _decoder(self, channels: int) -> Module:
        """Takes the deeper level and, where there is a skip connection, the encoder's, together again."""
        levels = 1 if "skips" in self.without else 2
        return Sequential(Conv2d(levels * channels, channels, 1), self._block(channels))


class GanModel(AttentionModel):
    """An `AttentionModel` trained on against a discriminator (`photomend.train.adversarial`).

    The squared and the absolute error reward a blur: where many textures are possible, their mean is wrong by least. A
    discriminator rewards a texture. The network is the same; its name says how the weights were trained.
    """

    name = "gan"


def _beside(deeper: Tensor, skip: Module | None, encoded: Tensor) -> Tensor:
    """The decoder's input: the deeper level and, where there is a skip connection, what it lets through."""
    return deeper if skip is None else concatenate(deeper, skip(encoded), dim=1)


def _norm(channels: int) -> Module:
    return GroupNorm(GROUPS, channels)


def _down(inputs: int, outputs: int) -> tuple[Module, ...]:
    """Half the resolution by a convolution with stride 2."""
    return _norm(inputs), SiLU(), Conv2d(inputs, outputs, 3, stride=2, padding=1)


def _up(inputs: int, outputs: int) -> Module:
    """Twice the resolution by a pixel shuffle."""
    return Sequential(_norm(inputs), Conv2d(inputs, 4 * outputs, 1), PixelShuffle(2))


def _from_zero(convolution: Conv2d) -> Conv2d:
    """The convolution, giving 0 until it is trained."""
    convolution.weight.data.zero_()
    return convolution
