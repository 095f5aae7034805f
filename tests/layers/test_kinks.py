"""Where a derivative doesn't exist, the convention: torch's, of the function of the same name.

`GlobalMaxPool2d` follows `amax` and shares ties; torch's `AdaptiveMaxPool2d`, of the same value, doesn't.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, Tensor, absolute, amax, clamp, divide, log, maximum, power, sqrt
from photomend.layers import (
    CBAM,
    ChannelAttention,
    GlobalMaxPool2d,
    L1Loss,
    MaxPool2d,
    ResidualBlock,
    SpatialAttention,
    SqueezeExcitation,
    cross_entropy,
    l1_loss,
    leaky_relu,
    logsumexp,
    max_pool2d,
    relu,
    softmax,
)
from photomend.tests.verification.oracles import relative_error, results, twin_results
from photomend.tests.verification.registry import CASES
from photomend.train.losses import hinge_loss, hole_loss


def gradients(f: Callable[..., Any], *inputs: Array) -> list[list[Any]]:
    leaves = [Tensor(x) for x in inputs]
    y = f(*leaves)
    y.backward(torch.arange(1.0, y.data.numel() + 1).reshape(y.shape).to(y.dtype))
    return [leaf.grad.tolist() for leaf in leaves if leaf.grad is not None]


def torch_gradients(f: Callable[..., Array], *inputs: Array) -> list[list[Any]]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = f(*leaves)
    y.backward(torch.arange(1.0, y.numel() + 1).reshape(y.shape).to(y.dtype))
    return [leaf.grad.tolist() for leaf in leaves if leaf.grad is not None]


ZERO = torch.tensor([-1.0, 0.0, -0.0, 1.0])
POLES = torch.tensor([0.0, -0.0, 0.0, 4.0, -0.0])
TIES = torch.tensor([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
PLATEAU = torch.tensor([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])[
    None, None
]


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs", "expected"),
    [
        (relu, F.relu, (ZERO,), [[0.0, 0.0, 0.0, 4.0]]),
        (lambda x: leaky_relu(x, negative_slope=0.5), lambda x: F.leaky_relu(x, 0.5), (ZERO,), [[0.5, 1.0, 1.5, 4.0]]),
        (absolute, torch.abs, (ZERO,), [[-1.0, 0.0, 0.0, 4.0]]),
        (lambda x: clamp(x, min=-1, max=0), lambda x: torch.clamp(x, -1, 0), (ZERO,), [[1.0, 2.0, 3.0, 0.0]]),
        (
            maximum,
            torch.maximum,
            (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 2.0])),
            [[0.5, 0.0, 3.0], [0.5, 2.0, 0.0]],
        ),
        (
            lambda x: amax(x, dim=1),
            lambda x: x.amax(1),
            (TIES,),
            [[[0.0, 0.5, 0.5], [2 / 3, 2 / 3, 2 / 3]]],
        ),
    ],
    ids=["relu", "leaky relu", "absolute", "clamp", "maximum", "amax"],
)
def test_convention(ours, theirs, inputs: tuple[Array, ...], expected: list[list[float]]) -> None:
    for found in (gradients(ours, *inputs), torch_gradients(theirs, *inputs)):
        for gradient, of_input in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.tensor(gradient), torch.tensor(of_input))


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}])
def test_max_pooling_gives_a_tie_to_the_first(options: dict[str, Any]) -> None:
    ours = gradients(lambda x: max_pool2d(x, **options), PLATEAU)
    assert ours == torch_gradients(lambda x: F.max_pool2d(x, **options), PLATEAU)


def test_max_pooling_of_a_plateau() -> None:
    (found,) = gradients(lambda x: max_pool2d(x, kernel_size=2), PLATEAU)
    assert found == [[[[1.0, 0, 0, 0], [0, 0, 2.0, 0], [3.0, 0, 4.0, 0], [0, 0, 0, 0]]]]


def test_max_pooling_of_nothing_but_minus_infinity() -> None:
    """The first still counts, though nothing is larger than what the search starts from."""
    x = torch.full((1, 1, 2, 4), -torch.inf)
    ours = gradients(lambda x: max_pool2d(x, kernel_size=2), x)
    assert ours == torch_gradients(lambda x: F.max_pool2d(x, 2), x) == [[[[[1.0, 0, 2.0, 0], [0, 0, 0, 0]]]]]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("kernel_size", "padding"), [((2, 3), (1, 1)), ((5, 4), (2, 2)), ((3, 2), (0, 1))])
def test_max_pooling_of_minus_infinity_gives_nothing_to_the_padding(
    kernel_size: tuple[int, int], padding: tuple[int, int], stride: int
) -> None:
    x = torch.full((1, 1, 5, 4), -torch.inf)
    x[..., 3, 3] = 1
    options: Any = {"kernel_size": kernel_size, "padding": padding, "stride": (stride, 2)}
    ours = gradients(lambda x: max_pool2d(x, **options), x)
    assert ours == torch_gradients(lambda x: F.max_pool2d(x, **options), x)


@pytest.mark.parametrize("size", [(1, 33_000), (33_000, 1)])
def test_max_pooling_under_a_window_of_many_pixels(size: tuple[int, int]) -> None:
    """Of 33,000 taps the last wins."""
    x = Tensor(torch.arange(33_000.0).reshape(1, 1, *size))
    max_pool2d(x, kernel_size=size).backward()
    assert x.grad is not None
    assert x.grad.nonzero()[:, 2:].tolist() == [[n - 1 for n in size]]


def test_global_max_pooling_shares_a_tie() -> None:
    """Like amax, and unlike torch's AdaptiveMaxPool2d, which gives it all to the first."""
    (found,) = gradients(GlobalMaxPool2d(), PLATEAU)
    assert found == [[[[0, 0, 0, 0], [0, 0, 0.25, 0.25], [0, 0, 0.25, 0.25], [0, 0, 0, 0]]]]


