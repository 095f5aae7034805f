"""The ways to convolve: each in blocks and layouts of every kind gives the convolution and its adjoints."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.core.backend import gemm
from photomend.layers.convolution import Problem, blocks, im2col, transforms, winograd, winograd_rows
from photomend.layers.convolution.choose import ALGORITHMS

from .shapes import problem

CONTIGUOUS, CHANNELS_LAST = torch.contiguous_format, torch.channels_last
WINOGRADS = ["winograd", "winograd-rows"]


def channels_last(images: Array) -> Array:
    return images.permute(0, 2, 3, 1)


def all_directions(name: str, x: Array, w: Array, b: Array | None, ȳ: Array, **options: Any) -> list[Array]:
    """y, x̄ and, if the algorithm has it, w̄: images (N, C, H, W) as the layer has them."""
    algorithm = ALGORITHMS[name]
    this = Problem.of(x, w, b, **({"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options))
    assert algorithm.suits(this)
    images = algorithm.forward(channels_last(x), w, b, this), algorithm.input_gradient(channels_last(ȳ), w, this)
    found = [a.permute(0, 3, 1, 2) for a in images]
    if hasattr(algorithm, "weight_gradient"):
        found.append(algorithm.weight_gradient(channels_last(x), channels_last(ȳ), this))
    return found


def by_torch(name: str, x: Array, w: Array, b: Array | None, ȳ: Array, **options: Any) -> list[Array]:
    """The same in float64, as many directions as the algorithm has."""
    x, w = (a.double().clone().requires_grad_() for a in (x, w))
    y = F.conv2d(x, w, None if b is None else b.double(), **options)
    x̄, w̄ = torch.autograd.grad(y, (x, w), ȳ.double())
    return [y.detach(), x̄, w̄] if hasattr(ALGORITHMS[name], "weight_gradient") else [y.detach(), x̄]


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


def agree(name: str, *arrays: Any, **options: Any) -> None:
    ours, theirs = all_directions(name, *arrays, **options), by_torch(name, *arrays, **options)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def in_blocks_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every algorithm work on so many bytes at a time."""
    for module in (im2col, winograd, winograd_rows):
        monkeypatch.setattr(module, "BLOCK", size)
    monkeypatch.setattr(winograd, "FEWEST_TILES", 1)


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


#: A setting that suits: (options, kernel).
SUITED: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "taps": ({"stride": 2, "padding": 1}, (4, 4)),
    "im2col": ({"stride": 2, "padding": 1}, (3, 3)),
    "winograd": ({"padding": 1}, (3, 3)),
    "winograd-rows": ({"padding": (1, 2)}, (3, 4)),
}


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


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_images_give_weight_gradients_of_0(name: str) -> None:
    options, kernel = SUITED[name]
    x, w, b = torch.empty(0, 4, 12, 12), torch.ones(6, 4, *kernel), torch.ones(6)
    ȳ = F.conv2d(x, w, b, **options)
    y, x̄, *w̄ = all_directions(name, x, w, b, ȳ, **options)
    assert (y.shape, x̄.shape) == (ȳ.shape, x.shape)
    assert all(torch.equal(each, torch.zeros_like(w)) for each in w̄)


#: Largest error beside the largest entry, with 64 channels.
ROUNDING = {"winograd": 1e-4, "winograd-rows": 1e-5}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_rounding_in_float32(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((2, 64, 40, 40), (64, 64, *kernel), **options)
    exact = by_torch(name, *arrays, **options)
    for ours, theirs in zip(all_directions(name, *(a.float() for a in arrays), **options), exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < ROUNDING.get(name, 2e-6) * theirs.abs().max()


@pytest.mark.parametrize("name", ["taps", "im2col"])
@pytest.mark.parametrize("stride", [1, 2])
def test_rounding_in_bfloat16(name: str, stride: int) -> None:
    """A product is summed in float32; what taps give is rounded to 8 bits each time."""
    limit = 4e-3 if name == "im2col" else 8e-3
    options: dict[str, Any] = {"stride": stride, "padding": 1}
    arrays = [a.bfloat16() for a in drawn((2, 16, 20, 20), (16, 16, 3, 3), **options)]
    exact = by_torch(name, *arrays, **options)
    for ours, theirs in zip(all_directions(name, *arrays, **options), exact, strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours - theirs).abs().max() < limit * theirs.abs().max()


def test_bfloat16_in_blocks_is_summed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight gradient whose blocks are added up in bfloat16 would lose a bit with each."""
    in_blocks_of(1, monkeypatch)
    arrays = [a.bfloat16() for a in drawn((8, 16, 40, 40), (16, 16, 3, 3), padding=1)]
    (*_, ours), (*_, theirs) = (f("im2col", *arrays, padding=1) for f in (all_directions, by_torch))
    assert (ours - theirs).abs().max() < 4e-3 * theirs.abs().max()


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


@pytest.mark.parametrize("name", ALGORITHMS)
def test_two_calls_give_the_same_bits(name: str) -> None:
    options, kernel = SUITED[name]
    arrays = drawn((3, 16, 17, 17), (16, 16, *kernel), **options)
    once, again = (all_directions(name, *arrays, **options) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


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


def test_kernels_of_three_rows_and_one_column_see_every_pixel() -> None:
    """No columns are added then, so that the last pixel of the last image counts."""
    agree("winograd-rows", *drawn((2, 3, 6, 5), (4, 3, 3, 1), CHANNELS_LAST, padding=(1, 0)), padding=(1, 0))


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
