"""The cases of normalisation and of the layers that are put together from others: attention, residual, sequences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from photomend import layers
from photomend.core import Array, Module, Tensor, recompute
from photomend.tests.reference import twins
from photomend.tests.reference.loops import attention, conv, norm
from photomend.tests.reference.loops.activation import elementwise, silu
from photomend.tests.verification.case import Case, State, apart, layer, normal, op
from torch import nn

_NORM_PRIMITIVES = [
    op(
        f"batch_norm/{'training' if training else 'eval'}, {setting}",
        layers.batch_norm,
        *draws,
        twin=twins.batch_norm,
        loops=norm.batch_norm,
        linear_in=((1, 2),) if len(draws) == 3 else (),
        running_mean=torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64),
        running_var=torch.tensor([0.7, 1.4, 0.9], dtype=torch.float64),
        training=training,
        momentum=momentum,
        eps=eps,
    )
    for training in (True, False)
    for setting, draws, momentum, eps in (
        ("images", (normal(2, 3, 2, 3), normal(3), normal(3)), 0.1, 1e-5),
        ("vectors", (normal(4, 3), normal(3), normal(3)), 0.4, 1e-5),
        ("not affine", (normal(2, 3, 4),), 0.1, 1e-5),
        ("large eps", (normal(4, 3), normal(3), normal(3)), 0.1, 0.2),
        # At N · H · W = 2 every x̂ is ±1 up to ε, so nearly all of the cotangent cancels.
        ("two values", (normal(2, 3, 1, 1), normal(3), normal(3)), 0.1, 1e-5),
    )
]
_NORM_PRIMITIVES += [
    op(
        f"group_norm/{setting}",
        layers.group_norm,
        *draws,
        twin=twins.group_norm,
        loops=norm.group_norm,
        linear_in=((1, 2),) if len(draws) == 3 else (),
        num_groups=num_groups,
        **options,
    )
    for setting, draws, num_groups, options in (
        ("images", (normal(2, 4, 2, 3), normal(4), normal(4)), 2, {}),
        ("vectors", (normal(3, 6), normal(6), normal(6)), 2, {}),
        ("one group", (normal(2, 3, 4), normal(3), normal(3)), 1, {}),
        ("not affine", (normal(2, 4, 3, 2),), 4, {}),
        ("large eps", (normal(2, 4, 3), normal(4), normal(4)), 2, {"eps": 0.2}),
    )
]


def _batch_norm(training: bool, **options: float) -> Callable[[State, np.ndarray], np.ndarray]:
    return lambda state, x: norm.batch_norm_layer(state, x, training, **options)


def _turned(kind: Any) -> Any:
    """Instance norm, ours or torch's, with the standardised axes before the channels: a cotangent that is repeated
    along the last axis would have the gradient 0 otherwise, and no error can be relative to it."""

    class Turned(kind):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return super().forward(x).transpose(x.ndim - 1, 0)

    return Turned


def _instance_case(
    setting: str,
    shape: tuple[int, ...],
    arguments: tuple[Any, ...],
    training: bool,
    single: bool = False,
    **options: Any,
) -> Case:
    """The case of an instance norm of 3 channels, made with `arguments` (eps, momentum, …) and `options`."""
    name = setting.partition("/")[0]
    images = (lambda x: x[None]) if single else (lambda x: x)

    def loops(state: State, x: np.ndarray) -> np.ndarray:
        y = norm.instance_norm_layer(state, images(x), training, *arguments[:2])
        return np.swapaxes(y[0] if single else y, 0, -1)

    return Case(
        setting,
        lambda: _turned(getattr(layers, name))(3, *arguments, **options),
        lambda: _turned(getattr(nn, name))(3, *arguments, **options),
        (normal(*shape),),
        loops,
        linear_in=() if not (options or arguments[2:]) else (("weight",),) if options.get("bias") is False else _AFFINE,
        training=training,
    )


_AFFINE: tuple[tuple[int | str, ...], ...] = (("weight", "bias"),)
_NORM_LAYERS = [
    case
    for training in (True, False)
    for mode in ("training" if training else "eval",)
    for case in (
        layer(f"BatchNorm1d/{mode}, vectors", (3,), lambda: nn.BatchNorm1d(3), normal(5, 3), _batch_norm(training),
              linear_in=_AFFINE, training=training),
        layer(f"BatchNorm1d/{mode}, sequences", (3,), lambda: nn.BatchNorm1d(3), normal(2, 3, 4), _batch_norm(training),
              linear_in=_AFFINE, training=training),
        layer(f"BatchNorm2d/{mode}", (3,), lambda: nn.BatchNorm2d(3), normal(2, 3, 2, 3), _batch_norm(training),
              linear_in=_AFFINE, training=training),
        layer(f"BatchNorm1d/{mode}, not affine", (3,), lambda: nn.BatchNorm1d(3, affine=False), normal(4, 3),
              _batch_norm(training), training=training, affine=False),
        layer(f"BatchNorm2d/{mode}, not affine", (3,), lambda: nn.BatchNorm2d(3, affine=False), normal(2, 3, 3, 2),
              _batch_norm(training), training=training, affine=False),
        layer(f"BatchNorm1d/{mode}, untracked", (3, 1e-5, 0.1, True, False),
              lambda: nn.BatchNorm1d(3, track_running_stats=False), normal(2, 3, 4), _batch_norm(training),
              linear_in=_AFFINE, training=training),
        layer(f"BatchNorm2d/{mode}, untracked", (3,), lambda: nn.BatchNorm2d(3, track_running_stats=False),
              normal(2, 3, 2, 3), _batch_norm(training), linear_in=_AFFINE, training=training,
              track_running_stats=False),
        *(
            layer(f"{name}/{mode}, no shift", (3,), partial(twin, 3, bias=False), draw, _batch_norm(training),
                  linear_in=(("weight",),), training=training, bias=False)
            for name, twin, draw in (
                ("BatchNorm1d", nn.BatchNorm1d, normal(5, 3)),
                ("BatchNorm2d", nn.BatchNorm2d, normal(2, 3, 2, 3)),
            )
        ),
        *(
            layer(f"{name}/{mode}, large eps", (3,), partial(twin, 3, eps=0.2, momentum=0.4), draw,
                  _batch_norm(training, eps=0.2, momentum=0.4), linear_in=_AFFINE, training=training,
                  eps=0.2, momentum=0.4)
            for name, twin, draw in (
                ("BatchNorm1d", nn.BatchNorm1d, normal(5, 3)),
                ("BatchNorm2d", nn.BatchNorm2d, normal(2, 3, 2, 3)),
            )
        ),
    )
]  # fmt: skip
_NORM_LAYERS += [
    case
    for training in (True, False)
    for mode in ("training" if training else "eval",)
    for name, shape in (("InstanceNorm1d", (2, 3, 4)), ("InstanceNorm2d", (2, 3, 2, 3)))
    for case in (
        _instance_case(f"{name}/{mode}", shape, (0.1,), training),
        _instance_case(f"{name}/{mode}, small eps", shape, (), training, affine=True),
        _instance_case(f"{name}/{mode}, a single one", shape[1:], (0.1,), training, single=True),
        _instance_case(f"{name}/{mode}, no shift", shape, (0.1, 0.1, True), training, bias=False),
        _instance_case(f"{name}/{mode}, tracked", shape, (0.1, 0.3, True, True), training),
    )
]
_NORM_LAYERS += [
    layer(
        "GroupNorm/large eps",
        (2, 4),
        lambda: nn.GroupNorm(2, 4, eps=0.2),
        normal(2, 4, 2, 3),
        lambda s, x: norm.group_norm(x, s["weight"], s["bias"], num_groups=2, eps=0.2),
        linear_in=_AFFINE,
        eps=0.2,
    ),
    layer(
        "GroupNorm",
        (2, 4),
        lambda: nn.GroupNorm(2, 4),
        normal(2, 4, 3, 2),
        lambda s, x: norm.group_norm(x, s["weight"], s["bias"], num_groups=2),
        linear_in=_AFFINE,
    ),
    layer(
        "GroupNorm/no shift",
        (2, 4),
        lambda: nn.GroupNorm(2, 4, bias=False),
        normal(2, 4, 3, 2),
        lambda s, x: norm.group_norm(x, s["weight"], num_groups=2),
        linear_in=(("weight",),),
        bias=False,
    ),
    layer(
        "GroupNorm/not affine",
        (3, 3),
        lambda: nn.GroupNorm(3, 3, affine=False),
        normal(2, 3, 2, 4),
        lambda s, x: norm.group_norm(x, num_groups=3),
        affine=False,
    ),
]


def _clear_mlp(module: Module) -> None:
    """Put the hidden units of a channel attention well to either side of ReLU's kink."""
    for name, parameter in module.named_parameters():
        if name.endswith("mlp.0.weight"):
            parameter.data *= 0.05  # then at most 0.9 comes to the bias, for any input within ±3
        elif name.endswith("mlp.0.bias"):
            parameter.data = torch.tensor([1.5, -1.5, 1.2, 1.0], dtype=torch.float64)


