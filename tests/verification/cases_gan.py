"""The cases of what trains networks against each other: spectral normalisation and the adversarial losses."""

from __future__ import annotations

from functools import partial

import torch
from photomend.core import Array, Module, Tensor
from photomend.layers import SpectralConv2d, spectral_norm
from photomend.layers.spectral_norm import power_iteration
from photomend.tests.reference import gan_twins as twins
from photomend.tests.reference.loops import gan as loops
from photomend.tests.verification.case import Case, apart, layer, normal, op, positive
from photomend.train.losses import hinge_loss, patch_mean


def _vector(size: int, seed: int) -> Array:
    """A unit vector that is no singular vector of anything, so that a rule which takes it for one is caught.

    Its entries are positive: with a positive weight σ is far from 0, where the division would bend too much to measure.
    """
    x = 0.1 + torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm()


def start_power_iteration(module: Module) -> None:
    """u and v of every layer from a fixed start, since a layer's own is random, and moved once from there."""
    for _, inner in module.named_modules():
        if isinstance(inner, SpectralConv2d):
            w = inner.weight_orig.data
            inner.weight_u.data, inner.weight_v.data = power_iteration(w, _vector(len(w), 5))


_SPECTRAL = [
    op(
        f"spectral_norm/{setting}",
        spectral_norm,
        positive(*shape),
        twin=twins.spectral_norm,
        loops=loops.spectral_norm,
        u=_vector(shape[0], 3),
        v=_vector(torch.Size(shape[1:]).numel(), 4),
    )
    for setting, shape in (("kernel", (4, 2, 3, 2)), ("matrix", (3, 5)), ("one output", (1, 3, 2, 2)))
]
_SPECTRAL += [
    layer(
        f"SpectralConv2d/{setting}",
        (2, outputs, 3),
        partial(twins.spectral_conv2d, 2, outputs, 3, stride=2, padding=1),
        normal(2, 2, 5, 4),
        partial(loops.spectral_conv2d, training=training, stride=2, padding=1),
        linear_in=((0, "bias"),),
        training=training,
        settle=start_power_iteration,
        stride=2,
        padding=1,
    )
    for setting, outputs, training in (
        ("eval", 3, False),
        # With one output a single move finds v from wherever it stands, so differences see one and the same function.
        # With more it would follow the differences' weights; test_spectral_norm.py has training on its way.
        ("training, one output", 1, True),
    )
]

_PATCHES = torch.tensor([[1, 0, 1], [1, 1, 0]], dtype=torch.float64).reshape(1, 1, 2, 3).repeat(2, 1, 1, 1)


def _hinge_loss(scores: Tensor, *, patches: Array, sign: int) -> Tensor:
    """The loss as a function of the scores: the patches are given, and nobody asks for their gradient."""
    return hinge_loss(scores, patches, sign=sign)


def _patch_mean(scores: Tensor, *, patches: Array) -> Tensor:
    return patch_mean(scores, patches)


_LOSSES = [
    op(
        f"hinge_loss/{setting}",
        _hinge_loss,
        apart(2, 1, 2, 3),
        twin=twins.hinge_loss,
        loops=loops.hinge_loss,
        patches=_PATCHES,
        sign=sign,
    )
    for setting, sign in (("real", 1), ("fake", -1))
]
_LOSSES += [
    op(
        "patch_mean",
        _patch_mean,
        normal(2, 1, 2, 3),
        twin=twins.patch_mean,
        loops=loops.patch_mean,
        linear_in=((0,),),
        patches=_PATCHES,
    )
]

GAN_CASES: list[Case] = [*_SPECTRAL, *_LOSSES]
