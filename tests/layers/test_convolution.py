"""The ways to convolve: each in blocks and layouts of every kind gives the convolution and its adjoints."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core.backend import gemm
from photomend.layers.convolution import blocks
from photomend.layers.convolution.choose import ALGORITHMS

from .convolving import (
    CHANNELS_LAST,
    CONTIGUOUS,
    SUITED,
    agree,
    all_directions,
    drawn,
    in_blocks_of,
    numbers,
)
from .shapes import problem


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("layout", [CONTIGUOUS, CHANNELS_LAST], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("block", [1, 20_000, 4 * 2**20])
@pytest.mark.parametrize("size", [(12, 16), (9, 22), (3, 5)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 1)])
def test_blocks_and_layouts_change_nothing(
    name: str,
    layout: torch.memory_format,
    block: int,
    size: tuple[int, int],
    padding: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One row of tiles, some images, or everything at once; and rows of matrices one after the other, or in parts.
    in_blocks_of(block, monkeypatch)
    monkeypatch.setattr(gemm, "FEWEST_ROWS", block)
    agree(name, *drawn((5, 4, *size), (6, 4, 3, 3), layout, padding=padding), padding=padding)


#: Settings for which Winograd's tiles aren't made, and what the general ways do with a stride and a dilation.
OTHERS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    *(
        (name, kernel, options)
        for name in ("taps", "im2col")
        for kernel, options in (
            ((1, 1), {}),
            ((1, 1), {"stride": (2, 3)}),
            ((1, 1), {"padding": (2, 1)}),
            ((1, 3), {"stride": 2, "dilation": 3}),
            ((1, 4), {"padding": (0, 2), "dilation": (3, 1)}),
            ((2, 3), {"padding": (3, 5), "dilation": (2, 1)}),
            ((2, 3), {"stride": (4, 6), "padding": (1, 0), "dilation": (6, 4)}),
            ((3, 2), {"stride": (1, 3), "padding": (2, 0)}),
            ((3, 3), {"padding": (7, 2)}),
            ((3, 3), {"dilation": 2, "padding": 2}),
            ((3, 3), {"dilation": (1, 3), "padding": (2, 3)}),
            ((3, 3), {"dilation": 4}),
            ((4, 4), {"stride": 2, "padding": 1}),
            ((4, 4), {"stride": 2, "padding": (3, 2)}),
            ((5, 3), {"padding": (4, 3), "dilation": (1, 2)}),
            ((5, 3), {"stride": (3, 2), "padding": (4, 3), "dilation": (2, 1)}),
        )
    ),
    ("winograd-rows", (3, 1), {"padding": (2, 0)}),
    ("winograd-rows", (3, 6), {"padding": (1, 5)}),
]


@pytest.mark.parametrize(("name", "kernel", "options"), OTHERS)
@pytest.mark.parametrize("layout", [CONTIGUOUS, CHANNELS_LAST], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("size", [(12, 16), (9, 13)])
@pytest.mark.parametrize("channels", [(4, 6), (6, 4)])
@pytest.mark.parametrize("rows", [1, 10**6], ids=["in parts", "at once"])
def test_other_geometries_in_every_layout(
    name: str,
    kernel: tuple[int, ...],
    options: dict[str, Any],
    layout: torch.memory_format,
    size: tuple[int, int],
    channels: tuple[int, int],
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gemm, "FEWEST_ROWS", rows)
    in_blocks_of(rows, monkeypatch)
    c, o = channels
    agree(name, *drawn((3, c, *size), (o, c, *kernel), layout, **options), **options)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("out_channels", [4, 8])
def test_groups_and_one_channel_each(groups: int, out_channels: int) -> None:
    options: dict[str, Any] = {"groups": groups, "stride": (2, 1), "padding": 1}
    agree("taps", *drawn((2, 4, 7, 9), (out_channels, 4 // groups, 3, 3), **options), **options)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize(
    "other",
    [
        {"stride": 2},
        {"stride": (1, 2)},
        {"dilation": 2},
        {"dilation": (1, 2)},
        {"groups": 2, "w": (16, 8, 3, 3)},
        {"w": (16, 16, 2, 2)},
        {"w": (16, 16, 3, 2)},
        {"w": (16, 16, 2, 3)},
        {"padding": 3},
        {"padding": (0, 3)},
        {"padding": (3, 0)},
        {"dtype": torch.bfloat16},
        {},
    ],
    ids=str,
)
def test_what_suits(name: str, other: dict[str, Any]) -> None:
    suits = {"taps": True, "im2col": "groups" not in other}
    plain = {"stride", "dilation", "groups", "dtype"}.isdisjoint(other)
    kernel, padding = other.get("w", (16, 16, 3, 3))[2:], other.get("padding", 1)
    suits["winograd"] = plain and kernel == (3, 3) and padding == 1
    suits["winograd-rows"] = plain and kernel[0] == 3 and padding == 1
    assert ALGORITHMS[name].suits(problem(**other)) == suits[name]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_number_of_threads_changes_rounding_only(name: str, threads: int) -> None:
    options, kernel = SUITED[name]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        agree(name, *drawn((3, 8, 30, 30), (8, 8, *kernel), CHANNELS_LAST, **options), **options)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_images_give_weight_gradients_of_0(name: str) -> None:
    options, kernel = SUITED[name]
    x, w, b = torch.empty(0, 4, 12, 12), torch.ones(6, 4, *kernel), torch.ones(6)
    ȳ = F.conv2d(x, w, b, **options)
    y, x̄, *w̄ = all_directions(name, x, w, b, ȳ, **options)
    assert (y.shape, x̄.shape) == (ȳ.shape, x.shape)
    assert all(torch.equal(each, torch.zeros_like(w)) for each in w̄)


def test_kernels_of_three_rows_and_one_column_see_every_pixel() -> None:
    """No columns are added then, so that the last pixel of the last image counts."""
    agree("winograd-rows", *drawn((2, 3, 6, 5), (4, 3, 3, 1), CHANNELS_LAST, padding=(1, 0)), padding=(1, 0))


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
        assert torch.equal(blocks.zero_padded(pixels[None], slice(*down), slice(*across)), expected[None])


@pytest.mark.parametrize("images", [0, 1, 3, 7])
@pytest.mark.parametrize("rows", [1, 4, 10])
@pytest.mark.parametrize("most", [0, 1, 3, 4, 8, 25, 1000])
def test_blocks_hold_every_row_once_and_no_more_than_they_may(images: int, rows: int, most: int) -> None:
    found = blocks.blocks(images, rows, most)
    cells = [(i, r) for these, down in found for i in range(images)[these] for r in range(rows)[down]]
    assert cells == [(i, r) for i in range(images) for r in range(rows)]
    sizes = [(these.stop - these.start) * (down.stop - down.start) for these, down in found]
    assert all(0 < size <= max(1, most) for size in sizes)
    if most >= rows:
        fewest, unit = -(-images // (most // rows)), rows
    else:
        fewest, unit = images * -(-rows // max(1, most)), 1
    assert len(sizes) == fewest
    assert not sizes or max(sizes) - min(sizes) <= unit


def test_a_problem_in_words() -> None:
    assert str(problem()) == "3×3, 16→16 at 12×12, ×2, padding (1, 1)"
    other = problem((1, 4, 9, 8), (6, 2, 5, 3), 2, stride=(2, 1), dilation=(1, 2), groups=2, dtype=torch.float64)
    assert str(other) == ("5×3, 4→6 at 9×8, ×1, stride (2, 1), padding (2, 2), dilation (1, 2), groups 2, float64")


def test_the_adjoint_problem_gives_back_the_input() -> None:
    this = problem((2, 3, 9, 8), (4, 3, 3, 2), (1, 0), dilation=(2, 3))
    that = this.adjoint()
    assert (that.size, that.out, that.channels, that.out_channels) == (this.out, this.size, 4, 3)
    assert that.padding == (3, 3)
    assert that.adjoint() == this
