"""Cases at kinks and ties, where no derivative exists: the convention is always torch's.

Differences see nothing there but the two sides, so these cases stand beside the registry and are compared with torch
and, for the value, with the loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from photomend import core, layers
from photomend.core import Array, Tensor
from photomend.tests.reference import gan_twins
from photomend.tests.reference.loops import activation, gan, loss, pooling
from photomend.tests.reference.loops import core as loops
from photomend.tests.reference.loops.activation import elementwise
from photomend.tests.verification.case import Case, Draw, op
from photomend.tests.verification.cases_sequences import WORDS, embedding_case
from photomend.tests.verification.cases_train import hole_loss_case
from photomend.train.losses import hinge_loss


def _exactly(values: Sequence[object]) -> Draw:
    return lambda generator: torch.tensor(values, dtype=torch.float64)


def _hinge_loss(scores: Tensor, *, patches: Array, sign: int) -> Tensor:
    return hinge_loss(scores, patches, sign=sign)


_AROUND_ZERO = _exactly([[-1.0, 0.0, 2.0], [-0.0, 0.5, -2.0]])
_AROUND_ONE = _exactly([[-1.0, 1.0, 2.0], [0.0, -2.0, 1.0]])
_PLATEAU = _exactly([[[[1, 1, 0, 1], [1, 1, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0]]]])
_TIES = _exactly([[1, 2, 2], [3, 3, 3], [0, 0, -1]])

_ACTIVATIONS = [
    op(f"{name}/at 0", primitive, _AROUND_ZERO, twin=twin, loops=partial(elementwise, f))
    for name, primitive, twin, f in (
        ("relu", layers.relu, F.relu, activation.relu),
        ("leaky_relu", layers.leaky_relu, F.leaky_relu, activation.leaky_relu),
        ("absolute", core.absolute, torch.abs, abs),
    )
]
_ACTIVATIONS += [
    op(
        f"elu/kink at 0, alpha {alpha}",
        layers.elu,
        _AROUND_ZERO,
        twin=F.elu,
        loops=lambda x, alpha: elementwise(lambda v: activation.elu(v, alpha), x),
        alpha=alpha,
    )
    for alpha in (2.0, 0.5)
]
_ACTIVATIONS += [
    op("hardtanh/at its edges", layers.hardtanh, _AROUND_ONE, twin=F.hardtanh,
       loops=partial(elementwise, activation.hardtanh)),
    op("hardswish/at its edges", layers.hardswish, _exactly([[-3.0, 3.0], [0.0, 4.0]]), twin=F.hardswish,
       loops=partial(elementwise, activation.hardswish)),
    op("prelu/at 0", layers.prelu, _AROUND_ZERO, _exactly([0.5, -0.5, 2.0]), twin=F.prelu, loops=activation.prelu),
]  # fmt: skip

_CHOICES = [
    op(
        "clamp/at its edges",
        core.clamp,
        _AROUND_ZERO,
        twin=torch.clamp,
        loops=loops.clamp,
        min=-1.0,
        max=0.5,
    ),
    *(
        op(
            f"{primitive.name}/ties",
            primitive,
            _exactly([1, 2, 3]),
            _exactly([[1, 3, 2], [0, 2, 4]]),
            twin=twin,
            loops=lambda a, b, f=f: elementwise(f, a, b),
        )
        for primitive, twin, f in ((core.maximum, torch.maximum, max), (core.minimum, torch.minimum, min))
    ),
    *(
        op(
            f"{primitive.name}/ties, dim {dim}",
            primitive,
            _TIES,
            twin=twin,
            loops=loops.reduce(f),
            dim=dim,
            keepdim=keepdim,
        )
        for primitive, twin, f in ((core.amax, torch.amax, max), (core.amin, torch.amin, min))
        for dim, keepdim in ((1, False), ((0, 1), True))
    ),
]

_POWERS = [
    op(
        f"power/{exponent} at 0",
        core.power,
        _AROUND_ZERO,
        twin=torch.pow,
        loops=lambda x, exponent: elementwise(lambda v: v**exponent, x),
        exponent=exponent,
    )
    for exponent in (0, 1, 2)
]
_POWERS += [
    op(
        "power/exponents in an array, at 0",  # below 0 their own gradient is NaN
        core.power,
        _exactly([[1.5, 0.0, 0.0], [0.0, 0.5, 0.0]]),
        _exactly([[0.0, 1.0, 3.0], [0.0, 0.0, 2.0]]),
        twin=torch.pow,
        loops=partial(elementwise, lambda v, n: v**n),
    )
]

_WINDOWS: dict[str, dict[str, Any]] = {
    "plateau": {"kernel_size": 2},
    "plateau, padding": {"kernel_size": 3, "stride": 1, "padding": 1},
}
_POOLING = [
    op(f"max_pool2d/{name}", layers.max_pool2d, _PLATEAU, twin=F.max_pool2d, loops=pooling.max_pool2d, **options)
    for name, options in _WINDOWS.items()
]

_HINGES = [
    op(
        f"hinge_loss/at the hinge of sign {sign}",
        _hinge_loss,
        _AROUND_ONE,
        twin=gan_twins.hinge_loss,
        loops=gan.hinge_loss,
        patches=torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64),
        sign=sign,
    )
    for sign in (1, -1)
]

_L1 = [
    op(
        f"l1_loss/no difference, {reduction}",
        layers.l1_loss,
        _AROUND_ZERO,
        _exactly([[-1.0, 0.0, 2.5], [0.0, -0.5, -2.0]]),
        twin=F.l1_loss,
        loops=loss.l1_loss,
        reduction=reduction,
    )
    for reduction in ("none", "mean")
]

#: A row that gets no gradient, though the value depends on it.
_PADDING = [embedding_case(f"embedding/padding {index}", WORDS, padding_idx=index) for index in (2, 0, -2)]

KINK_CASES: list[Case] = [
    *_ACTIVATIONS,
    *_CHOICES,
    *_POWERS,
    *_POOLING,
    *_HINGES,
    *_L1,
    *_PADDING,
    hole_loss_case(
        "hole_loss/perfect pixels", lambda generator: torch.zeros(2, 3, 3, 4, dtype=torch.float64), target=0.0
    ),
]
