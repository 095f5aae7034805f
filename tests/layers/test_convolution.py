"""The ways to convolve: each in blocks and layouts of every kind, and the planner that chooses among them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.layers.convolution import (
    ALGORITHMS,
    Algorithm,
    ConvShape,
    bands,
    blocks,
    im2col,
    kn2row,
    planar,
    products,
    tiles,
    winograd1d,
    winograd_strided,
)
from photomend.layers.convolution.bands import BANDS
from photomend.layers.convolution.im2col import IM2COL
from photomend.layers.convolution.interleaved import INTERLEAVED
from photomend.layers.convolution.kn2row import KN2ROW
from photomend.layers.convolution.pointwise import POINTWISE
from photomend.layers.convolution.taps import TAPS
from photomend.layers.convolution.winograd import WINOGRAD
from photomend.layers.convolution.winograd1d import WINOGRAD1D
from photomend.layers.convolution.winograd_strided import WINOGRAD_STRIDED

from .shapes import shape

CONTIGUOUS, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def three_directions(algorithm: Algorithm, x: Array, w: Array, b: Array, ȳ: Array, **options: Any) -> tuple[Array, ...]:
    this = ConvShape.of(x, w, b, **({"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options))
    assert algorithm.suits(this)
    return (
        algorithm.forward(x, w, b, this),
        algorithm.input_gradient(ȳ, w, this),
        algorithm.weight_gradient(x, ȳ, this),
    )


def by_torch(x: Array, w: Array, b: Array, ȳ: Array, **options: Any) -> tuple[Array, ...]:
    x, w, b = (a.double().clone().requires_grad_() for a in (x, w, b))
    y = F.conv2d(x, w, b, **options)
    return (y.detach(), *torch.autograd.grad(y, (x, w), ȳ.double()))


def numbers(*sizes: int, seed: int, layout: torch.memory_format = CONTIGUOUS) -> Array:
    drawn = torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.contiguous(memory_format=layout) if len(sizes) == 4 else drawn


def drawn(
    x: tuple[int, ...], w: tuple[int, ...], layout: torch.memory_format = CONTIGUOUS, **options: Any
) -> tuple[Array, Array, Array, Array]:
    """x, w, b and ȳ for a convolution of these sizes."""
    out = F.conv2d(torch.empty(x), torch.empty(w), **options).shape
    return (
        numbers(*x, seed=0, layout=layout),
        numbers(*w, seed=1),
        numbers(w[0], seed=2),
        numbers(*out, seed=3, layout=layout),
    )


def agree(algorithm: Algorithm, *arrays: Array, **options: Any) -> None:
    ours, theirs = three_directions(algorithm, *arrays, **options), by_torch(*arrays, **options)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("algorithm", [TAPS, BANDS, KN2ROW, WINOGRAD, WINOGRAD1D, IM2COL], ids=lambda a: a.name)
@pytest.mark.parametrize("layout", [CONTIGUOUS, CHANNELS_LAST], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("block", [1, 20_000, 4 * 2**20])
@pytest.mark.parametrize("size", [(12, 16), (9, 22), (3, 5)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 1)])
def test_blocks_and_layouts_change_nothing(
    algorithm: Algorithm,
    layout: torch.memory_format,
    block: int,
    size: tuple[int, int],
    padding: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One row of tiles, some images, or everything at once; and rows of matrices one after the other, or in parts.
    for module in (blocks, winograd1d, bands, kn2row, planar, im2col):
        monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(blocks, "BATCH_BLOCK", block)
    monkeypatch.setattr(winograd1d, "GRADIENT_BLOCK", block)
    monkeypatch.setattr(products, "FEWEST_ROWS", block)
    agree(algorithm, *drawn((5, 4, *size), (6, 4, 3, 3), layout, padding=padding), padding=padding)


#: Settings for algorithms that plain 3×3 kernels don't suit, and for what taps do with a stride.
OTHERS: list[tuple[Algorithm, tuple[int, ...], dict[str, Any]]] = [
    (POINTWISE, (1, 1), {}),
    (POINTWISE, (1, 1), {"stride": (2, 3)}),
    (INTERLEAVED, (3, 3), {"dilation": 2, "padding": 2}),
    (INTERLEAVED, (3, 3), {"dilation": (1, 3), "padding": (2, 3)}),
    (INTERLEAVED, (3, 3), {"dilation": 4}),
    (TAPS, (4, 4), {"stride": 2, "padding": 1}),
    (TAPS, (3, 2), {"stride": (1, 3), "padding": (2, 0)}),
    (TAPS, (5, 3), {"stride": (3, 2), "padding": (4, 3), "dilation": (2, 1)}),
    (TAPS, (1, 3), {"stride": 2, "dilation": 3}),
    (KN2ROW, (5, 3), {"padding": (4, 3), "dilation": (1, 2)}),
    (KN2ROW, (1, 4), {"padding": (0, 2), "dilation": (3, 1)}),
    (KN2ROW, (3, 3), {"padding": (7, 2)}),
    (WINOGRAD1D, (3, 1), {"padding": (2, 0)}),
    (WINOGRAD1D, (3, 6), {"padding": (1, 5)}),
    (WINOGRAD_STRIDED, (4, 4), {"stride": 2, "padding": 1}),
    (WINOGRAD_STRIDED, (4, 4), {"stride": 2}),
    (WINOGRAD_STRIDED, (4, 4), {"stride": 2, "padding": (3, 2)}),
    (IM2COL, (2, 3), {"padding": (3, 5), "dilation": (2, 1)}),
    (IM2COL, (4, 4), {"stride": 2, "padding": 1}),
    (IM2COL, (3, 2), {"stride": (1, 3), "padding": (2, 0)}),
    (IM2COL, (5, 3), {"stride": (3, 2), "padding": (4, 3), "dilation": (2, 1)}),
    (IM2COL, (2, 3), {"stride": (4, 6), "padding": (1, 0), "dilation": (6, 4)}),
    (IM2COL, (1, 3), {"stride": 2, "dilation": 3}),
]


@pytest.mark.parametrize(("algorithm", "kernel", "options"), OTHERS, ids=lambda a: getattr(a, "name", None))
@pytest.mark.parametrize("layout", [CONTIGUOUS, CHANNELS_LAST], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("size", [(12, 16), (9, 13)])
@pytest.mark.parametrize("rows", [1, 10**6], ids=["in parts", "at once"])
def test_other_geometries_in_every_layout(
    algorithm: Algorithm,
    kernel: tuple[int, ...],
    options: dict[str, Any],
    layout: torch.memory_format,
    size: tuple[int, int],
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products, "FEWEST_ROWS", rows)
    for module, name in ((kn2row, "BLOCK"), (winograd1d, "BLOCK"), (winograd1d, "GRADIENT_BLOCK"), (blocks, "BLOCK")):
        monkeypatch.setattr(module, name, rows)  # with one row of kn2row's, some see nothing but padding
    agree(algorithm, *drawn((3, 4, *size), (6, 4, *kernel), layout, **options), **options)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("out_channels", [4, 8])
def test_groups_and_one_channel_each(groups: int, out_channels: int) -> None:
    options: dict[str, Any] = {"groups": groups, "stride": (2, 1), "padding": 1}
    agree(TAPS, *drawn((2, 4, 7, 9), (out_channels, 4 // groups, 3, 3), **options), **options)


@pytest.mark.parametrize(("channels", "strip"), [((2, 1), 16), ((3, 64), 2), ((20, 32), 4), ((300, 5), 2)])
def test_the_strip_is_shorter_with_more_channels(channels: tuple[int, int], strip: int) -> None:
    assert bands._strip(shape(x=(1, channels[0], 9, 9), w=(channels[1], channels[0], 3, 3))) == strip


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("algorithm", [TAPS, BANDS, WINOGRAD, WINOGRAD1D, WINOGRAD_STRIDED], ids=lambda a: a.name)
def test_the_number_of_threads_changes_rounding_only(algorithm: Algorithm, threads: int) -> None:
    options, kernel = SUITED[algorithm]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        agree(algorithm, *drawn((3, 8, 30, 30), (8, 8, *kernel), CHANNELS_LAST, **options), **options)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_a_view_with_gaps_is_convolved_as_it_looks(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    x = numbers(2, 4, 20, 20, seed=0)[:, :, ::2, 1:11]
    *_, w, b, _ = drawn((2, 4, 10, 10), (3, 4, *kernel), **options)
    ȳ = numbers(1, 3, 1, 1, seed=3).expand(F.conv2d(x, w, **options).shape)
    agree(algorithm, x, w, b, ȳ, **options)


#: A setting that suits: (options, kernel).
SUITED: dict[Algorithm, tuple[dict[str, Any], tuple[int, int]]] = {
    TAPS: ({"stride": 2, "padding": 1}, (4, 4)),
    POINTWISE: ({}, (1, 1)),
    BANDS: ({"padding": 2}, (5, 3)),
    WINOGRAD: ({"padding": 1}, (3, 3)),
    WINOGRAD1D: ({"padding": (1, 2)}, (3, 4)),
    WINOGRAD_STRIDED: ({"stride": 2, "padding": 1}, (4, 4)),
    KN2ROW: ({"padding": 2, "dilation": 2}, (5, 3)),
    INTERLEAVED: ({"padding": 2, "dilation": 2}, (3, 3)),
    IM2COL: ({"stride": 2, "padding": 1}, (3, 3)),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_no_images_give_weight_gradients_of_0(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    x, w, b = torch.empty(0, 4, 12, 12), torch.ones(6, 4, *kernel), torch.ones(6)
    ȳ = F.conv2d(x, w, b, **options)
    y, x̄, w̄ = three_directions(algorithm, x, w, b, ȳ, **options)
    assert (y.shape, x̄.shape) == (ȳ.shape, x.shape)
    assert torch.equal(w̄, torch.zeros_like(w))


#: Largest error beside the largest entry, with 64 channels.
ROUNDING = {WINOGRAD: 1e-4, INTERLEAVED: 1e-4, WINOGRAD1D: 1e-5, WINOGRAD_STRIDED: 1e-5}


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_rounding_in_float32(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    arrays = drawn((2, 64, 40, 40), (64, 64, *kernel), **options)
    exact = by_torch(*arrays, **options)
    for ours, theirs in zip(three_directions(algorithm, *(a.float() for a in arrays), **options), exact, strict=True):
        assert (ours - theirs).abs().max() < ROUNDING.get(algorithm, 2e-6) * theirs.abs().max()


@pytest.mark.parametrize("algorithm", [TAPS, POINTWISE, BANDS, IM2COL], ids=lambda a: a.name)
def test_rounding_in_bfloat16(algorithm: Algorithm) -> None:
    """A product is summed in float32; sums of products, tap by tap, are rounded to 8 bits each time."""
    options, kernel = SUITED[algorithm]
    arrays = [a.bfloat16() for a in drawn((2, 16, 20, 20), (16, 16, *kernel), **options)]
    for ours, theirs in zip(three_directions(algorithm, *arrays, **options), by_torch(*arrays, **options), strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours - theirs).abs().max() < (4e-3 if algorithm is IM2COL else 2e-2) * theirs.abs().max()


def test_pointwise_copies_nothing_that_is_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, _, ȳ = drawn((2, 4, 5, 7), (3, 4, 1, 1), CHANNELS_LAST)
    seen: list[int] = []
    mm = torch.mm

    def watched(a: Array, *rest: Array, **options: Any) -> Array:
        seen.append(a.data_ptr())
        return mm(a, *rest, **options)

    monkeypatch.setattr(torch, "mm", watched)
    this = ConvShape.of(x, w, None, 1, 0, 1, 1)
    POINTWISE.forward(x, w, None, this)
    POINTWISE.input_gradient(ȳ, w, this)
    assert seen == [x.data_ptr(), ȳ.data_ptr()]


@pytest.mark.parametrize("algorithm", [WINOGRAD, WINOGRAD1D, WINOGRAD_STRIDED], ids=lambda a: a.name)
def test_two_calls_give_the_same_bits(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    arrays = drawn((3, 16, 17, 17), (16, 16, *kernel), **options)
    once, again = (three_directions(algorithm, *arrays, **options) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_a_weights_gradient_lies_in_memory_as_the_weight_does(algorithm: Algorithm) -> None:
    """Or the optimizer would go through the two in different orders."""
    options, kernel = SUITED[algorithm]
    x, w, b, ȳ = drawn((2, 4, 12, 12), (5, 4, *kernel), CHANNELS_LAST, **options)
    assert three_directions(algorithm, x, w, b, ȳ, **options)[2].stride() == w.stride()


def test_rows_of_one_large_image_are_windowed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BLOCK", 4096)
    seen = [len(w) for _, _, w in bands._windows(torch.ones(1, 2, 64, 64), shape((1, 2, 64, 64), (1, 2, 7, 7), 3))]
    assert len(seen) > 8
    assert sum(seen) == 64 * 4


@pytest.mark.parametrize("algorithm", [WINOGRAD, WINOGRAD1D, WINOGRAD_STRIDED], ids=lambda a: a.name)
def test_inference_mode_leaves_nothing_behind(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    arrays = drawn((2, 16, 12, 12), (16, 16, *kernel), CHANNELS_LAST, **options)
    tiles.matrices.cache_clear()
    winograd1d._to_kernel_points.cache_clear()
    with torch.inference_mode():
        three_directions(algorithm, *arrays, **options)
    agree(algorithm, *arrays, **options)


def test_what_is_in_memory_reaches_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winograd's rows go on into what lies behind them: those products must be left out, and none be beyond the end."""
    for module in (winograd1d, blocks):
        monkeypatch.setattr(module, "scratch", lambda _, sizes, like: like.new_full(sizes, torch.nan))
    for sizes, kernel in (((2, 16, 10, 7), (16, 16, 3, 3)), ((1, 3, 5, 6), (4, 3, 3, 5))):
        agree(WINOGRAD1D, *drawn(sizes, kernel, CHANNELS_LAST, padding=1), padding=1)


