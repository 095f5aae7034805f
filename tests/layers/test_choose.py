"""The rule that chooses: what it takes on each kind of machine, that its reasons are the costs, how it is overruled."""

from __future__ import annotations

import dataclasses
import math
from importlib import import_module
from typing import Any

import pytest
import torch
from photomend.core import Array
from photomend.core.backend.machine import ONEDNN, ONEDNN_LARGE, TORCH, Machine, using
from photomend.layers.convolution import Problem
from photomend.layers.convolution.choose import ALGORITHMS, Work, choose, only

from .shapes import problem

rule: Any = import_module("photomend.layers.convolution.choose")  # not the function that the package calls so

MACHINES = {"torch": TORCH, "oneDNN": ONEDNN, "oneDNN, batches by torch": ONEDNN_LARGE}
TAPS, IM2COL, WINOGRAD, ROWS = ("taps",) * 3, ("im2col",) * 3, ("winograd",) * 3, ("winograd-rows",) * 2


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same blocks on every machine."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    rule._by_rule.cache_clear()


def square(pixels: tuple[int, int, int], channels: tuple[int, int], **options: Any) -> Problem:
    """3×3, so many images of rows × columns, from so many channels to so many."""
    n, rows, columns = pixels
    return problem(x=(n, channels[0], rows, columns), w=(channels[1], channels[0], 3, 3), **options)


def other(kernel: tuple[int, int], channels: tuple[int, int] = (64, 64), groups: int = 1, **options: Any) -> Problem:
    """Any kernel, on eight images of 64 × 64."""
    weights = (channels[1], channels[0] // groups, *kernel)
    return problem(x=(8, channels[0], 64, 64), w=weights, groups=groups, **options)


#: (problem, by torch's library, by oneDNN, by oneDNN but for batches)
CHOICES: dict[str, tuple[Any, ...]] = {
    "small images": (square((2, 12, 12), (16, 16)), IM2COL, IM2COL, IM2COL),
    "large": (square((8, 64, 64), (64, 64)), *[(*ROWS, "winograd")] * 3),
    "large, more channels": (square((8, 56, 56), (128, 128)), WINOGRAD, *[(*ROWS, "winograd")] * 2),
    "large, many channels": (square((8, 32, 32), (256, 256)), WINOGRAD, *[(*ROWS, "winograd")] * 2),
    "many channels of a few pixels": (square((1, 7, 7), (512, 512)), WINOGRAD, IM2COL, IM2COL),
    "few in": (square((8, 64, 64), (3, 64)), *[("im2col", "winograd-rows", "im2col")] * 3),
    "few out": (square((8, 64, 64), (64, 3)), *[("winograd-rows", "im2col", "im2col")] * 3),
    "float64": (
        square((8, 64, 64), (64, 64), dtype=torch.float64),
        *[(*ROWS, last) for last in ("winograd", "im2col", "winograd")],
    ),
    "bfloat16": (square((8, 64, 64), (64, 64), dtype=torch.bfloat16), IM2COL, IM2COL, IM2COL),
    "dilation": (square((8, 64, 64), (64, 64), padding=2, dilation=2), IM2COL, IM2COL, IM2COL),
    "padding beyond the kernel": (square((8, 64, 64), (64, 64), padding=3), IM2COL, IM2COL, IM2COL),
    "stride": (other((4, 4), stride=2), IM2COL, IM2COL, IM2COL),
    "1x1": (other((1, 1), padding=0), IM2COL, IM2COL, IM2COL),
    "1x1, stride": (other((1, 1), padding=0, stride=2), IM2COL, IM2COL, IM2COL),
    "3x5": (other((3, 5), padding=(1, 2)), *[(*ROWS, "im2col")] * 3),
    "5x5": (other((5, 5), padding=2), IM2COL, IM2COL, IM2COL),
    "7x7 of two channels": (other((7, 7), (2, 1), padding=3), IM2COL, IM2COL, IM2COL),
    "groups": (other((3, 3), groups=2), TAPS, TAPS, TAPS),
    "a channel each": (other((3, 3), groups=64), TAPS, TAPS, TAPS),
}


@pytest.mark.parametrize("column", range(3), ids=list(MACHINES))
@pytest.mark.parametrize("setting", CHOICES)
def test_what_is_chosen(setting: str, column: int) -> None:
    this, *chosen = CHOICES[setting]
    with using(list(MACHINES.values())[column]):
        assert choose(this).names == chosen[column]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))
