"""Which algorithm convolves, by fixed rules: read off tables that were measured.

So the same program gives the same bits every time on one machine, with one number of threads. What the rules rest on
stands in docs/performance.md ("What the rules rest on").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...core import HALF_PRECISION
from ...core.backend.compiling import compiles_functions
from ...core.backend.gemm import batches_by_mkl, has_onednn
from .bands import BANDS
from .im2col import IM2COL
from .interleaved import INTERLEAVED
from .kn2row import KN2ROW
from .pointwise import POINTWISE
from .shape import Algorithm, ConvShape
from .taps import TAPS
from .winograd import WINOGRAD
from .winograd1d import WINOGRAD1D
from .winograd_strided import WINOGRAD_STRIDED


@dataclass(frozen=True)
class Plan:
    """The algorithms for one shape."""

    forward: Algorithm
    input_gradient: Algorithm
    weight_gradient: Algorithm


#: Below so many channels on either side, the transforms of a tile cost more than Winograd saves; and of so few a window
#: is small enough for a banded matrix.
FEWEST_CHANNELS = 12
#: So many outputs at most, and half as many as inputs, have few enough planes to be moved.
MOST_PLANES = 12
#: FEWEST_CHANNELS for Winograd on the sub-images of a dilated convolution, which have to be sorted first.
FEWEST_INTERLEAVED = 32
#: Sub-images of so many channels, …
INTERLEAVED_CHANNELS = 96
#: … rows and columns are worth sorting where one product is at hand. Smaller ones end in tiles that are mostly empty.
INTERLEAVED_SIZE = 8
#: Kernels of 4×4 with stride 2 go by Winograd from so many channels on either side …
STRIDED_CHANNELS = 48
#: … and so many pixels of output on. Not where oneDNN multiplies batches, too: that isn't measured.
STRIDED_PIXELS = 1024
#: Where oneDNN multiplies batches, too, large convolutions take their weight gradient along one axis from so many
#: channels …
GRADIENT_CHANNELS = 64
#: … and so much work on, and along both with fewer channels than this.
GRADIENT_WORK = 2**26
GRADIENT_BOTH_AXES = 256


@dataclass(frozen=True)
class _Limits:
    """From what on a 3×3 convolution is large, so that Winograd's transforms along one axis cost less than they save,
    and from what on along both axes it is faster still.

    Attributes:
        work: pixels × input channels × output channels of a large one.
        pixels: its pixels, of which the tiles are made that every product has as rows.
        channels: its channels on either side.
        both_axes: from so many channels on along both axes.
        both_axes_compiled: the same if the transforms are compiled.
        few_pixels: of so few pixels, all of which stay in the cache, …
        both_axes_of_few: … from so many channels on.
    """

    work: int
    pixels: int
    channels: int
    both_axes: float
    both_axes_compiled: int
    few_pixels: int = 0
    both_axes_of_few: float = math.inf


#: MKL multiplies.
MKL = _Limits(2**24, 1200, FEWEST_CHANNELS, both_axes=256, both_axes_compiled=128)
#: oneDNN does.
ONEDNN = _Limits(2**24, 1200, 48, both_axes=math.inf, both_axes_compiled=128)
#: Single products are oneDNN's, but batches MKL's.
BATCHED = _Limits(2**23, 256, 24, both_axes=96, both_axes_compiled=24, few_pixels=8192, both_axes_of_few=64)


def by_rule(shape: ConvShape) -> Plan:
    """The choice without measuring.

    On other devices nothing has been measured, and they get one product for each tap.
    """
    if POINTWISE.suits(shape):
        return Plan(POINTWISE, POINTWISE, POINTWISE)
    if shape.device != "cpu":
        return Plan(TAPS, TAPS, TAPS)
    fewest = min(shape.channels, shape.out_channels)
    half, one_product = shape.dtype in HALF_PRECISION, _one_product(shape)
    if IM2COL.suits(shape) and (half or max(shape.stride) > 1) and fewest >= FEWEST_CHANNELS:
        best = WINOGRAD_STRIDED if _is_large_strided(shape) else IM2COL
        return Plan(best, best, best)
    if INTERLEAVED.suits(shape) and fewest >= FEWEST_INTERLEAVED:
        best = IM2COL if one_product and not _sub_images_are_large(shape) else INTERLEAVED
        return Plan(best, best, best)

    def chosen(seen: int, given: int) -> Algorithm:
        """For a direction that looks through windows at so many channels, and gives so many."""
        if BANDS.suits(shape) and seen < FEWEST_CHANNELS:
            return BANDS
        if KN2ROW.suits(shape) and given <= min(MOST_PLANES, seen // 2):
            return KN2ROW
        if _is_large(shape):
            return WINOGRAD if _along_both_axes(shape) else WINOGRAD1D
        if one_product:
            return IM2COL
        return WINOGRAD if WINOGRAD.suits(shape) and fewest >= FEWEST_CHANNELS else TAPS

    of_input, of_output = chosen(shape.channels, shape.out_channels), chosen(shape.out_channels, shape.channels)
    return Plan(of_input, of_output, _of_weights(shape, of_input))


def _of_weights(shape: ConvShape, otherwise: Algorithm) -> Algorithm:
    """The weight gradient's algorithm."""
    fewest, one_product = min(shape.channels, shape.out_channels), _one_product(shape)
    if _is_large(shape):
        if _batched(shape) or (_along_both_axes(shape) and not (one_product and fewest >= GRADIENT_BOTH_AXES)):
            return WINOGRAD
        if not one_product or (fewest >= GRADIENT_CHANNELS and _work(shape) >= GRADIENT_WORK):
            return WINOGRAD1D
    by_planes = shape.stride == (1, 1) and shape.groups == 1  # im2col's
    few = fewest < FEWEST_CHANNELS <= shape.channels * shape.out_channels
    return IM2COL if by_planes and (few or one_product) else otherwise