@pytest.mark.parametrize("name", ["ChannelAttention", "SpatialAttention", "CBAM"])
@pytest.mark.parametrize("x", [torch.ones(2, 8, 2, 3), torch.arange(96).reshape(2, 8, 2, 3) % 3], ids=["flat", "ties"])
def test_attention_shares_ties_as_torch_does(name: str, x: Array) -> None:
    """In CBAM the weights of the channels part what tied between them."""
    case = CASES[name]
    module = case.ours()
    ours, v = results(module, (x.double(),))
    theirs = twin_results(case.twin(module), (x.double(),), v)
    for key, array in theirs.items():
        assert relative_error(ours[key], array) <= 1e-10, key


@pytest.mark.parametrize("name", ["SqueezeExcitation", "ChannelAttention"])
def test_attention_passes_nothing_through_a_hidden_unit_at_zero(name: str) -> None:
    case = CASES[name]
    module = case.ours()
    mlp = dict(module.named_parameters())
    mlp["mlp.0.weight"].data.zero_()
    mlp["mlp.0.bias"].data.zero_()
    ours, v = results(module, case.inputs())
    theirs = twin_results(case.twin(module), case.inputs(), v)
    for found in (ours, theirs):
        assert not found["gradient of mlp.0.weight"].any()
        assert not found["gradient of mlp.0.bias"].any()
        assert found["gradient of mlp.2.bias"].any()


def test_a_residual_block_passes_nothing_at_zero() -> None:
    """With γ = β = 0 in the second norm and x = 0, what arrives at the last ReLU is 0 everywhere."""
    case = CASES["ResidualBlock/training"]
    module, x = case.ours(), torch.zeros(2, 3, 2, 3, dtype=torch.float64)
    for name, parameter in module.named_parameters():
        if name.startswith("bn2"):
            parameter.data.zero_()
    ours, v = results(module, (x,))
    theirs = twin_results(case.twin(module), (x,), v)
    gradients = [key for key in theirs if key.startswith("gradient")]
    assert [key for key in gradients if ours[key].any() or theirs[key].any()] == []


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs"),
    [
        (sqrt, torch.sqrt, (POLES,)),
        (log, torch.log, (POLES,)),
        (divide, torch.divide, (torch.tensor([1.0, -1.0, 0.0, 2.0, 0.0]), POLES)),
        *(
            (lambda x, n=n: power(x, exponent=n), lambda x, n=n: x**n, (POLES,))
            for n in (-1, -0.5, 0, 0.5, 1, 1.5, 2, 3)
        ),
    ],
    ids=["sqrt", "log", "divide", *(f"power {n}" for n in (-1, -0.5, 0, 0.5, 1, 1.5, 2, 3))],
)
def test_at_zero_value_and_derivative_are_torchs(ours, theirs, inputs: tuple[Array, ...]) -> None:
    """Infinite, NaN or neither: of +0 and −0 as numerators, denominators and bases."""
    torch.testing.assert_close(ours(*inputs), theirs(*inputs), equal_nan=True)
    found, expected = (torch.tensor(g) for g in (gradients(ours, *inputs), torch_gradients(theirs, *inputs)))
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_at_zero_what_the_docstrings_say() -> None:
    zero = torch.zeros(1)
    for f, value, slope in (
        (sqrt, 0, math.inf),
        (log, -math.inf, math.inf),
        (lambda x: power(x, exponent=0), 1, 0),
        (lambda x: power(x, exponent=0.5), 0, math.inf),
        (lambda x: power(x, exponent=1), 0, 1),
        (lambda x: power(x, exponent=2), 0, 0),
    ):
        assert f(zero).item() == value
        assert gradients(f, zero) == [[slope]]