@pytest.mark.parametrize("setting", CHOICES)
def test_the_fastest_by_the_costs_is_chosen(setting: str, machine: Machine) -> None:
    this = CHOICES[setting][0]
    adjoint = this.adjoint() if this.stride == (1, 1) else this
    with using(machine):
        chosen = choose(this).names
    suitable = [name for name, algorithm in ALGORITHMS.items() if algorithm.suits(this)]
    assert set(chosen) <= set(suitable)
    for name, work, p in zip(
        chosen, (rule._forward_work, rule._forward_work, rule._weight_work), (this, adjoint, this), strict=True
    ):
        others = suitable if work is rule._forward_work else [n for n in suitable if n != "winograd-rows"]
        times = {n: work(n, p).nanoseconds(machine) for n in others}
        assert times[name] == min(times.values())
        assert 0 < times[name] < math.inf


def test_the_time_is_the_sum_of_its_parts() -> None:
    machine = Machine(large=2, batch=4, memory=5, call=7)
    assert Work(large=20, batch=20, moved=20, calls=20).nanoseconds(machine) == 10 + 5 + 4 + 140
    assert Work().nanoseconds(machine) == 0


#: A machine that does everything else at once.
FREE: dict[str, Any] = {"large": math.inf, "batch": math.inf, "memory": math.inf, "call": 0.0}


@pytest.mark.parametrize(
    ("slow", "forward"),
    [
        ({"large": 1.0}, "winograd"),  # the transforms alone
        ({"large": 1.0, "batch": 1e-3}, "winograd-rows"),
        ({"batch": 1.0, "call": 1.0}, "taps"),  # the others go by blocks
        ({"memory": 1.0}, "winograd-rows"),
    ],
    ids=["multiplications", "batches", "calls", "memory"],
)
def test_what_a_machine_is_bad_at_is_avoided(slow: dict[str, Any], forward: str) -> None:
    with using(Machine(**(FREE | slow))):
        assert choose(square((8, 64, 64), (128, 128))).names[:2] == (forward, forward)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("direction", ["_forward_work", "_weight_work"])
def test_twice_the_images_are_twice_the_work(name: str, direction: str) -> None:
    if (name, direction) == ("winograd-rows", "_weight_work"):
        return
    once, twice = (getattr(rule, direction)(name, square((n, 32, 32), (32, 48))) for n in (8, 16))
    for part in ("large", "batch", "moved"):
        assert getattr(twice, part) == 2 * getattr(once, part)
    assert once.calls <= twice.calls <= 2 * once.calls


def test_multiplications_are_counted() -> None:
    """Of 3×3 on tiles of 4×4 outputs: 9 for each pixel and pair of channels, 4.5 and 2.25."""
    this = square((1, 8, 8), (32, 48))
    pairs = 8 * 8 * 32 * 48
    works = {name: rule._forward_work(name, this) for name in ALGORITHMS}
    assert works["taps"].large == works["im2col"].large == 9 * pairs
    assert works["winograd-rows"].large == 4.5 * pairs * 10 / 8  # two more columns, of the padding
    assert works["winograd"].batch == 2.25 * pairs
    assert rule._forward_work("taps", dataclasses.replace(this, groups=2)).large == 4.5 * pairs


def test_one_tap_is_copied_nowhere() -> None:
    this = other((1, 1), padding=0)
    assert rule._forward_work("im2col", this) == rule._weight_work("im2col", this)
    assert rule._forward_work("im2col", this).moved == this.pixels * 64


def test_the_adjoint_is_chosen_like_a_convolution() -> None:
    there, back = square((8, 64, 64), (3, 64)), square((8, 64, 64), (64, 3))
    for machine in MACHINES.values():
        with using(machine):
            assert choose(there).names[:2] == choose(back).names[1::-1]