def test_kernels_of_three_rows_and_one_column_see_every_pixel() -> None:
    """No columns are added then, so that the last pixel of the last image counts."""
    agree(WINOGRAD1D, *drawn((2, 3, 6, 5), (4, 3, 3, 1), CHANNELS_LAST, padding=(1, 0)), padding=(1, 0))


@pytest.mark.parametrize("algorithm", [WINOGRAD, WINOGRAD1D], ids=lambda a: a.name)
def test_nan_reaches_what_sees_it_and_no_other_image(algorithm: Algorithm) -> None:
    x, w, b, ȳ = drawn((3, 4, 9, 9), (5, 4, 3, 3), padding=1)
    x[1, 2, 0, 8] = torch.nan
    y, x̄, w̄ = three_directions(algorithm, x, w, b, ȳ, padding=1)
    assert y[1, :, :2, 7:].isnan().all()
    assert y[::2].isfinite().all()
    assert x̄.isfinite().all()
    assert w̄[:, 2, 1:, :2].isnan().all()
    assert w̄[:, [0, 1, 3]].isfinite().all()


@pytest.mark.parametrize("channels", [(8, 64), (64, 8)])
def test_blocks_of_one_axis_are_bounded_by_the_side_with_more_channels(channels: tuple[int, int]) -> None:
    this = shape(x=(1, channels[0], 64, 62), w=(channels[1], channels[0], 3, 3))
    row = 6 * 64 * 64 * 4  # bytes of V for a row of tiles
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert [tiles.stop - tiles.start for _, tiles in winograd1d._blocks(this, 4 * row)] == [4] * 4
        assert len(winograd1d._blocks(this, 10**12)) == 1
    finally:
        torch.set_num_threads(before)


