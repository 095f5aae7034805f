"""The checker is checked: right rules pass, every classic mistake is caught, and the message says where."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from photomend.core import Array, GradientError, Module, Primitive, Tensor, exp, getitem, gradcheck, no_grad, sum
from photomend.layers import Linear, conv2d, linear


def normal(*shape: int, seed: int = 0) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factor(x: Array):
    """x², with a derivative of 2.002 x."""
    return x * x, lambda ȳ: ȳ * 2 * x * 1.001


def sign(x: Array):
    return torch.cos(x), lambda ȳ: ȳ * torch.sin(x)


def dropped_mean(x: Array):
    """x minus its mean along the batch, as if the mean didn't depend on x."""
    return x - x.mean(0), lambda ȳ: ȳ


def batch_norm_without(term: str) -> Callable[..., Any]:
    """Batch norm whose derivative lacks the term through the mean, or the one through the deviation."""

    def batch_norm(x: Array):
        variance, mean = torch.var_mean(x, dim=0, correction=0)
        x̂ = (x - mean) / torch.sqrt(variance + 1e-5)

        def pullback(ȳ: Array):
            through_mean = 0 if term == "mean" else ȳ.mean(0)
            through_deviation = 0 if term == "deviation" else x̂ * (ȳ * x̂).mean(0)
            return (ȳ - through_mean - through_deviation) / torch.sqrt(variance + 1e-5)

        return x̂, pullback

    return batch_norm


def softmax_without_sum(x: Array):
    """With a cotangent of ones the right gradient is 0, and Σ would be constant: only a random one sees this."""
    y = torch.softmax(x, 1)
    return y, lambda ȳ: ȳ * y


def transposed_kernel(x: Array, w: Array):
    """A convolution whose input gradient flips the kernel's rows and columns into each other."""
    y, right = conv2d.rule(x, w)
    _, wrong = conv2d.rule(x, w.mT)

    def pullback(ȳ: Array) -> Any:
        of_x, of_w = cast(Any, wrong(ȳ))[0], cast(Any, right(ȳ))[1]
        return of_x, of_w

    return y, pullback


def transposed_factor(a: Array, b: Array):
    return a @ b, lambda ȳ: (ȳ @ b, a.mT @ ȳ)


def missing_accumulation(x: Array):
    """x[[0, 0, 1]], where the second gradient of an element overwrites the first."""
    index = torch.tensor([0, 0, 1])

    def pullback(ȳ: Array):
        x̄ = torch.zeros_like(x)
        x̄[index] = ȳ
        return x̄

    return x[index], pullback


def missing_sum(x: Array, b: Array):
    """x + b with b repeated over the rows, of which only the first row's cotangent arrives."""
    return x + b, lambda ȳ: (ȳ, ȳ[0])


def mean_for_sum(x: Array, b: Array):
    return x + b, lambda ȳ: (ȳ, ȳ.mean(0))


def wrong_axis(x: Array):
    return x.sum(0), lambda ȳ: ȳ[:, None].expand(x.shape)


def zero(x: Array):
    return x.exp(), torch.zeros_like


def sum_for_mean(x: Array):
    return x.mean(1), lambda ȳ: ȳ[:, None].expand(x.shape)


def swapped(a: Array, b: Array):
    return a * b, lambda ȳ: (ȳ * a, ȳ * b)


def flipped_kernel(x: Array, w: Array):
    """A convolution whose weight gradient comes out as a mathematician's kernel, last tap first."""
    y, right = conv2d.rule(x, w)
    return y, lambda ȳ: (cast(Any, right(ȳ))[0], cast(Any, right(ȳ))[1]().flip(2, 3))


