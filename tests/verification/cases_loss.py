"""The cases of the softmax family and of the losses that torch.nn has as modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photomend import layers
from photomend.core import Array
from photomend.tests.reference.loops import loss, softmax
from photomend.tests.verification.case import Case, Draw, Groups, State, apart, layer, normal, op, positive
from torch import nn


def _of_input(loops: Callable[..., np.ndarray], *options: Any) -> Callable[[State, np.ndarray], np.ndarray]:
    """The loops of a layer without weights, which get the (empty) state all the same."""
    return lambda state, x: loops(x, *options)


_SOFTMAX = [
    op(f"{name}/{setting}", getattr(layers, name), normal(*shape), twin=twin, loops=f, dim=dim)
    for name, twin, f in (
        ("softmax", torch.softmax, softmax.softmax),
        ("log_softmax", torch.log_softmax, softmax.log_softmax),
        ("logsumexp", torch.logsumexp, softmax.logsumexp),
    )
    for setting, shape, dim in (
        ("columns", (3, 4), 0),
        ("channels", (2, 3, 2, 2), -3),
        ("rows", (3, 4), 1),
        ("a single line", (5,), -1),
    )
    # Of a cotangent that is the same all along its axis softmax's gradient is 0, and no error can be relative to it. An
    # expanded cotangent is such a one along the last axis: test_softmax.py has that axis.
    if name != "softmax" or setting in ("columns", "channels")
]
_SOFTMAX += [
    op(
        f"logsumexp/{setting}",
        layers.logsumexp,
        normal(2, 3, 4),
        twin=torch.logsumexp,
        loops=softmax.logsumexp,
        dim=dim,
        keepdim=keepdim,
    )
    for setting, dim, keepdim in (("kept axis", 1, True), ("two axes", (0, 2), False), ("two kept axes", (0, -1), True))
]
_SOFTMAX += [
    layer(name, (dim,), partial(twin, dim), normal(2, 3, 4), _of_input(f, dim))
    for name, twin, f, dim in (
        ("Softmax", nn.Softmax, softmax.softmax, 1),
        ("LogSoftmax", nn.LogSoftmax, softmax.log_softmax, -1),
        ("Softmin", nn.Softmin, lambda x, dim: softmax.softmax(-x, dim), 1),
    )
]


def beside(*shape: int) -> Draw:
    """Targets halfway between the numbers that `apart` draws, so that no difference is near 0."""
    return lambda generator: apart(*shape)(generator) + 3 / (torch.Size(shape).numel() - 1)


_W = torch.tensor([0.4, 1.7, 0.9], dtype=torch.float64)
_V = torch.tensor([2.5, 0.3, 1.2], dtype=torch.float64)

_ELEMENTWISE = [
    op(f"{name}/{reduction}", getattr(layers, name), *draws, twin=twin, loops=f, linear_in=linear, reduction=reduction)
    for name, twin, f, draws, linear in (
        ("mse_loss", F.mse_loss, loss.mse_loss, (normal(2, 3, 4), normal(2, 3, 4)), ()),
        ("huber_loss", F.huber_loss, loss.huber_loss, (apart(2, 3, 4), beside(2, 3, 4)), ()),
        ("l1_loss", F.l1_loss, loss.l1_loss, (apart(2, 3, 4), beside(2, 3, 4)), ((0, 1),)),
        (
            "binary_cross_entropy_with_logits",
            F.binary_cross_entropy_with_logits,
            loss.binary_cross_entropy_with_logits,
            (normal(2, 3, 4), normal(2, 3, 4)),
            (),
        ),
    )
    for reduction in ("none", "mean", "sum")
]
_ELEMENTWISE += [
    op(
        f"binary_cross_entropy_with_logits/{setting}",
        layers.binary_cross_entropy_with_logits,
        normal(2, 3),
        normal(2, 3),
        twin=F.binary_cross_entropy_with_logits,
        loops=loss.binary_cross_entropy_with_logits,
        **weights,  # type: ignore[arg-type]
    )
    for setting, weights in (
        ("weights of columns", {"weight": _W, "pos_weight": _V}),
        ("weights of elements", {"weight": _V * torch.tensor([[0.5], [2.0]], dtype=torch.float64)}),
    )
]


def probabilities(*shape: int) -> Draw:
    """Numbers well inside (0, 1)."""
    return lambda generator: 0.3 + 0.4 * torch.sigmoid(normal(*shape)(generator))


_ELEMENTWISE += [
    op(
        f"binary_cross_entropy/{reduction}",
        layers.binary_cross_entropy,
        probabilities(2, 3),
        probabilities(2, 3),
        twin=F.binary_cross_entropy,
        loops=loss.binary_cross_entropy,
        reduction=reduction,
        **weights,  # type: ignore[arg-type]
    )
    for reduction, weights in (("none", {}), ("mean", {"weight": _W}), ("sum", {"weight": _V}))
]

_ELEMENTWISE += [
    op("huber_loss/small delta", layers.huber_loss, apart(2, 3, 4), beside(2, 3, 4), twin=F.huber_loss,
       loops=loss.huber_loss, delta=0.5),
]  # fmt: skip

_CLASSES = torch.tensor([2, 0, 1, 2])
_PIXELS = torch.tensor([[[0, 2], [1, 1]], [[2, 2], [0, 1]]])
_OF_CLASSES = [
    op(
        f"{name}/{setting}",
        getattr(layers, name),
        draw,
        twin=twin,
        loops=f,
        linear_in=((0,),) if name == "nll_loss" else (),
        target=target,
        **options,
    )
    for name, twin, f in (
        ("nll_loss", F.nll_loss, loss.nll_loss),
        ("cross_entropy", F.cross_entropy, loss.cross_entropy),
    )
    for setting, draw, target, options in (
        ("points", normal(4, 3), _CLASSES, {}),
        ("points, each", normal(4, 3), _CLASSES, {"reduction": "none", "weight": _W}),
        ("points, weighted", normal(4, 3), _CLASSES, {"weight": _W}),
        ("points, some ignored", normal(4, 3), _CLASSES, {"ignore_index": 2, "weight": _W}),
        ("points, some no class", normal(4, 3), torch.tensor([2, -100, 0, -100]), {}),
        ("one point", normal(3), torch.tensor(1), {}),
        ("one point, itself", normal(3), torch.tensor(2), {"reduction": "none", "weight": _W}),
        ("pixels", normal(2, 3, 2, 2), _PIXELS, {"weight": _W}),
        ("pixels, each", normal(2, 3, 2, 2), _PIXELS, {"reduction": "none", "ignore_index": 1}),
        ("pixels, sum", normal(2, 3, 2, 2), _PIXELS, {"reduction": "sum"}),
    )
]
_OF_CLASSES += [
    op(
        f"cross_entropy/smoothed, {setting}",
        layers.cross_entropy,
        normal(2, 3, 2, 2),
        twin=F.cross_entropy,
        loops=loss.cross_entropy,
        target=_PIXELS,
        label_smoothing=0.2,
        **options,  # type: ignore[arg-type]
    )
    for setting, options in (
        ("pixels", {}),
        ("weighted", {"weight": _W, "ignore_index": 2}),
        ("each", {"reduction": "none", "ignore_index": 0}),
    )
]
_OF_CLASSES += [
    op(
        f"cross_entropy/probabilities, {setting}",
        layers.cross_entropy,
        normal(*shape),
        positive(*shape),
        twin=F.cross_entropy,
        loops=loss.cross_entropy,
        linear_in=() if "label_smoothing" in options else ((1,),),
        **options,  # type: ignore[arg-type]
    )
    for setting, shape, options in (
        ("points", (4, 3), {}),
        ("one point", (3,), {"weight": _W}),
        ("pixels", (2, 3, 2, 2), {"weight": _W, "reduction": "sum"}),
        ("each", (2, 3, 2, 2), {"reduction": "none"}),
        ("smoothed", (2, 3, 2), {"label_smoothing": 0.3, "weight": _W}),
    )
]


def with_target(kind: type, target: Array) -> Callable[..., Any]:
    """A loss's class, ours or torch's, whose instances know their target."""

    class WithTarget(kind):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return super().forward(x, target.to(x.device, x.dtype if target.is_floating_point() else None))

    return WithTarget


def loss_layer(
    setting: str, draw: Draw, target: Array, loops: Callable[..., np.ndarray], linear_in: Groups = (), **options: Any
) -> Case:
    """The case of a loss module, against a fixed target."""
    name = setting.partition("/")[0]
    plain = {key: option for key, option in options.items() if not isinstance(option, Array)}
    return Case(
        setting,
        lambda: with_target(getattr(layers, name), target)(**options),
        lambda: with_target(getattr(nn, name), target)(**options),
        (draw,),
        lambda state, x: loops(x, target.numpy(), **state, **plain),
        linear_in=linear_in,
    )


_ZEROS = torch.full((2, 3, 4), 0.01, dtype=torch.float64)
_LAYERS = [
    loss_layer("MSELoss", normal(2, 3, 4), _ZEROS, loss.mse_loss),
    loss_layer("MSELoss/sum", normal(2, 3, 4), _ZEROS, loss.mse_loss, reduction="sum"),
    loss_layer("HuberLoss", apart(2, 3, 4), _ZEROS, loss.huber_loss),
    loss_layer("HuberLoss/all options", apart(2, 3, 4), _ZEROS, loss.huber_loss, reduction="sum", delta=1.6),
    loss_layer("SmoothL1Loss", apart(2, 3, 4), _ZEROS, loss.smooth_l1_loss),
    loss_layer("SmoothL1Loss/all options", apart(2, 3, 4), _ZEROS, loss.smooth_l1_loss, reduction="none", beta=1.6),
    loss_layer("SmoothL1Loss/absolute", apart(2, 3, 4), _ZEROS, loss.smooth_l1_loss, beta=0.0),
    loss_layer("L1Loss", apart(2, 3, 4), _ZEROS, loss.l1_loss),
    loss_layer("L1Loss/none", apart(2, 3, 4), _ZEROS, loss.l1_loss, reduction="none"),
    loss_layer("BCELoss", probabilities(2, 3, 4), _ZEROS, loss.binary_cross_entropy),
    loss_layer(
        "BCELoss/weighted",
        probabilities(2, 3),
        _ZEROS[0, :2, :3],
        loss.binary_cross_entropy,
        weight=_W,
        reduction="sum",
    ),
    loss_layer("BCEWithLogitsLoss", normal(2, 3, 4), _ZEROS, loss.binary_cross_entropy_with_logits),
    loss_layer(
        "BCEWithLogitsLoss/weighted",
        normal(4, 3),
        _CLASSES.double()[:, None].expand(4, 3) / 2,
        loss.binary_cross_entropy_with_logits,
        weight=_W,
        pos_weight=_V,
        reduction="sum",
    ),
    loss_layer("NLLLoss", normal(4, 3), _CLASSES, loss.nll_loss, linear_in=((0,),)),
    loss_layer("NLLLoss/weighted", normal(4, 3), _CLASSES, loss.nll_loss, weight=_W, ignore_index=0, reduction="none"),
    loss_layer("CrossEntropyLoss", normal(4, 3), _CLASSES, loss.cross_entropy),
    loss_layer(
        "CrossEntropyLoss/all options",
        normal(2, 3, 2, 2),
        _PIXELS,
        loss.cross_entropy,
        weight=_W,
        ignore_index=1,
        reduction="none",
        label_smoothing=0.1,
    ),
]

LOSS_CASES: list[Case] = [*_SOFTMAX, *_ELEMENTWISE, *_OF_CLASSES, *_LAYERS]
