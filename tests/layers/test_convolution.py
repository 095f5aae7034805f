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
    im2col,
    plan,
    planar,
    planes,
    planner,
    products,
    tiles,
    winograd,
)
from photomend.layers.convolution.bands import BANDS
from photomend.layers.convolution.im2col import IM2COL
from photomend.layers.convolution.interleaved import INTERLEAVED
from photomend.layers.convolution.planes import PLANES
from photomend.layers.convolution.pointwise import POINTWISE
from photomend.layers.convolution.taps import TAPS
from photomend.layers.convolution.winograd import WINOGRAD

CONTIGUOUS, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def shape(
    x: tuple[int, ...] = (2, 16, 12, 12), w: tuple[int, ...] = (16, 16, 3, 3), padding: int = 1, **options: Any
) -> ConvShape:
    settings = {"stride": 1, "dilation": 1, "groups": 1} | options
    return ConvShape.of(torch.empty(x), torch.empty(w), None, padding=padding, **settings)


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


@pytest.mark.parametrize("algorithm", [TAPS, BANDS, PLANES, WINOGRAD, IM2COL], ids=lambda a: a.name)
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
    for module in (winograd, bands, planes, planar, im2col):
        monkeypatch.setattr(module, "BLOCK", block)
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
    (PLANES, (5, 3), {"padding": (4, 3), "dilation": (1, 2)}),
    (PLANES, (1, 4), {"padding": (0, 2), "dilation": (3, 1)}),
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
@pytest.mark.parametrize("algorithm", [TAPS, BANDS, WINOGRAD], ids=lambda a: a.name)
def test_the_number_of_threads_changes_rounding_only(algorithm: Algorithm, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        agree(algorithm, *drawn((3, 8, 30, 30), (8, 8, 3, 3), CHANNELS_LAST, padding=1), padding=1)
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
    PLANES: ({"padding": 2, "dilation": 2}, (5, 3)),
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
ROUNDING = {TAPS: 2e-6, POINTWISE: 2e-6, BANDS: 2e-6, PLANES: 2e-6, WINOGRAD: 1e-4, INTERLEAVED: 1e-4, IM2COL: 2e-6}


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_rounding_in_float32(algorithm: Algorithm) -> None:
    options, kernel = SUITED[algorithm]
    arrays = drawn((2, 64, 40, 40), (64, 64, *kernel), **options)
    exact = by_torch(*arrays, **options)
    for ours, theirs in zip(three_directions(algorithm, *(a.float() for a in arrays), **options), exact, strict=True):
        assert (ours - theirs).abs().max() < ROUNDING[algorithm] * theirs.abs().max()


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


def test_two_calls_give_the_same_bits() -> None:
    x, w, b, ȳ = (
        numbers(3, 16, 17, 17, seed=0),
        numbers(16, 16, 3, 3, seed=1),
        numbers(16, seed=2),
        numbers(3, 16, 17, 17, seed=3),
    )
    once, again = (three_directions(WINOGRAD, x, w, b, ȳ, padding=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules on every processor."""
    monkeypatch.setattr(planner, "has_onednn", lambda: False)


@pytest.mark.parametrize(
    "other",
    [
        shape(x=(2, 8, 12, 12), w=(16, 8, 3, 3), stride=2),
        shape(padding=3, dilation=2),
        shape(w=(16, 8, 3, 3), groups=2),
        shape(w=(16, 16, 2, 2), padding=0),
        shape(padding=3),
    ],
    ids=["stride, few", "padding and dilation", "groups", "2x2", "padding"],
)
def test_what_nothing_else_can_do_goes_tap_by_tap(other: ConvShape) -> None:
    assert set(vars(plan(other)).values()) == {TAPS}
    with planner.only(WINOGRAD):
        assert plan(other).forward is TAPS


@pytest.mark.parametrize(
    ("this", "chosen"),
    [
        (shape(), [WINOGRAD] * 3),
        (shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), [BANDS, TAPS, IM2COL]),
        (shape(x=(2, 16, 12, 12), w=(11, 16, 3, 3)), [TAPS, BANDS, IM2COL]),
        (shape(x=(2, 3, 12, 12), w=(64, 3, 3, 3)), [BANDS, PLANES, IM2COL]),
        (shape(x=(2, 64, 12, 12), w=(3, 64, 5, 5)), [PLANES, BANDS, IM2COL]),
        (shape(x=(2, 2, 12, 12), w=(1, 2, 7, 7), padding=3), [BANDS] * 3),
        (shape(x=(2, 2, 12, 12), w=(1, 2, 7, 7), padding=3, stride=2), [TAPS] * 3),
        (shape(w=(16, 16, 1, 1), padding=0, stride=2), [POINTWISE] * 3),
        (shape(x=(2, 32, 12, 12), w=(32, 32, 3, 3), padding=2, dilation=2), [INTERLEAVED] * 3),
        (shape(padding=2, dilation=2), [TAPS] * 3),
        (shape(stride=2), [IM2COL] * 3),
        (dataclasses.replace(shape(padding=2, dilation=2), dtype=torch.bfloat16), [IM2COL] * 3),
        (dataclasses.replace(shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), dtype=torch.bfloat16), [BANDS, TAPS, IM2COL]),
    ],
    ids=[
        *(
            "3x3",
            "few in",
            "few out",
            "very few in",
            "very few out",
            "7x7",
            "7x7 stride",
            "1x1",
            "dilation",
            "dilation, few",
        ),
        *("stride", "bfloat16", "bfloat16, few"),
    ],
)
def test_the_rules(this: ConvShape, chosen: list[Algorithm]) -> None:
    assert list(vars(plan(this)).values()) == chosen


@pytest.mark.parametrize(
    ("this", "chosen"),
    [
        (shape(), [IM2COL] * 3),
        (shape(x=(2, 16, 16, 16)), [IM2COL] * 3),
        (shape(x=(2, 32, 16, 16), w=(12, 32, 3, 3)), [PLANES, IM2COL, IM2COL]),
        (shape(x=(2, 128, 16, 16), w=(128, 128, 5, 5)), [IM2COL] * 3),
        (shape(x=(2, 128, 16, 16), w=(128, 128, 3, 3)), [WINOGRAD] * 3),
        (shape(x=(2, 128, 14, 14), w=(128, 128, 3, 3)), [IM2COL] * 3),
        (shape(x=(2, 32, 12, 12), w=(32, 32, 3, 3), padding=2, dilation=2), [IM2COL] * 3),
        (shape(x=(2, 11, 12, 12), w=(16, 11, 3, 3)), [BANDS, TAPS, IM2COL]),
        (shape(w=(16, 8, 3, 3), groups=2), [TAPS] * 3),
        (dataclasses.replace(shape(), dtype=torch.float64), [WINOGRAD] * 3),
    ],
    ids=["small", "few", "few out", "5x5", "many", "many, small", "dilation", "few in", "groups", "float64"],
)
def test_where_onednn_multiplies_one_large_product_is_preferred(
    this: ConvShape, chosen: list[Algorithm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "has_onednn", lambda: True)
    assert list(vars(plan(this)).values()) == chosen


def test_compiled_transforms_are_preferred_for_many_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "has_onednn", lambda: True)
    monkeypatch.setattr(planner, "compiles_functions", lambda: True)
    many, few = (shape(x=(2, c, 36, 36), w=(c, c, 3, 3)) for c in (64, 32))
    assert plan(many).forward is WINOGRAD
    assert plan(few).forward is IM2COL


def test_elsewhere_only_what_needs_no_tiles() -> None:
    for this, chosen in ((shape(), TAPS), (shape(w=(16, 16, 1, 1), padding=0), POINTWISE)):
        assert set(vars(planner.by_rule(dataclasses.replace(this, device="cuda"))).values()) == {chosen}


def test_only_ends_with_its_context() -> None:
    with planner.only(TAPS):
        assert plan(shape()).weight_gradient is TAPS
    assert plan(shape()).weight_gradient is WINOGRAD


def test_tuning_measures_a_shape_once_and_keeps_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def seconds(this: ConvShape) -> dict[str, dict[Algorithm, float]]:
        measured.append(this)
        directions = ("forward", "input_gradient", "weight_gradient")
        return {d: {TAPS: 1.0, WINOGRAD: 2.0 if d == "forward" else 0.5} for d in directions}

    monkeypatch.setattr(planner, "seconds", seconds)
    try:
        with planner.tuning():
            first, second = plan(shape()), plan(shape())
        assert measured == [shape()]
        assert first is second is plan(shape())
        assert (first.forward, first.input_gradient, first.weight_gradient) == (TAPS, WINOGRAD, WINOGRAD)
        assert planner.tuned() == ["3×3, 16→16 at 12×12, ×2, padding (1, 1): taps, winograd, winograd"]
    finally:
        planner.forget()
    assert plan(shape()).forward is WINOGRAD


def test_measuring_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    found = planner.seconds(shape(x=(1, 2, 5, 5), w=(2, 2, 3, 3)), repeats=1)
    assert torch.equal(torch.rand(3), expected)
    assert all(set(by_name) == {TAPS, BANDS, PLANES, WINOGRAD, IM2COL} for by_name in found.values())
    assert all(t > 0 for by_name in found.values() for t in by_name.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_a_weights_gradient_lies_in_memory_as_the_weight_does(algorithm: Algorithm) -> None:
    """Or the optimizer would go through the two in different orders."""
    kernel = (1, 1) if algorithm is POINTWISE else (3, 3)
    dilation = 2 if algorithm is INTERLEAVED else 1
    x, w, b, ȳ = drawn((2, 4, 9, 9), (5, 4, *kernel), CHANNELS_LAST, dilation=dilation)
    assert three_directions(algorithm, x, w, b, ȳ, dilation=dilation)[2].stride() == w.stride()


def test_rows_of_one_large_image_are_windowed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BLOCK", 4096)
    seen = [len(w) for _, _, w in bands._windows(torch.ones(1, 2, 64, 64), shape((1, 2, 64, 64), (1, 2, 7, 7), 3))]
    assert len(seen) > 8
    assert sum(seen) == 64 * 4


def test_inference_mode_leaves_nothing_behind() -> None:
    arrays = drawn((2, 16, 12, 12), (16, 16, 3, 3), CHANNELS_LAST, padding=1)
    tiles.matrices.cache_clear()
    with torch.inference_mode():
        three_directions(WINOGRAD, *arrays, padding=1)
    agree(WINOGRAD, *arrays, padding=1)
