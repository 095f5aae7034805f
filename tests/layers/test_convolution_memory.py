"""What the ways to convolve read and leave in memory: gaps, arguments, layouts, NaN, and blocks of bounded size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.core.backend import gemm
from photomend.layers.convolution import im2col, transforms, winograd, winograd_rows
from photomend.layers.convolution.choose import ALGORITHMS

from .convolving import (
    CHANNELS_LAST,
    CONTIGUOUS,
    SUITED,
    WINOGRADS,
    agree,
    all_directions,
    drawn,
    in_blocks_of,
    numbers,
)
from .shapes import problem


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_view_with_gaps_is_convolved_as_it_looks(name: str) -> None:
    options, kernel = SUITED[name]
    x = numbers(2, 4, 20, 20, seed=0)[:, :, ::2, 1:11]
    *_, w, b, _ = drawn((2, 4, 10, 10), (3, 4, *kernel), **options)
    ȳ = numbers(1, 3, 1, 1, seed=3).expand(F.conv2d(x, w, **options).shape)
    agree(name, x, w, b, ȳ, **options)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_weights_with_gaps_are_read_as_they_look(name: str) -> None:
    options, kernel = SUITED[name]
    x, w, b, ȳ = drawn((2, 4, 10, 10), (6, 4, *kernel), **options)
    agree(name, x, w.contiguous(memory_format=CHANNELS_LAST), b, ȳ, **options)
    agree(name, x[:, ::2], w[::2, ::2], None, ȳ[:, ::2], **options)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_arguments_stay_as_they_are(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((2, 4, 10, 10), (6, 4, *kernel), CHANNELS_LAST, **options)
    kept = [a.clone() for a in arrays]
    all_directions(name, *arrays, **options)
    assert all(torch.equal(one, other) for one, other in zip(arrays, kept, strict=True))


@pytest.mark.parametrize("layout", [CONTIGUOUS, CHANNELS_LAST], ids=["contiguous", "channels last"])
def test_one_tap_copies_nothing_that_is_channels_last(layout: torch.memory_format) -> None:
    x, w, b, ȳ = drawn((2, 4, 5, 7), (3, 4, 1, 1), layout)
    seen: list[int] = []
    product, product_over_rows = gemm.product, gemm.product_over_rows

    def watched(a: Array, *rest: Any) -> Array:
        seen.append(a.data_ptr())
        return product(a, *rest)

    def watched_over_rows(a: Array, c: Array) -> Array:
        seen.extend([c.data_ptr(), a.data_ptr()])
        return product_over_rows(a, c)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(im2col, "product", watched)
        monkeypatch.setattr(im2col, "product_over_rows", watched_over_rows)
        agree("im2col", x, w, b, ȳ)
    given = [x.data_ptr(), ȳ.data_ptr(), x.data_ptr(), ȳ.data_ptr()]
    assert [a == b for a, b in zip(seen, given, strict=True)] == [layout == CHANNELS_LAST] * 4


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "winograd-rows"])
@pytest.mark.parametrize("out_channels", [3, 5])
@pytest.mark.parametrize("kernel", [(1, 1), None])
def test_a_weights_gradient_lies_in_memory_as_the_weight_does(
    name: str, out_channels: int, kernel: tuple[int, int] | None
) -> None:
    """Or the optimizer would go through the two in different orders."""
    options, suited = SUITED[name]
    if name == "winograd":
        kernel = suited
    elif kernel is None:
        options, kernel = {}, (3, 3)
    x, w, b, ȳ = drawn((2, 4, 12, 12), (out_channels, 4, *kernel), CHANNELS_LAST, **options)
    assert all_directions(name, x, w, b, ȳ, **options)[2].stride() == w.stride()


@pytest.mark.parametrize("name", WINOGRADS)
def test_inference_mode_leaves_nothing_behind(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((2, 16, 12, 12), (16, 16, *kernel), CHANNELS_LAST, **options)
    transforms.matrices.cache_clear()
    transforms.tile_matrices.cache_clear()
    with torch.inference_mode():
        all_directions(name, *arrays, **options)
    agree(name, *arrays, **options)


def filled_with_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new memory hold no number."""

    def new_full(like: Array, *sizes: Any, **options: Any) -> Array:
        shape = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        return like.new_full(shape, torch.nan, **options)

    monkeypatch.setattr(torch.Tensor, "new_empty", new_full)