def _work(shape: ConvShape) -> int:
    """Pixels by input channels by output channels."""
    return _pixels(shape) * shape.channels * shape.out_channels


def _pixels(shape: ConvShape) -> int:
    """Of the output, in all images."""
    return shape.images * math.prod(shape.out)


def _limits(shape: ConvShape) -> _Limits:
    if _batched(shape):
        return BATCHED
    return ONEDNN if _one_product(shape) else MKL


def _is_large(shape: ConvShape) -> bool:
    """Whether Winograd's transforms cost less than they save."""
    limits, fewest = _limits(shape), min(shape.channels, shape.out_channels)
    enough = fewest >= limits.channels and _work(shape) >= limits.work and _pixels(shape) >= limits.pixels
    return enough and WINOGRAD.suits(shape)


def _is_large_strided(shape: ConvShape) -> bool:
    """The same for kernels of 4×4 with stride 2."""
    enough = min(shape.channels, shape.out_channels) >= STRIDED_CHANNELS and _pixels(shape) >= STRIDED_PIXELS
    return enough and WINOGRAD_STRIDED.suits(shape) and (_batched(shape) or not _one_product(shape))


def _along_both_axes(shape: ConvShape) -> bool:
    """Whether, of a large convolution, Winograd along both axes is faster than along one."""
    limits, fewest = _limits(shape), min(shape.channels, shape.out_channels)
    if compiles_functions():
        return fewest >= limits.both_axes_compiled
    few = _pixels(shape) <= limits.few_pixels
    return fewest >= (limits.both_axes_of_few if few else limits.both_axes)


def _sub_images_are_large(shape: ConvShape) -> bool:
    """Whether a dilated convolution is worth sorting into sub-images where one product is at hand for it."""
    enough = min(shape.channels, shape.out_channels) >= INTERLEAVED_CHANNELS
    least = min(size // d for size, d in zip(shape.out, shape.dilation, strict=True))
    return _batched(shape) and enough and least >= INTERLEAVED_SIZE


def _one_product(shape: ConvShape) -> bool:
    """Whether one product over all taps beats many small ones, because oneDNN multiplies."""
    enough = min(shape.channels, shape.out_channels) >= FEWEST_CHANNELS
    return shape.dtype == torch.float32 and enough and shape.groups == 1 and has_onednn()


def _batched(shape: ConvShape) -> bool:
    """Whether oneDNN multiplies, but batches are MKL's."""
    return _one_product(shape) and batches_by_mkl()
