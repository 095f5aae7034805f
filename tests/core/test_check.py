"""`check`: what it asks in which order, what it says of a mistake, and that it never refuses what is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import photomend
import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, GradientError, Module, Primitive, Tensor, check, exp, maximum, sum
from photomend.layers import Conv2d, Linear, relu
from photomend.tests.core.wrong_rules import WRONG, Wrong, draw
from photomend.tests.core.wrong_rules_classic import CLASSIC


def refusal(fn: Callable[..., Any], *inputs: Array, **options: Any) -> str:
    with pytest.raises(GradientError) as caught:
        check(fn, *inputs, **options)
    return str(caught.value)


@pytest.mark.parametrize("wrong", [*WRONG, *CLASSIC], ids=lambda w: w.name)
def test_a_typical_mistake_is_named(wrong: Wrong) -> None:
    found = re.search(r"hint:     (.+)", refusal(wrong.rule, *wrong.inputs, reference=wrong.reference))
    assert found is not None
    assert wrong.phrase in found[1]


def test_there_are_24_mistakes_of_our_own() -> None:
    assert len(WRONG) == 24
    assert {w.name for w in WRONG}.isdisjoint(w.name for w in CLASSIC)


def _shuffled(x: Array):
    return x * x, lambda ȳ: 2 * x * ȳ[torch.tensor([2, 0, 1, 3])] * torch.tensor([1.0, 3.0, 0.5, 7.0])


def _two_entries_off(x: Array):
    return x.sin(), lambda ȳ: ȳ * x.cos() + torch.tensor([0.0, 0.3, 0.0, -0.2]) * ȳ


def _unknown_function_of_x(x: Array):
    return x.sin(), lambda ȳ: ȳ * torch.erf(x + 0.4)


def _unknown_matrix(x: Array, w: Array):
    other = draw(4, 3, seed=9)
    return x @ w, lambda ȳ: (ȳ @ other.mT, x.mT @ ȳ)


@pytest.mark.parametrize(
    ("rule", "inputs"),
    [
        (_shuffled, (draw(4),)),
        (_two_entries_off, (draw(4),)),
        (_unknown_function_of_x, (draw(4),)),
        (_unknown_matrix, (draw(2, 4), draw(4, 3, seed=1))),
    ],
)
def test_no_hint_is_given_where_none_is_supported(rule: Callable[..., Any], inputs: tuple[Array, ...]) -> None:
    assert "hint" not in refusal(rule, *inputs)


def test_two_explanations_are_both_named() -> None:
    """At σ(x) both fit, as σ′ = y (1 − y)."""

    def sigmoid(x: Array):
        y = torch.sigmoid(x)
        return y, lambda ȳ: ȳ * y

    found = re.search(r"hint:     either (.+); or (.+)", refusal(sigmoid, draw(4)))
    assert found is not None
    assert found[1] != found[2]


def test_the_name_of_a_rule_gives_nothing_away() -> None:
    def softmax(x: Array):
        return x * x, lambda ȳ: 3 * x * ȳ

    assert "softmax's" not in refusal(softmax, draw(2, 3))


def test_a_right_operation_of_every_kind_passes_with_a_line() -> None:
    def square(x: Array):
        return x * x, lambda ȳ: 2 * x * ȳ

    line = check(square, draw(2, 3), reference=np.square)
    assert line == "square: value as square's; gradient of x (2, 3) correct to 1e-08; 0 kinks met"
    assert check(Primitive(square), draw(2, 3), reference=torch.square) == line
    assert check(lambda x: sum(exp(x)), draw(3)).startswith("<lambda>: gradient of x (3,) correct")
    line = check(Linear(3, 2), torch.ones(4, 3), reference=F.linear)
    assert "value as linear's; gradients of x (4, 3), weight (2, 3), bias (2,) correct" in line
    assert line.endswith("(x, weight, bias converted to float64)")
    assert "value as conv2d's" in check(Conv2d(2, 3, 2), draw(1, 2, 3, 4), reference=F.conv2d)


def test_an_argument_that_gets_no_gradient_is_a_constant() -> None:
    line = check(lambda x, w: (x * w, lambda ȳ: (ȳ * w, None)), draw(3), draw(3, seed=1))
    assert line == "<lambda>: gradient of x (3,) correct to 1e-08; 0 kinks met; no gradient of w"


def test_kinks_are_visited() -> None:
    assert int(re.findall(r"(\d+) kinks? met", check(relu, draw(10), reference=torch.relu))[0]) > 0

    def biased(x: Array):
        return x.relu(), lambda ȳ: ȳ * ((x > 0) + 3.0 * (x == 0))

    x = torch.tensor([-0.2, 0.3, 1.2], dtype=torch.float64)
    message = refusal(biased, x)
    assert re.search(r"at the kink x\[\d\] = -?0 the gradient is \S+, which isn't between its one-sided", message)
    assert "kink" in check(maximum, draw(8), draw(8, seed=1), reference=np.maximum)


def test_those_that_tie_must_share() -> None:
    def generous(x: Array):
        y = x.amax(1, keepdim=True)
        return y, lambda ȳ: ȳ * (x == y)

    x = torch.tensor([[0.1, 0.9], [1.2, -0.7], [0.8, 1.1]], dtype=torch.float64)
    assert "at the kink x where entries tie" in (message := refusal(generous, x))
    assert "must share ȳ" in message


def test_a_kink_that_is_near_is_told_from_a_mistake() -> None:
    message = refusal(relu, torch.tensor([1.0, 1e-4, -2.0], dtype=torch.float64))
    assert "x[1] is near a kink" in message
    assert "hint" not in message
    assert "example" not in message


def test_a_kink_that_only_all_entries_together_reach() -> None:
    x = draw(20)
    message = refusal(relu, torch.where(x.abs() < 0.1, 0.0022, x))
    assert re.search(r"x\[\d+\] is near a kink", message)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda x, w: (x * w, lambda ȳ: ȳ * w), r"returned 1 gradient for 2 arguments \(x, w\)"),
        (
            lambda x, w: (x * w, lambda ȳ: (ȳ * w, 1.0)),
            r"gradient of w is a float, but w is a floating-point array \(3,\)",
        ),
        (lambda x, w: (x * w, lambda ȳ: (ȳ * w, (ȳ * x).sum())), r"of shape \(\), but w is \(3,\)\n  hint: .* reduced"),
        (lambda x, w: (x * w, lambda ȳ: (ȳ * w, (ȳ * x).float())), r"is torch\.float32, but w is torch\.float64"),
        (lambda x, w: (x * w,), r"returned \(Tensor\); a rule returns a value"),
        (lambda x, w: (x * w, 3, 4), r"returned \(Tensor, int, int\)"),
    ],
)
def test_a_contract_that_is_broken(rule: Callable[..., Any], message: str) -> None:
    assert re.search(message, refusal(rule, draw(3), draw(3, seed=1)))


def test_the_first_mistake_is_the_one_that_is_told() -> None:
    """The value before the gradient."""

    def wrong(x: Array):
        return x**3, lambda ȳ: ȳ

    assert "the value isn't that of square" in refusal(wrong, draw(3), reference=torch.square)
    assert "relative error" in refusal(wrong, draw(3))


def test_the_small_example_stands_side_by_side() -> None:
    def doubled(x: Array, b: Array):
        return x + b, lambda ȳ: (ȳ, ȳ.mean(0))

    message = refusal(doubled, draw(5, 7), draw(7, seed=1))
    assert message.splitlines()[-7:] == [
        "  a small example:",
        "    x = [[1, -1], [-2, 2]]",
        "    b = [-1, 1]",
        "    ȳ = [[-2, 2], [1, -1]]",
        "    gradient of b:",
        "    expected   got          difference",
        "    -1   1     -0.5   0.5    0.5  -0.5",
    ]


def test_a_module_parameter_is_called_by_its_dotted_name() -> None:
    def wrong(x: Array, w: Array):
        return x * w, lambda ȳ: (ȳ * w, 3 * (ȳ * x).sum(0))

    class Inner(Module):
        def __init__(self) -> None:
            self.weight = Linear(3, 1).weight
            self.weight.data = draw(3)

        def forward(self, x: Array | Tensor) -> Tensor:
            return Primitive(wrong)(x, self.weight)

    class Outer(Module):
        def __init__(self) -> None:
            self.blocks = [Inner()]

        def forward(self, x: Array | Tensor) -> Tensor:
            return self.blocks[0](x)

    assert re.search(r"worst at  blocks\.0\.weight\[\d\]", refusal(Outer(), draw(4, 3)))


def test_empty_and_scalar_inputs() -> None:
    assert "empty, so only their shapes were checked" in check(exp, torch.zeros(0, 3), reference=torch.exp)
    assert "correct to" in check(exp, torch.tensor(0.5), reference=np.exp)


def test_a_reference_that_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="the reference linear can't be called with these arguments"):
        check(exp, draw(3), reference=F.linear)


def test_an_error_of_the_rule_itself_is_passed_on() -> None:
    def broken(x: Array):
        raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError, match="of its own"):
        check(broken, draw(3))
    with pytest.raises(TypeError, match="input 0 is a list"):
        check(exp, [1.0])  # type: ignore[arg-type]


def test_it_is_photomend_check() -> None:
    assert photomend.check is check