#: A wrong rule, its inputs, and the words of the hint that must explain it.
WRONG: list[tuple[Callable[..., Any], tuple[Array, ...], str]] = [
    (factor, (normal(3),), "every entry is 1.001 times what it should be"),
    (sign, (normal(3),), "every entry has the wrong sign"),
    (dropped_mean, (normal(4, 2),), "what is missing is the same along axis 0"),
    (batch_norm_without("mean"), (normal(5, 3),), "the mean's term is missing, as if μ didn't depend on x"),
    (batch_norm_without("deviation"), (normal(5, 3),), "the variance's term is missing, as if σ didn't depend on x"),
    (softmax_without_sum, (normal(2, 3),), "softmax's sum Σ ȳ y is missing"),
    (transposed_kernel, (normal(2, 3, 5, 5), normal(2, 3, 3, 3, seed=1)), "the kernel is transposed"),
    (
        transposed_kernel,
        (normal(2, 3, 12, 12), normal(2, 3, 3, 3, seed=1)),  # too large to try every entry
        "the gradient would be right if w were transposed",
    ),
    (
        transposed_factor,
        (normal(2, 3), normal(3, 3, seed=1)),
        "the gradient would be right if b were transposed",
    ),
    (
        flipped_kernel,
        (normal(2, 2, 4, 5), normal(3, 2, 2, 3, seed=1)),
        "the gradient is right when flipped along its last two axes",
    ),
    (missing_accumulation, (normal(3),), "overwritten, not added"),
    (
        missing_sum,
        (normal(3, 2), normal(2, seed=1)),
        "only entry 0 along axis 0 of the value's cotangent (3, 2) arrives: the sum over that axis is missing",
    ),
    (
        mean_for_sum,
        (normal(3, 2), normal(2, seed=1)),
        "every entry is 3 times too small, the size of axis 0 of the value (3, 2): a mean where a sum is due?",
    ),
    (
        sum_for_mean,
        (normal(2, 3),),
        "every entry is 3 times too large, the size of axis 1 of x (2, 3): a sum where a mean is due?",
    ),
    (wrong_axis, (normal(3, 3),), "the gradient is right when transposed"),
    (swapped, (normal(3), normal(3, seed=1)), "two gradients are returned in the wrong order"),
    (zero, (normal(3),), "the gradient is 0"),
]


@pytest.mark.parametrize(("rule", "inputs", "hint"), WRONG, ids=[w[0].__name__ for w in WRONG])
@pytest.mark.parametrize("seed", range(3))
def test_wrong_rule_is_caught_and_explained(
    rule: Callable[..., Any], inputs: tuple[Array, ...], hint: str, seed: int
) -> None:
    with pytest.raises(GradientError) as caught:
        gradcheck(Primitive(rule), *inputs, seed=seed)
    found = re.search(r"hint:     (.+)", str(caught.value))
    assert found is not None
    assert hint in found[1]


def test_a_mistake_too_small_to_explain_gets_no_hint() -> None:
    """One part in 10⁷ is seen, but no proportion can be told from 1."""

    def nearly(x: Array):
        return x * x, lambda ȳ: ȳ * 2 * x * (1 + 1e-7)

    with pytest.raises(GradientError) as caught:
        gradcheck(Primitive(nearly), normal(3))
    assert "hint" not in str(caught.value)


def test_a_hint_survives_a_function_that_refuses_what_is_tried() -> None:
    """A triangular factor: its transpose is refused, and the gradient's mistake is one that nobody knows."""

    def upper_only(x: Array, r: Array):
        if r.tril(-1).any():
            raise ValueError("r must be upper triangular")
        return x @ r, lambda ȳ: (ȳ[:, [1, 2, 0]] * torch.arange(3), torch.triu(x.mT @ ȳ))

    with pytest.raises(GradientError, match="analytic") as caught:
        gradcheck(Primitive(upper_only), normal(2, 3), torch.eye(3, dtype=torch.float64).mul(2))
    assert "hint" not in str(caught.value)


def test_the_same_rules_done_right_pass() -> None:
    assert gradcheck(Primitive(batch_norm_without("nothing")), 3 * normal(5, 3)) < 1e-8
    assert gradcheck(lambda x: x[[0, 0, 1]], normal(3)) < 1e-8
    assert gradcheck(lambda x, b: x + b, normal(3, 2), normal(2)) < 1e-8
    assert gradcheck(lambda x, w: conv2d(x, w), normal(2, 3, 5, 5), normal(2, 3, 3, 3)) < 1e-8


def test_a_tape_that_forgets_to_add_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """x used twice, while the tape only keeps the last gradient of each node."""

    def walk(root: Any, cotangent: Array) -> None:
        cotangents: dict[Any, Array] = {root: cotangent}
        node: Any
        for node in tape.topological_order(root):
            if node.leaf is not None:
                node.leaf().grad = cotangents[node]
                continue
            gradients = node.pullback(cotangents[node])
            for parent, gradient in zip(node.parents, gradients, strict=True):
                cotangents[parent] = gradient()

    from photomend.core import tape, tensor

    monkeypatch.setattr(tensor, "walk", walk)
    with pytest.raises(GradientError):
        gradcheck(lambda x: x * x, normal(3))