def _clear_cbam(module: Module) -> None:
    """And weigh all channels nearly alike, so that values that are far apart still are when their channel is weighed.

    `apart` leaves 0.12 between two of 48 values; at weights of 0.5 ± 0.005 that is 0.06 less 0.03 at most.
    """
    _clear_mlp(module)
    for name, parameter in module.named_parameters():
        if name.startswith("channel.mlp.2."):
            parameter.data *= 0.002


def _clear_block(module: Module) -> None:
    """Put the channels before each ReLU of a residual block well to either side of its kink.

    Standardised values of n = 12 numbers are below √11 < 3.4, so |γ| ≤ 1 and β = ±6 are far enough, x added or not.
    """
    for bn, signs in (("bn1", (1, -1, 1)), ("bn2", (1, 1, -1))):
        for name, parameter in module.named_parameters():
            if name == f"{bn}.weight":
                parameter.data = torch.tensor([0.8, -1.0, 0.9], dtype=torch.float64)
            elif name == f"{bn}.bias":
                parameter.data = 6.0 * torch.tensor(signs, dtype=torch.float64)


def _residual_block(training: bool) -> Callable[[State, np.ndarray], np.ndarray]:
    return lambda state, x: attention.residual_block(state, x, training)


_BLOCKS = [
    layer("SqueezeExcitation", (8, 2), lambda: twins.SqueezeExcitation(8, 2), normal(2, 8, 2, 3),
          attention.squeeze_excitation, settle=_clear_mlp),
    layer("ChannelAttention", (8, 2), lambda: twins.ChannelAttention(8, 2), apart(2, 8, 2, 3),
          attention.channel_attention, settle=_clear_mlp),
    layer("SpatialAttention", (3,), lambda: twins.SpatialAttention(3), apart(2, 4, 3, 4),
          attention.spatial_attention),
    layer("SpatialAttention/norm", (3, True), lambda: twins.SpatialAttention(3, norm=True), apart(2, 4, 3, 4),
          attention.spatial_attention),
    layer("CBAM", (8, 2, 3), lambda: twins.CBAM(8, 2, 3), apart(1, 8, 2, 3), attention.cbam, settle=_clear_cbam),
    *(
        layer(f"ResidualBlock/{'training' if training else 'eval'}", (3,), lambda: twins.ResidualBlock(3),
              normal(2, 3, 2, 3), _residual_block(training), settle=_clear_block, training=training)
        for training in (True, False)
    ),
]  # fmt: skip


