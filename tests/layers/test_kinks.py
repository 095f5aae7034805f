"""Where a derivative doesn't exist, the convention: always torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array, Tensor, absolute, amax, clamp, maximum
from photomend.layers import CBAM, GlobalMaxPool2d, leaky_relu, max_pool2d, relu
from photomend.train.losses import hole_loss


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
        (lambda x: clamp(x, low=-1, high=0), lambda x: torch.clamp(x, -1, 0), (ZERO,), [[1.0, 2.0, 3.0, 0.0]]),
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


@pytest.mark.parametrize("size", [(1, 33_000), (33_000, 1)])
def test_max_pooling_under_a_window_of_many_pixels(size: tuple[int, int]) -> None:
    """More than 16 bits can number."""
    x = Tensor(torch.arange(33_000.0).reshape(1, 1, *size))
    max_pool2d(x, kernel_size=size).backward()
    assert x.grad is not None
    assert x.grad.nonzero()[:, 2:].tolist() == [[n - 1 for n in size]]


def test_global_max_pooling_shares_a_tie() -> None:
    """Like amax, and unlike torch's AdaptiveMaxPool2d, which gives it all to the first."""
    (found,) = gradients(GlobalMaxPool2d(), PLATEAU)
    assert found == [[[[0, 0, 0, 0], [0, 0, 0.25, 0.25], [0, 0, 0.25, 0.25], [0, 0, 0, 0]]]]


def test_attention_of_a_flat_image_shares_ties() -> None:
    """A constant image ties everywhere; all its pixels are equal, so all their gradients are."""
    torch.manual_seed(0)
    (found,) = gradients(lambda x: CBAM(4, 2, 1)(x) * torch.ones(1, 4, 3, 3), torch.ones(1, 4, 3, 3))
    assert torch.isfinite(torch.tensor(found)).all()


def test_a_perfect_pixel_has_no_absolute_error_gradient() -> None:
    x = torch.ones(1, 1, 1, 2)
    (found,) = gradients(lambda p: hole_loss(p, x, torch.ones(1, 1, 1, 2)), x)
    assert found == [[[[0.0, 0.0]]]]


def test_values_at_kinks_and_beyond() -> None:
    """Infinities and NaN pass as in torch."""
    x = torch.tensor([-torch.inf, torch.inf, torch.nan])
    for ours, theirs in ((relu, F.relu), (leaky_relu, F.leaky_relu), (absolute, torch.abs)):
        assert torch.equal(ours(x).nan_to_num(7), theirs(x).nan_to_num(7))