def test_message_has_aligned_lines_and_the_worst_entry() -> None:
    def one_entry_off(x: Array):
        def pullback(ȳ: Array):
            x̄ = 2 * x * ȳ
            x̄[1, 0] = -x̄[1, 0]
            return x̄

        return x * x, pullback

    with pytest.raises(GradientError) as caught:
        gradcheck(Primitive(one_entry_off), normal(3, 2))
    title, place, analytic, numeric = str(caught.value).split("\n")
    assert re.fullmatch(r"one_entry_off: relative error \d\.\d\de[+-]\d\d > 1e-08", title)
    assert place == "  worst at  x[1, 0]"
    pattern = r"  {}:\s+(-?\d\.\d{{12}}e[+-]\d\d)"
    found = [re.fullmatch(pattern.format(name), line) for name, line in (("analytic", analytic), ("numeric", numeric))]
    assert found[0] is not None
    assert found[1] is not None
    assert analytic.index(".") == numeric.index(".")
    assert float(found[0][1]) == pytest.approx(-float(found[1][1]), rel=1e-8)


def test_message_names_the_parameter() -> None:
    def bad_linear(x: Array, w: Array, b: Array):
        y, right = linear.rule(x, w, b)

        def pullback(ȳ: Array):
            x̄, w̄, b̄ = cast(Any, right(ȳ))
            return x̄, w̄() * 1.001, b̄

        return y, pullback

    class Bad(Linear):
        def forward(self, x: Array | Tensor) -> Tensor:
            return Primitive(bad_linear)(x, self.weight, self.bias)

    with pytest.raises(GradientError, match=r"^Bad: .*\n  worst at  weight\["):
        gradcheck(Bad(3, 2).to(dtype=torch.float64), normal(4, 3))


def test_a_true_zero_passes() -> None:
    """Σ softmax is constant: differences see only rounding, which must not count as an error."""
    assert gradcheck(lambda x: sum(exp(x) / sum(exp(x))), normal(4)) < 1e-8
    assert gradcheck(lambda x: x**0, normal(4)) < 1e-8


def test_an_unused_input_has_gradient_zero() -> None:
    assert gradcheck(lambda a, b: a * a, normal(2), normal(2)) < 1e-8

    def pretends(a: Array, b: Array):
        return a * a, lambda ȳ: (2 * a * ȳ, ȳ)

    with pytest.raises(GradientError, match="hint:     the value doesn't depend on b, whose gradient is therefore 0"):
        gradcheck(Primitive(pretends), normal(2), normal(2))


def test_no_nan_passes() -> None:
    with pytest.raises(GradientError):
        gradcheck(lambda x: getitem(x, index=0) * float("nan"), normal(2))
    with no_grad(), pytest.raises(RuntimeError, match="nothing was recorded"):
        gradcheck(lambda x: x * x, normal(2))


def test_it_is_a_check_of_modules_with_several_parameters() -> None:
    class Product(Module):
        def __init__(self) -> None:
            self.a, self.b = Linear(2, 3), Linear(2, 3)

        def forward(self, x: Array | Tensor) -> Tensor:
            return self.a(x) * self.b(x)

    assert gradcheck(Product().to(dtype=torch.float64), normal(4, 2)) < 1e-8


def half_too_large(a: Array, w: Array):
    """10⁹ a + a w, whose gradient in w is half too large: beside a's gradient of 10⁹ nobody would notice."""
    return 1e9 * a + a * w, lambda ȳ: (ȳ * (1e9 + w), 1.5 * ȳ * a)


@pytest.mark.parametrize("seed", range(5))
def test_a_small_gradient_is_checked_beside_a_large_one(seed: int) -> None:
    with pytest.raises(GradientError, match=r"worst at  w\["):
        gradcheck(Primitive(half_too_large), normal(3), normal(3, seed=1), seed=seed)
    assert gradcheck(lambda a, w: a * 1e9 + a * w, normal(3), normal(3, seed=1), seed=seed) < 1e-8


def test_a_composition_hides_no_small_gradient() -> None:
    def bad(a: Array, w: Array):
        return a * w, lambda ȳ: (ȳ * w, 1.5 * ȳ * a)

    with pytest.raises(GradientError, match=r"worst at  w\["):
        gradcheck(lambda a, w: a * 1e9 + Primitive(bad)(a, w), normal(3), normal(3, seed=1))


@pytest.mark.parametrize("like", [lambda ȳ: ȳ * (ȳ > 0), lambda ȳ: 2 * ȳ * ȳ], ids=["relu", "square"])
def test_the_cotangent_is_no_input_drawn_with_the_same_seed(like: Callable[[Array], Array]) -> None:
    """Rules that take ȳ for x are right where the two happen to be equal."""
    value = torch.relu if like(torch.tensor([-1.0])) == 0 else torch.square
    for seed in range(3):
        torch.manual_seed(seed)
        x = torch.randn(4, 5, dtype=torch.float64)
        with pytest.raises(GradientError):
            gradcheck(Primitive(lambda x: (value(x), like)), x, seed=seed)