@pytest.mark.parametrize("block", [1, 20_000, 10**9])
def test_what_is_in_memory_reaches_no_result(block: int) -> None:
    """The rows of winograd-rows go on into what lies behind them: those products must be left out, and none be beyond
    the end."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_blocks_of(block, monkeypatch)
        filled_with_nan(monkeypatch)
        for x, w in (((2, 16, 10, 7), (16, 16, 3, 3)), ((1, 3, 5, 6), (4, 3, 3, 5)), ((3, 3, 2, 9), (2, 3, 3, 3))):
            for name, algorithm in ALGORITHMS.items():
                if algorithm.suits(problem(x, w)):
                    agree(name, *drawn(x, w, CHANNELS_LAST, padding=1), padding=1)


@pytest.mark.parametrize("name", ["taps", "im2col"])
@pytest.mark.parametrize("side", [31, 32, 33, 34, 35])
@pytest.mark.parametrize("block", [1, 90_000], ids=["a row", "some images"])
def test_with_a_stride_what_no_window_reaches_has_no_gradient(
    name: str, side: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what two blocks of rows reach has both their gradients."""
    in_blocks_of(block, monkeypatch)
    filled_with_nan(monkeypatch)
    for padding in (0, 1):
        agree(name, *drawn((5, 3, side, side), (4, 3, 4, 4), stride=2, padding=padding), stride=2, padding=padding)


@pytest.mark.parametrize("name", WINOGRADS)
def test_nan_reaches_what_sees_it_and_no_other_image(name: str) -> None:
    x, w, b, ȳ = drawn((3, 4, 9, 9), (5, 4, 3, 3), padding=1)
    x[1, 2, 0, 8] = torch.nan
    y, x̄, *w̄ = all_directions(name, x, w, b, ȳ, padding=1)
    assert y[1, :, :2, 7:].isnan().all()
    assert y[::2].isfinite().all()
    assert x̄.isfinite().all()
    for each in w̄:
        assert each[:, 2, :2, 1:].isnan().all()
        assert each[:, 2, 2].isfinite().all()
        assert each[:, 2, :, 0].isfinite().all()
        assert each[:, [0, 1, 3]].isfinite().all()


@pytest.mark.parametrize("channels", [(8, 64), (64, 8)])
def test_blocks_of_rows_are_bounded_by_the_side_with_more_channels(
    channels: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    this = problem(x=(1, channels[0], 64, 62), w=(channels[1], channels[0], 3, 3))
    row = 6 * 64 * 64 * 4  # bytes of V for a row of tiles
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(winograd_rows, "BLOCK", 2 * row)
    assert [rows.stop - rows.start for _, rows in winograd_rows._blocks(this)] == [4] * 4
    monkeypatch.setattr(winograd_rows, "BLOCK", 10**12)
    assert len(winograd_rows._blocks(this)) == 1


@pytest.mark.parametrize(
    ("channels", "dtype", "tiles"),
    [
        ((64, 64), torch.float32, 455),
        ((64, 32), torch.float32, 455),
        ((32, 64), torch.float32, 455),
        ((64, 64), torch.float64, 227),
        ((256, 256), torch.float32, 256),
        ((512, 512), torch.float32, 512),
        ((1024, 1024), torch.float32, 512),
    ],
)
def test_winograds_blocks_fit_a_cache_but_are_no_smaller_than_the_kernel(
    channels: tuple[int, int], dtype: torch.dtype, tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    this = problem(x=(1, channels[0], 4 * tiles * 3, 4), w=(channels[1], channels[0], 3, 3), dtype=dtype)
    assert [rows.stop - rows.start for _, rows in winograd._blocks(this)] == [tiles] * 3


@pytest.mark.parametrize(("dtype", "rows"), [(torch.float32, 8), (torch.bfloat16, 16)])
def test_the_matrix_of_im2col_is_made_in_blocks(dtype: torch.dtype, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(im2col, "BLOCK", 8 * 30 * 6 * 16 * 4 + 10)  # eight rows of 30 outputs, 6 taps, float32
    this = problem(x=(1, 16, 32, 30), w=(4, 16, 3, 2), padding=(1, 0), dtype=dtype)
    assert this.out == (32, 29)
    assert [down.stop - down.start for _, down in im2col._blocks(this)] == [rows] * (32 // rows)