def test_a_clamp_of_no_width_lets_the_gradient_pass_at_its_only_value() -> None:
    found = gradients(lambda x: clamp(x, min=0, max=0), ZERO)
    assert found == torch_gradients(lambda x: torch.clamp(x, 0, 0), ZERO) == [[0.0, 2.0, 3.0, 0.0]]


@pytest.mark.parametrize(
    ("kinked", "convention"),
    [
        (relu.rule, "At the kink x = 0 the derivative is taken as 0, as in torch"),
        (leaky_relu.rule, "At x = 0 the slope is a, as in torch"),
        (absolute.rule, "At the kink x = 0 the derivative is taken as 0, as in torch"),
        (clamp.rule, "edges included, as in torch"),
        (maximum.rule, "where they tie each receives half, as in torch"),
        (amax.rule, "several that tie share ȳ evenly, as in torch"),
        (max_pool2d.rule, "Of several that tie, the first in reading order counts, as in torch"),
        (sqrt.rule, "At x = 0 the derivative is infinite, as in torch"),
        (log.rule, "At x = 0 the value is −∞ and the derivative infinite, as in torch"),
        (power.rule, "At x = 0, as in torch: 0⁰ = 1, so for n = 1 the derivative is 1 and for n = 0 it is 0"),
        (divide.rule, "At b = 0 value and derivatives are infinite or NaN, as in torch"),
        (hole_loss.rule, "at d = 0 the sign is 0"),
        (l1_loss.rule, "At the kink d = 0 the derivative is taken as 0, as in torch"),
        (L1Loss, "whose derivative at 0 is 0"),
        (softmax.rule, "Where every x along the axis is −∞, or one is +∞, the result is NaN, as in torch"),
        (logsumexp.rule, "Of nothing but −∞ the value is −∞"),
        (cross_entropy.rule, "0 · ln 0 counts as 0"),
        (hinge_loss.rule, "0 elsewhere, so at the kink too"),
        (MaxPool2d, "of several that tie the first"),
        (GlobalMaxPool2d, "several that tie share its gradient evenly"),
        (GlobalMaxPool2d, "its `AdaptiveMaxPool2d(1)`, of the same value, gives everything to the first"),
        (SqueezeExcitation, "ReLU has slope 0 at 0, as in torch"),
        (ChannelAttention, "Pixels that tie for the largest share its gradient evenly"),
        (ChannelAttention, "ReLU has slope 0 at 0, as in torch"),
        (SpatialAttention, "Channels that tie for the largest share its gradient evenly, as in torch"),
        (CBAM, "see both, for ties as well"),
        (ResidualBlock, "At 0 both ReLUs have slope 0, as in torch"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_docstring_states_the_convention(kinked: Any, convention: str) -> None:
    assert convention in " ".join((kinked.__doc__ or "").split())


def test_a_perfect_pixel_has_no_absolute_error_gradient() -> None:
    x = torch.ones(1, 1, 1, 2)
    (found,) = gradients(lambda p: hole_loss(p, x, torch.ones(1, 1, 1, 2)), x)
    assert found == [[[[0.0, 0.0]]]]


def test_values_at_kinks_and_beyond() -> None:
    """Infinities and NaN pass as in torch."""
    x = torch.tensor([-torch.inf, torch.inf, torch.nan])
    for ours, theirs in ((relu, F.relu), (leaky_relu, F.leaky_relu), (absolute, torch.abs)):
        assert torch.equal(ours(x).nan_to_num(7), theirs(x).nan_to_num(7))


def test_the_exponent_of_0() -> None:
    """0ⁿ is 0 for every n above 0, so its derivative in n is 0; below it is infinite, and so is the derivative."""
    x, n = torch.zeros(3), torch.tensor([-0.5, 0.0, 2.0])
    found = gradients(power, x, n)
    assert found == torch_gradients(torch.pow, x, n)
    assert found[1] == [-torch.inf, 0.0, 0.0]