def _inner(name: str, state: State, x: np.ndarray) -> np.ndarray:
    return conv.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def _spatial_skip(state: State, x: np.ndarray) -> np.ndarray:
    return np.concatenate(
        (attention.spatial_attention(attention.under(state, "skip"), x), _inner("inner", state, x)), 1
    )


def _norm_of_conv(state: State, x: np.ndarray) -> np.ndarray:
    z = elementwise(silu, _inner("0", state, x))
    return norm.group_norm(z, state["2.weight"], state["2.bias"], num_groups=2)


class _Recomputed(layers.Sequential):
    """One layer after the other, each computed again for its gradient."""

    def forward(self, x: Array | Tensor) -> Tensor:
        y: Any = x
        for inner in self._layers:
            y = recompute(inner, y)
        return y


_PATHS = [
    Case(
        "Sequential",
        lambda: layers.Sequential(layers.Conv2d(2, 4, 3, padding=1), layers.SiLU(), layers.GroupNorm(2, 4)),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.GroupNorm(2, 4)),
        (normal(2, 2, 3, 4),),
        _norm_of_conv,
        linear_in=(("2.weight", "2.bias"),),
    ),
    Case(
        "Sequential/recomputed",
        lambda: _Recomputed(layers.Conv2d(2, 4, 3, padding=1), layers.SiLU(), layers.GroupNorm(2, 4)),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.GroupNorm(2, 4)),
        (normal(2, 2, 3, 4),),
        _norm_of_conv,
        linear_in=(("2.weight", "2.bias"),),
    ),
    Case(
        "Residual",
        lambda: layers.Residual(layers.Conv2d(3, 3, 3, padding=1)),
        lambda: twins.Residual(nn.Conv2d(3, 3, 3, padding=1)),
        (normal(2, 3, 4, 3),),
        lambda s, x: x + _inner("body", s, x),
        linear_in=((0, "body.bias"),),
    ),
    Case(
        "SkipConnection/plain",
        lambda: layers.SkipConnection(layers.Conv2d(3, 2, 3, padding=1)),
        lambda: twins.SkipConnection(nn.Conv2d(3, 2, 3, padding=1)),
        (normal(2, 3, 3, 4),),
        lambda s, x: np.concatenate((x, _inner("inner", s, x)), 1),
        linear_in=((0, "inner.bias"),),
    ),
    Case(
        "SkipConnection/attended",
        lambda: layers.SkipConnection(layers.Conv2d(3, 2, 3, padding=1), layers.SpatialAttention(3)),
        lambda: twins.SkipConnection(nn.Conv2d(3, 2, 3, padding=1), twins.SpatialAttention(3)),
        (apart(2, 3, 3, 4),),
        _spatial_skip,
    ),
]

COMPOSITION_CASES: list[Case] = [*_NORM_PRIMITIVES, *_NORM_LAYERS, *_BLOCKS, *_PATHS]
