"""What the registry's single forward pass doesn't show: running statistics over steps, frozen layers, bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from photomend.core import Array, Module, Tensor, matmul, no_grad, sum
from photomend.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    GatedConv2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    Linear,
    MaxPool2d,
    PixelShuffle,
    PixelUnshuffle,
    PReLU,
    ResidualBlock,
    Sequential,
    Upsample,
    standardise,
)


def normal(*shape: int, seed: int = 0) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("ours", "twin", "shape"),
    [
        (BatchNorm1d(3, momentum=0.3), torch.nn.BatchNorm1d(3, momentum=0.3), (4, 3)),
        (BatchNorm2d(3, eps=1e-3), torch.nn.BatchNorm2d(3, eps=1e-3), (2, 3, 2, 2)),
        (BatchNorm2d(3, momentum=None), torch.nn.BatchNorm2d(3, momentum=None), (2, 3, 2, 2)),
        (
            BatchNorm1d(3, momentum=None, track_running_stats=False),
            torch.nn.BatchNorm1d(3, momentum=None, track_running_stats=False),
            (2, 3, 2),
        ),
        (InstanceNorm2d(3, 1e-3, 0.3, True, True), torch.nn.InstanceNorm2d(3, 1e-3, 0.3, True, True), (2, 3, 2, 2)),
        (InstanceNorm1d(3, track_running_stats=True), torch.nn.InstanceNorm1d(3, track_running_stats=True), (4, 3, 2)),
    ],
)
def test_running_statistics_over_steps(ours: Module, twin: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Five batches in training mode, then evaluation with what was gathered."""
    for step in range(5):
        x = 2 * normal(*shape, seed=step) + step
        torch.testing.assert_close(ours(x).data, twin(x).detach())
    state = ours.state_dict()
    for name, buffer in twin.named_buffers():
        torch.testing.assert_close(state[name], buffer)
    before = {k: v.clone() for k, v in state.items()}
    torch.testing.assert_close(ours.eval()(x).data, twin.eval()(x).detach())
    assert all(torch.equal(before[k], v) for k, v in ours.state_dict().items())


def test_slopes_start_where_they_are_told_to() -> None:
    assert PReLU().weight.data.tolist() == [0.25]
    assert PReLU(3, 0.5).weight.data.tolist() == [0.5, 0.5, 0.5]


def test_normalised_values_have_mean_zero_and_variance_one() -> None:
    y = BatchNorm2d(3)(5 * normal(4, 3, 6, 6) + 100).data
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_variance_survives_a_large_mean() -> None:
    """E[x²] − E[x]² would lose all digits here."""
    x = normal(8, 2, 4, 4) + 1e4
    torch.testing.assert_close(BatchNorm2d(2)(x).data, torch.nn.BatchNorm2d(2)(x).detach(), atol=2e-3, rtol=0)


def test_batch_norm_of_no_images_is_of_no_images() -> None:
    """In evaluation, and group norm always; in training there is nothing to take a mean of, which is an error."""
    empty = torch.empty(0, 4, 3, 2)
    assert BatchNorm2d(4).eval()(empty).shape == empty.shape
    layer = GroupNorm(2, 4)
    layer(Tensor(empty)).backward(empty)
    assert layer.weight is not None
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad, torch.zeros(4))


IMAGE_LAYERS: list[Callable[[], Module]] = [
    lambda: Conv2d(4, 2, 3, padding=1),
    lambda: Conv2d(4, 2, 3, padding="same", padding_mode="circular"),
    lambda: GatedConv2d(4, 2, 3),
    lambda: MaxPool2d(2),
    lambda: AvgPool2d(2, ceil_mode=True),
    lambda: AdaptiveAvgPool2d((2, 3)),
    lambda: AdaptiveAvgPool2d(1),
    lambda: GlobalAvgPool2d(),
    lambda: GlobalMaxPool2d(),
    lambda: Upsample(scale_factor=2),
    lambda: Upsample(7, mode="bilinear"),
    lambda: PixelShuffle(2),
    lambda: PixelUnshuffle(2),
]


@pytest.mark.parametrize("make", IMAGE_LAYERS)
def test_a_single_image_is_a_batch_of_one(make: Callable[[], Module]) -> None:
    layer, batch = make(), Tensor(normal(1, 4, 6, 8))
    image = Tensor(batch.data[0])
    y, expected = layer(image), layer(batch)
    torch.testing.assert_close(y.data, expected.data[0])
    v = normal(*expected.shape, seed=1)
    expected.backward(v)
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    y.backward(v[0])
    assert batch.grad is not None
    torch.testing.assert_close(image.grad, batch.grad[0])
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name])


