"""Spectral normalisation: a weight divided by its largest singular value, so that a layer stretches nothing.

Seen as a matrix W (an output channel a row), a weight stretches no vector by more than its largest singular value
σ(W). A discriminator whose weights are all divided by theirs can't become arbitrarily steep, and a generator that
trains against it gets gradients of a bounded size.

σ is found by power iteration. Two vectors are kept beside the weight, and each use makes one iteration:

    v ← Wᵀu / ‖Wᵀu‖        u ← Wv / ‖Wv‖        σ ≈ uᵀ W v

As the weight changes slowly, one iteration a training step keeps up with it.

Source: Miyato, Kataoka, Koyama & Yoshida, *Spectral normalization for generative adversarial networks* (2018),
algorithm 1 and section 2.2.
"""

from __future__ import annotations

import torch

from ..core import Array, Buffer, Module, Pullback, Tensor, primitive
from .conv import Conv2d, conv2d
from .windows import IntOrPair

#: Power iterations before a new layer is first used.
FIRST_ITERATIONS = 15


@primitive
def spectral_norm(w: Array, *, u: Array, v: Array) -> tuple[Array, Pullback]:
    """w / σ with σ = uᵀ W v, where W is w (O, …) as a matrix (O, K) and u (O,) and v (K,) are constants.

    Where u and v are the first singular vectors, σ is the largest singular value. Then it does no harm to hold them
    constant: they maximise uᵀ W v among unit vectors, so their own change doesn't change σ to first order. With
    dσ = uᵀ dW v and y = w / σ,

        dy = dw / σ − w dσ / σ² = (dw − y uᵀ dW v) / σ,     so     w̄ = (ȳ − ⟨ȳ, y⟩ u vᵀ) / σ.

    The second term takes out of the gradient what would only lengthen w, which the division undoes. A weight of zeros
    has σ = 0 and no direction to keep: 0 / 0 is NaN, as in torch.

    Raises:
        ValueError: u or v doesn't fit w.
    """
    matrix = w.flatten(1)
    if u.shape != matrix.shape[:1] or v.shape != matrix.shape[1:]:
        raise ValueError(
            f"spectral_norm: u {tuple(u.shape)} and v {tuple(v.shape)} must be {tuple(matrix.shape[:1])} and "
            f"{tuple(matrix.shape[1:])} for a weight of shape {tuple(w.shape)}"
        )
    σ = u @ (matrix @ v)
    y, shape = w / σ, w.shape

    def spectral_norm_pullback(ȳ: Array):
        return (ȳ - (ȳ * y).sum() * torch.outer(u, v).reshape(shape)) / σ

    return y, spectral_norm_pullback


def power_iteration(w: Array, u: Array, eps: float = 1e-12) -> tuple[Array, Array]:
    """(u, v) after one more iteration for the weight w (O, …); `eps` is the smallest length that is divided by."""
    matrix = w.flatten(1)
    v = _unit(matrix.mT @ u, eps)
    return _unit(matrix @ v, eps), v


def _unit(x: Array, eps: float) -> Array:
    return x / x.norm().clamp_min(eps)


class SpectralConv2d(Module):
    """A convolution whose weight is divided by its largest singular value.

    In training every call makes one power iteration; in evaluation u and v stay as they are.

    The trained weight is `weight_orig` (O, C, rows, columns), and `weight_u` (O,) and `weight_v` (C · rows · columns,)
    are the state of the power iteration: the names that ``torch.nn.utils.spectral_norm`` gives them. They start from
    a random direction and 15 iterations.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding: one number for both axes, or (rows, columns).

    >>> SpectralConv2d(4, 8, kernel_size=5, stride=2, padding=2)(torch.ones(1, 4, 16, 16)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
    ) -> None:
        plain = Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.stride, self.padding = plain.stride, plain.padding
        self.bias, self.weight_orig = plain.bias, plain.weight
        u = torch.randn(out_channels)
        for _ in range(FIRST_ITERATIONS):
            u, v = power_iteration(self.weight_orig.data, u)
        self.weight_u, self.weight_v = Buffer(u), Buffer(v)

    def forward(self, x: Array | Tensor) -> Tensor:
        if self.training:
            # New arrays: a tape that was recorded before still needs the old ones.
            self.weight_u.data, self.weight_v.data = power_iteration(self.weight_orig.data, self.weight_u.data)
        w = spectral_norm(self.weight_orig, u=self.weight_u.data, v=self.weight_v.data)
        return conv2d(x, w, self.bias, stride=self.stride, padding=self.padding)

    def extra_repr(self) -> str:
        o, c, *kernel = self.weight_orig.shape
        return f"{c}, {o}, kernel_size={tuple(kernel)}, stride={self.stride}, padding={self.padding}"
