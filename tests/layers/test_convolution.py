"""The ways to convolve: each in blocks and layouts of every kind, and the planner that chooses among them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.layers.convolution import ALGORITHMS, Algorithm, ConvShape, plan, planner, winograd
from photomend.layers.convolution.taps import TAPS
from photomend.layers.convolution.winograd import WINOGRAD

CONTIGUOUS, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def shape(
    x: tuple[int, ...] = (2, 16, 12, 12), w: tuple[int, ...] = (16, 16, 3, 3), padding: int = 1, **options: Any
) -> ConvShape:
    settings = {"stride": 1, "dilation": 1, "groups": 1} | options
    return ConvShape.of(torch.empty(x), torch.empty(w), None, padding=padding, **settings)


def three_directions(algorithm: Algorithm, x: Array, w: Array, b: Array, ȳ: Array, padding: Any) -> tuple[Array, ...]:
    this = ConvShape.of(x, w, b, 1, padding, 1, 1)
    return (
        algorithm.forward(x, w, b, this),
        algorithm.input_gradient(ȳ, w, this),
        algorithm.weight_gradient(x, ȳ, this),
    )


def by_torch(x: Array, w: Array, b: Array, ȳ: Array, padding: Any) -> tuple[Array, ...]:
    x, w, b = (a.double().clone().requires_grad_() for a in (x, w, b))
    y = F.conv2d(x, w, b, padding=padding)
    return (y.detach(), *torch.autograd.grad(y, (x, w), ȳ.double()))


def numbers(*sizes: int, seed: int, layout: torch.memory_format = CONTIGUOUS) -> Array:
    drawn = torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.contiguous(memory_format=layout) if len(sizes) == 4 else drawn


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
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
    monkeypatch.setattr(winograd, "BLOCK", block)  # one row of tiles, some images, or everything at once
    x, w, b = numbers(5, 4, *size, seed=0, layout=layout), numbers(6, 4, 3, 3, seed=1), numbers(6, seed=2)
    out = (size[0] + 2 * padding[0] - 2, size[1] + 2 * padding[1] - 2)
    ȳ = numbers(5, 6, *out, seed=3, layout=layout)
    for ours, theirs in zip(
        three_directions(algorithm, x, w, b, ȳ, padding), by_torch(x, w, b, ȳ, padding), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_a_view_with_gaps_is_convolved_as_it_looks() -> None:
    x = numbers(2, 4, 20, 20, seed=0)[:, :, ::2, 1:11]
    w, b, ȳ = numbers(3, 4, 3, 3, seed=1), numbers(3, seed=2), numbers(1, 3, 1, 1, seed=3).expand(2, 3, 10, 10)
    for ours, theirs in zip(three_directions(WINOGRAD, x, w, b, ȳ, 1), by_torch(x, w, b, ȳ, 1), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_winograd_in_float32_is_within_one_in_ten_thousand_of_float64() -> None:
    x, w, b, ȳ = (
        numbers(2, 64, 40, 40, seed=0),
        numbers(64, 64, 3, 3, seed=1),
        numbers(64, seed=2),
        numbers(2, 64, 40, 40, seed=3),
    )
    exact = by_torch(x, w, b, ȳ, 1)
    rounded = three_directions(WINOGRAD, x.float(), w.float(), b.float(), ȳ.float(), 1)
    for ours, theirs in zip(rounded, exact, strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_two_calls_give_the_same_bits() -> None:
    x, w, b, ȳ = (
        numbers(3, 16, 17, 17, seed=0),
        numbers(16, 16, 3, 3, seed=1),
        numbers(16, seed=2),
        numbers(3, 16, 17, 17, seed=3),
    )
    once, again = (three_directions(WINOGRAD, x, w, b, ȳ, 1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize(
    "other",
    [
        shape(stride=2),
        shape(dilation=2),
        shape(w=(16, 8, 3, 3), groups=2),
        shape(w=(16, 16, 1, 1), padding=0),
        shape(padding=3),
    ],
    ids=["stride", "dilation", "groups", "1x1", "padding"],
)
def test_what_winograd_cannot_do_goes_tap_by_tap(other: ConvShape) -> None:
    assert not WINOGRAD.suits(other)
    assert plan(other).forward is TAPS
    with planner.only(WINOGRAD):
        assert plan(other).forward is TAPS


def test_the_rules_take_winograd_from_some_channels_on() -> None:
    assert {a.name for a in vars(plan(shape())).values()} == {"winograd"}
    few = planner.FEWEST_CHANNELS - 1
    assert plan(shape(x=(2, few, 12, 12), w=(16, few, 3, 3))).forward is TAPS


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
    finally:
        planner.forget()
    assert plan(shape()).forward is WINOGRAD


def test_measuring_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    found = planner.seconds(shape(x=(1, 2, 5, 5), w=(2, 2, 3, 3)), repeats=1)
    assert torch.equal(torch.rand(3), expected)
    assert all(set(by_name) == {TAPS, WINOGRAD} for by_name in found.values())
    assert all(t > 0 for by_name in found.values() for t in by_name.values())