def test_what_is_asked_for_beside_an_image_is_0() -> None:
    pixels = numbers(2, 3, 4, 5, seed=0)
    padded = F.pad(pixels, (0, 0, 6, 6, 6, 6))
    for down, across in (
        ((-2, 5), (-1, 6)),
        ((1, 2), (2, 4)),
        ((-5, -2), (0, 4)),
        ((4, 6), (-3, -1)),
        ((-6, 9), (4, 10)),
    ):
        expected = padded[:, down[0] + 6 : down[1] + 6, across[0] + 6 : across[1] + 6]
        assert torch.equal(blocks.zero_padded(pixels, slice(*down), slice(*across)), expected)


@pytest.mark.parametrize(
    ("by_mkl", "channels", "dtype", "tiles"),
    [
        (False, 64, torch.float32, 910),
        (True, 64, torch.float32, 455),
        (True, 64, torch.float64, 455),
        (False, 1024, torch.float32, 56),
        (True, 256, torch.float32, 256),
        (True, 512, torch.float32, 512),
        (True, 1024, torch.float32, 455),
    ],
)
def test_winograds_blocks_fit_a_cache_but_are_no_smaller_than_the_kernel(
    by_mkl: bool, channels: int, dtype: torch.dtype, tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "batches_by_mkl", lambda: by_mkl)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    this = shape(x=(1, channels, 4 * tiles * 3, 4), w=(channels, channels, 3, 3))
    found = blocks.tile_blocks(dataclasses.replace(this, dtype=dtype), 36 * channels)
    assert [rows.stop - rows.start for _, rows in found] == [tiles] * 3


@pytest.mark.parametrize("side", [31, 32, 33, 34, 35])
@pytest.mark.parametrize("block", [1, 90_000], ids=["a row of tiles", "some images"])
def test_with_a_stride_what_no_window_reaches_has_no_gradient(
    side: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what two blocks of rows reach has both their gradients."""
    monkeypatch.setattr(blocks, "BLOCK", block)
    for module in (tiles, blocks, winograd_strided):
        monkeypatch.setattr(module, "scratch", lambda _, sizes, like: like.new_full(sizes, torch.nan))
    monkeypatch.setattr(winograd_strided, "output", lambda sizes, like: like.new_full(sizes, torch.nan))
    for padding in (0, 1):
        agree(
            WINOGRAD_STRIDED,
            *drawn((5, 3, side, side), (4, 3, 4, 4), stride=2, padding=padding),
            stride=2,
            padding=padding,
        )