def test_frozen_convolution_passes_the_gradient_on() -> None:
    frozen, trained = Conv2d(2, 3, 3).freeze(), Conv2d(2, 2, 1)
    x = normal(1, 2, 5, 5)
    sum(Sequential(trained, frozen)(x)).backward()
    assert trained.weight.grad is not None
    assert frozen.weight.grad is None


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (matmul, (normal(4, 8), normal(8, 3))),
        (lambda x: Linear(8, 4).to(dtype=x.dtype)(x), (normal(4, 8),)),
        (lambda x: Conv2d(4, 3, 3, padding=1).to(dtype=x.dtype)(x), (normal(2, 4, 6, 6),)),
        (lambda x: Conv2d(4, 4, 3, groups=2, stride=2).to(dtype=x.dtype)(x), (normal(2, 4, 6, 6),)),
    ],
    ids=["matmul", "linear", "convolution", "groups"],
)
def test_bfloat16_on_the_matrix_path(f: Callable[..., Tensor], inputs: tuple[Array, ...]) -> None:
    """Eight bits of mantissa: within 3 % of the largest value."""

    def run(dtype: torch.dtype) -> list[Array]:
        torch.manual_seed(0)
        leaves = [Tensor(x.to(dtype)) for x in inputs]
        y = f(*leaves)
        y.backward(normal(*y.shape, seed=5).to(dtype))
        return [y.data, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    for low, full in zip(run(torch.bfloat16), run(torch.float32), strict=True):
        assert low.dtype == torch.bfloat16
        assert (low.float() - full).abs().max() <= 0.03 * full.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_gradient_of_a_repeated_matrix_is_summed_in_float32(dtype: torch.dtype) -> None:
    """Of 64 products, each rounded, the sum would be off by several roundings."""
    many, one, v = normal(64, 3, 4).to(dtype), normal(4, 5, seed=1).to(dtype), normal(64, 3, 5, seed=2).to(dtype)
    exact = torch.einsum("bij,bik->jk", many.double(), v.double())
    for arguments, ȳ, position in (((many, one), v, 1), ((one.mT, many.mT), v.mT, 0)):
        _, pullback = matmul.rule(*arguments)
        gradients: Any = pullback(ȳ)
        found = gradients[position]().double()
        off = (found if position else found.mT) - exact
        assert (off.abs() <= torch.finfo(dtype).eps / 2 * exact.abs() + 1e-5).all()


def test_no_grad_gives_the_same_value() -> None:
    block, x = ResidualBlock(3).eval(), normal(1, 3, 4, 4)
    with no_grad():
        y = block(x)
    assert not y.tracked
    assert torch.equal(y.data, block(x).data)


@mock.patch.object(standardise, "CACHE_BYTES", 2**19)
def test_norms_of_images_that_are_taken_block_by_block() -> None:
    """1.5 MB are three blocks; a mean of 1,000 leaves float32 no digit of the squares' difference."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 128, 128, generator=generator, dtype=torch.float64) + 1000
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    assert len(standardise._blocks(x)) == 3
    for ours, twin in (
        (BatchNorm2d(4), torch.nn.BatchNorm2d(4)),
        (GroupNorm(2, 4), torch.nn.GroupNorm(2, 4)),
    ):
        ours.to(dtype=torch.float64)
        mine, theirs = Tensor(x), x.clone().requires_grad_()
        y, expected = ours(mine), twin.double()(theirs)
        y.backward(v)
        expected.backward(v)
        torch.testing.assert_close(y.data, expected.detach(), rtol=0, atol=1e-10)
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-10)
        single = ours.to(dtype=torch.float32)(x.float()).data
        torch.testing.assert_close(single.double(), expected.detach(), rtol=0, atol=1e-3)


def test_group_norm_in_bfloat16_loses_no_more_than_the_result_does() -> None:
    x = (normal(4, 8, 8, 8) + 3).bfloat16()
    exact = torch.nn.functional.group_norm(x.double(), 4)
    ours, theirs = GroupNorm(4, 8).to(dtype=torch.bfloat16)(x).data, torch.nn.functional.group_norm(x, 4)
    assert ours.dtype == torch.bfloat16
    assert (ours - exact).norm() <= 1.1 * (theirs - exact).norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("training", [True, False])
@mock.patch.object(standardise, "CACHE_BYTES", 2**12)
def test_norms_in_half_precision_are_rounded_once(dtype: torch.dtype, training: bool) -> None:
    x, v = (normal(5, 4, 16, 16, seed=seed).to(dtype) for seed in (0, 1))
    assert len(standardise._blocks(x)) == 5
    for kind, channels in ((BatchNorm2d, (4,)), (GroupNorm, (2, 4))):
        found = []
        for precision in (dtype, torch.float64):
            layer = kind(*channels).to(dtype=precision).train(training)  # type: ignore[call-arg]
            argument = Tensor(x.to(precision))
            y = layer(argument)
            y.backward(v.to(precision))
            found.append([y.data, *(t.grad for t in (argument, layer.weight, layer.bias) if t is not None)])
        for low, exact in zip(*found, strict=True):
            assert low is not None
            assert exact is not None
            assert low.dtype == dtype
            rounding = torch.finfo(dtype).eps / 2 * exact.abs()  # of each number by itself; float32's is far smaller
            assert ((low.double() - exact).abs() <= rounding + 1e-5 * exact.abs().max()).all()
