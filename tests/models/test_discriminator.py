"""The discriminator against its torch.nn twin, and what it takes for a patch of the hole."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from photomend.core import Tensor
from photomend.models.discriminator import PatchDiscriminator, hole_patches
from photomend.tests.models.holes import crops, rectangle
from photomend.tests.reference import gan_twins

WIDTHS = (4, 6, 8)


def made(seed: int = 0) -> PatchDiscriminator:
    torch.manual_seed(seed)
    return PatchDiscriminator(WIDTHS).to(dtype=torch.float64)


@pytest.mark.parametrize("training", [True, False])
def test_scores_and_gradients_are_the_twins(training: bool) -> None:
    discriminator = made().train(training)
    twin = gan_twins.PatchDiscriminator(WIDTHS).double().train(training)
    twin.load_state_dict(discriminator.state_dict())
    photo, mask = crops(2, 48)
    leaf, theirs = Tensor(photo), photo.clone().requires_grad_()
    for _ in range(2):  # the second call finds the power iteration where the first has left it
        y, expected = discriminator(leaf, mask), twin(theirs, mask)
        torch.testing.assert_close(y.data, expected.detach(), rtol=1e-10, atol=1e-12)
        v = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        y.backward(v)
        expected.backward(v)
    torch.testing.assert_close(leaf.grad, theirs.grad, rtol=1e-10, atol=1e-12)
    for name, parameter in discriminator.named_parameters():
        torch.testing.assert_close(parameter.grad, twin.get_parameter(name).grad, rtol=1e-10, atol=1e-12)
    for name, array in discriminator.state_dict().items():
        torch.testing.assert_close(array, twin.state_dict()[name], rtol=1e-10, atol=1e-12)


def test_a_score_sees_17_pixels_around_its_cell() -> None:
    discriminator = made().eval()
    photo = Tensor(torch.rand(1, 3, 128, 128, dtype=torch.float64))
    scores = discriminator(photo, torch.zeros(1, 1, 128, 128, dtype=torch.float64))
    one = torch.zeros_like(scores.data)
    one[..., 16, 16] = 1
    scores.backward(one)
    assert photo.grad is not None
    rows = photo.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (4 * 16 - 8, 4 * 16 + 8)


def test_the_mask_is_seen() -> None:
    discriminator = made().eval()
    photo, mask = crops(1, 48)
    assert not torch.equal(discriminator(photo, mask).data, discriminator(photo, torch.zeros_like(mask)).data)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 39), st.integers(0, 47), st.integers(1, 40), st.integers(1, 48))
def test_patches_of_the_hole_are_those_whose_own_cell_it_touches(top: int, left: int, height: int, width: int) -> None:
    mask = rectangle(40, 48, top, left, top + height, left + width)
    for (row, column), touched in zip(
        torch.cartesian_prod(torch.arange(10), torch.arange(12)), hole_patches(mask).flatten(), strict=True
    ):
        cell = mask[0, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert touched == cell.any()


def test_sizes_that_cells_do_not_divide_are_refused() -> None:
    photo, mask = torch.zeros(1, 3, 40, 42), torch.zeros(1, 1, 40, 42)
    with pytest.raises(ValueError, match="size 40x42 must be divisible by 4"):
        PatchDiscriminator(WIDTHS)(photo, mask)
    with pytest.raises(ValueError, match="size 40x42 must be divisible by 4"):
        hole_patches(mask)
