"""Spectral normalisation where the registry of cases can't look: the power iteration on its way, and its state."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Tensor
from photomend.layers import SpectralConv2d, spectral_norm
from photomend.layers.spectral_norm import power_iteration
from torch import nn


def layer(seed: int = 0) -> SpectralConv2d:
    torch.manual_seed(seed)
    return SpectralConv2d(3, 5, 3, padding=1).to(dtype=torch.float64)


def unconverged(made: SpectralConv2d) -> None:
    """Put random unit vectors in the place of the layer's."""
    for buffer in (made.weight_u, made.weight_v):
        random = torch.randn_like(buffer.data)
        buffer.data = random / random.norm()


def older(made: SpectralConv2d) -> nn.Module:
    twin = nn.utils.spectral_norm(nn.Conv2d(3, 5, 3, padding=1).double())
    twin.load_state_dict(made.state_dict())
    return twin


def newer(made: SpectralConv2d) -> nn.Module:
    """torch's other implementation, under its own names."""
    twin = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 5, 3, padding=1).double())
    ours = made.state_dict()
    names = {
        "bias": "bias",
        "weight_orig": "parametrizations.weight.original",
        "weight_u": "parametrizations.weight.0._u",
        "weight_v": "parametrizations.weight.0._v",
    }
    twin.load_state_dict({theirs: ours[name] for name, theirs in names.items()})
    return twin


def test_steps_of_training_are_torchs() -> None:
    """Far from convergence: values, gradients and the power iteration's state, step by step, then in evaluation."""
    made = layer()
    unconverged(made)
    twin = older(made)
    generator = torch.Generator().manual_seed(1)
    for step in range(6):
        training = step < 4
        made.train(training)
        twin.train(training)
        x, v = (torch.randn(2, n, 4, 5, generator=generator, dtype=torch.float64) for n in (3, 5))
        leaf, theirs = Tensor(x), x.clone().requires_grad_()
        made.zero_grad()
        twin.zero_grad()
        y, expected = made(leaf), twin(theirs)
        y.backward(v)
        expected.backward(v)
        same(y.data, expected.detach())
        same(leaf.grad, theirs.grad)
        for name, buffer in made.named_buffers():
            same(buffer.data, twin.get_buffer(name))
        for name, parameter in made.named_parameters():
            other = twin.get_parameter(name)
            same(parameter.grad, other.grad)
            assert parameter.grad is not None
            parameter.data -= 0.1 * parameter.grad
            other.data -= 0.1 * parameter.grad


def same(ours: Array | None, theirs: Array | None) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_evaluation_is_torchs_other_implementation() -> None:
    made = layer()
    unconverged(made)
    made.eval()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(made(x).data, newer(made).eval()(x).detach(), rtol=1e-12, atol=1e-12)


def test_evaluation_changes_nothing() -> None:
    made = layer().eval()
    before = {name: array.clone() for name, array in made.state_dict().items()}
    made(torch.randn(2, 3, 4, 5, dtype=torch.float64))
    assert all(torch.equal(array, before[name]) for name, array in made.state_dict().items())


def test_a_new_layer_stretches_nothing_by_more_than_it_says() -> None:
    """Fifteen moves bring σ within a few per cent of the largest singular value, and more moves all the way."""
    made = layer()
    w = made.weight_orig.data
    largest = torch.linalg.svdvals(w.flatten(1))[0]

    def σ() -> Array:
        return made.weight_u.data @ (w.flatten(1) @ made.weight_v.data)

    assert 0.9 * largest < σ() < largest * (1 + 1e-6)  # u and v were made in float32
    for _ in range(300):
        made(torch.zeros(1, 3, 3, 3, dtype=torch.float64))
    assert σ().item() == pytest.approx(largest.item(), rel=1e-9)
    normalised = spectral_norm(w, u=made.weight_u.data, v=made.weight_v.data)
    assert torch.linalg.svdvals(normalised.flatten(1))[0].item() == pytest.approx(1)


def test_the_state_travels() -> None:
    made, other = layer(0), layer(1)
    assert set(made.state_dict()) == {"bias", "weight_orig", "weight_u", "weight_v"}
    made(torch.zeros(1, 3, 3, 3, dtype=torch.float64))
    other.load_state_dict(made.state_dict())
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    assert torch.equal(made(x).data, other(x).data)
    assert torch.equal(made.weight_u.data, other.weight_u.data)


def test_two_forward_passes_before_the_backward_passes() -> None:
    """The second forward pass moves u and v on; the first tape has the old ones."""
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    v = torch.randn(1, 5, 4, 4, dtype=torch.float64)

    def gradient(both: bool) -> Array:
        made = layer()
        unconverged(made)
        y = made(x)
        if both:
            made(x)
        y.backward(v)
        grad = made.weight_orig.grad
        assert grad is not None
        return grad

    assert torch.equal(gradient(both=True), gradient(both=False))


def test_a_weight_of_zeros_does_not_divide_by_zero_in_the_iteration() -> None:
    u, v = power_iteration(torch.zeros(2, 3), torch.ones(2))
    assert torch.equal(u, torch.zeros(2))
    assert torch.equal(v, torch.zeros(3))


def test_a_weight_of_zeros_gives_nan_as_in_torch() -> None:
    made = layer()
    made.weight_orig.data.zero_()
    x = torch.ones(1, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(made(x).data, older(made)(x).detach(), equal_nan=True)
    assert made(x).data.isnan().all()


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"u \(3,\) and v \(6,\) must be \(2,\) and \(6,\) for a weight of shape"):
        spectral_norm(torch.zeros(2, 3, 2), u=torch.zeros(3), v=torch.zeros(6))