def test_using_another_machine_ends_with_its_context() -> None:
    this = square((8, 56, 56), (128, 128))
    with using(TORCH):
        assert choose(this).names == WINOGRAD
        with using(ONEDNN):
            assert choose(this).names == (*ROWS, "winograd")
        assert choose(this).names == WINOGRAD


@pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))
def test_the_plan_is_the_same_each_time(machine: Machine) -> None:
    with using(machine):
        first = [choose(this) for this, *_ in CHOICES.values()]
        rule._by_rule.cache_clear()
        assert [choose(dataclasses.replace(this)) for this, *_ in CHOICES.values()] == first


def test_a_plan_has_the_functions_of_its_algorithms() -> None:
    with using(ONEDNN):
        plan = choose(square((8, 64, 64), (64, 64)))
    forward, back, weights = (ALGORITHMS[name] for name in plan.names)
    assert plan[:3] == (forward.forward, back.input_gradient, weights.weight_gradient)


@pytest.mark.parametrize(
    ("this", "name"),
    [
        (square((8, 64, 64), (64, 64)), "taps"),
        (other((1, 1), padding=0), "im2col"),
        (other((1, 1), padding=0, groups=2), "taps"),
        (other((1, 1), padding=1), "taps"),
    ],
    ids=["3x3", "1x1", "1x1, groups", "1x1, padding"],
)
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_elsewhere_only_what_needs_no_tiles(this: Problem, name: str, device: str) -> None:
    assert choose(dataclasses.replace(this, device=device)).names == (name,) * 3


@pytest.mark.parametrize("name", ALGORITHMS)
def test_only_ends_with_its_context(name: str) -> None:
    this = square((2, 12, 12), (16, 16))
    weights = {"winograd-rows": "im2col"}.get(name, name)
    before = choose(this).names
    with only("taps"):
        with only(name):
            assert choose(this).names == (name, name, weights)
        assert choose(this).names == TAPS
    assert choose(this).names == before == IM2COL


def test_only_ends_with_an_error() -> None:
    with pytest.raises(ZeroDivisionError), only("taps"):
        _ = 1 / 0
    assert choose(square((2, 12, 12), (16, 16))).names == IM2COL


def test_where_it_does_not_suit_the_rule_goes_on() -> None:
    for name, this, chosen in (
        ("winograd", other((3, 3), stride=2), IM2COL),
        ("winograd-rows", other((5, 5), padding=2), IM2COL),
        ("im2col", other((3, 3), groups=2), TAPS),
    ):
        with only(name):
            assert choose(this).names == chosen


def test_every_algorithm_is_a_module_of_the_same_functions() -> None:
    for name, algorithm in ALGORITHMS.items():
        assert callable(algorithm.suits)
        assert callable(algorithm.forward)
        assert callable(algorithm.input_gradient)
        assert hasattr(algorithm, "weight_gradient") == (name != "winograd-rows")
    assert next(iter(ALGORITHMS)) == "taps"
    everything = square((1, 4, 4), (2, 2)), other((5, 2), groups=2, stride=3, dilation=2), other((1, 1), padding=4)
    assert all(ALGORITHMS["taps"].suits(this) for this in everything)


def test_the_layer_goes_by_the_plan() -> None:
    """Forwards and backwards, also when the context has ended before the pullback runs."""
    from photomend.core import Tensor
    from photomend.layers import conv2d

    def directions(name: str) -> list[Array]:
        x, w = (torch.randn(s, generator=torch.Generator().manual_seed(0)) for s in ((2, 3, 9, 9), (4, 3, 3, 3)))
        leaves = Tensor(x), Tensor(w)
        with only(name):
            y = conv2d(*leaves, padding=1)
        y.backward(torch.ones(2, 4, 9, 9))
        return [y.data, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    by_taps, by_tiles, again = (directions(name) for name in ("taps", "winograd", "winograd"))
    for one, other_, same in zip(by_taps, by_tiles, again, strict=True):
        torch.testing.assert_close(one, other_, rtol=1e-4, atol=1e-4)
        assert not torch.equal(one, other_)
        assert torch.equal(other_, same)
