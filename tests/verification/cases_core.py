"""The cases of the engine's own primitives: elementwise, products, reductions, shaping."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from photomend import core
from photomend.core import Tensor
from photomend.tests.reference import twins
from photomend.tests.reference.loops import core as loops
from photomend.tests.reference.loops.activation import elementwise
from photomend.tests.verification.case import Case, apart, away_from, normal, op, positive


def _where(a: Tensor, b: Tensor, *, condition: torch.Tensor) -> Tensor:
    return core.where(condition, a, b)


def _with_second(f: Callable[[Any, Any], Any], second: float, first: Any) -> Any:
    return f(first, second)


_CONDITION = torch.tensor([[True, False, True, True], [False, False, True, False]])
_TWICE = torch.tensor([2, 0, 2])

_ELEMENTWISE = [
    op(
        f"{name}/{setting}",
        core.all_primitives()[name],
        *draws,
        twin=twin,
        loops=lambda *xs, f=f: elementwise(f, *xs),
        linear_in=linear_in,
    )
    for name, twin, f, linear_in in (
        ("add", torch.add, lambda a, b: a + b, ((0, 1),)),
        ("subtract", torch.subtract, lambda a, b: a - b, ((0, 1),)),
        ("multiply", torch.multiply, lambda a, b: a * b, ((0,), (1,))),
        ("divide", torch.divide, lambda a, b: a / b, ((0,),)),
    )
    for setting, draws in (
        ("alike", (normal(3, 4), positive(3, 4))),
        ("second broadcast", (normal(2, 3, 4), positive(3, 1))),
        ("first broadcast", (normal(4), positive(2, 3, 4))),
        ("both broadcast", (normal(3, 1), positive(1, 4))),
        ("no axes", (normal(2, 3), positive())),
        ("a leading axis of 1", (normal(1), positive(1, 3))),
        ("axes of 1 only", (normal(2), positive(1, 1))),
        ("a leading axis that isn't 1", (normal(1), positive(2, 1, 3))),
    )
]

_WITH_A_NUMBER = [
    op(
        f"{name}/{setting}",
        ours,
        positive(2, 3),
        twin=plain,
        loops=lambda x, f=plain: elementwise(f, x),
    )
    for name, f in (
        ("add", operator.add),
        ("subtract", operator.sub),
        ("multiply", operator.mul),
        ("divide", operator.truediv),
    )
    for primitive in (core.all_primitives()[name],)
    for setting, ours, plain in (
        ("a number second", partial(_with_second, primitive, 1.5), partial(_with_second, f, 1.5)),
        ("a number first", partial(primitive, 1.5), partial(f, 1.5)),
    )
]

_UNARY = [
    op(name, core.all_primitives()[name], draw, twin=twin, loops=lambda x, f=f: elementwise(f, x), linear_in=linear)
    for name, draw, twin, f, linear in (
        ("negative", normal(2, 3), torch.neg, lambda x: -x, ((0,),)),
        ("exp", normal(2, 3), torch.exp, math.exp, ()),
        ("log", positive(2, 3), torch.log, math.log, ()),
        ("sqrt", positive(2, 3), torch.sqrt, math.sqrt, ()),
        ("absolute", away_from((0,), 4, 5), torch.abs, abs, ()),
    )
]

_CAST = [
    op(
        "cast",
        core.cast,
        normal(2, 3),
        twin=lambda x, dtype: x.to(dtype),
        loops=lambda x, dtype: elementwise(lambda value: value, x),
        linear_in=((0,),),
        dtype=torch.float64,
    )
]

_POWER = [
    op(
        f"power/{exponent}",
        core.power,
        positive(2, 3) if exponent != 3 else normal(2, 3),
        twin=torch.pow,
        loops=lambda x, exponent: elementwise(lambda value: value**exponent, x),
        exponent=exponent,
    )
    for exponent in (0, 1, 2, 3, 0.5, -1.5)
]

_CHOICES = [
    op(
        "clamp",
        core.clamp,
        away_from((-0.6, 0.8), 4, 6),
        twin=lambda x, low, high: torch.clamp(x, low, high),
        loops=lambda x, low, high: elementwise(lambda v: min(max(v, low), high), x),
        low=-0.6,
        high=0.8,
    ),
    op(
        "maximum/alike",
        core.maximum,
        apart(4, 5),
        lambda generator: apart(4, 5)(generator) + 0.12,
        twin=torch.maximum,
        loops=lambda a, b: elementwise(max, a, b),
    ),
    op(
        "maximum/broadcast",
        core.maximum,
        apart(4, 1),
        lambda generator: apart(2, 1, 5)(generator) + 0.12,
        twin=torch.maximum,
        loops=lambda a, b: elementwise(max, a, b),
    ),
    *(
        op(
            f"where/{setting}",
            _where,
            *draws,
            twin=twins.where,
            loops=lambda a, b, condition: elementwise(lambda c, u, v: u if c else v, condition, a, b),
            linear_in=((0, 1),),
            condition=_CONDITION,
        )
        for setting, draws in (
            ("alike", (normal(2, 4), normal(2, 4))),
            ("broadcast", (normal(3, 2, 1), normal(4))),
        )
    ),
]

_MATMUL = [
    op(
        f"matmul/{setting}",
        core.matmul,
        *draws,
        twin=torch.matmul,
        loops=loops.matmul,
        linear_in=((0,), (1,)),
    )
    for setting, draws in (
        ("plain", (normal(3, 4), normal(4, 2))),
        # A factor that isn't transposed fits too, so that it isn't only its shape that is wrong.
        ("square", (normal(3, 3), normal(3, 3))),
        ("batch", (normal(2, 3, 4), normal(2, 4, 5))),
        ("second broadcast", (normal(2, 3, 4), normal(4, 5))),
        ("first broadcast", (normal(3, 4), normal(2, 4, 5))),
        ("both broadcast", (normal(2, 1, 3, 4), normal(3, 4, 2))),
    )
]

_REDUCTIONS = [
    op(
        f"{name}/dim {dim}{', kept' if keepdim else ''}",
        core.all_primitives()[name],
        apart(2, 3, 4) if name == "amax" else normal(2, 3, 4),
        twin=lambda x, dim, keepdim, f=twin: f(
            x, dim=tuple(range(x.ndim)) if dim in (None, ()) else dim, keepdim=keepdim
        ),
        loops=loops.reduce(f),
        linear_in=((0,),) if name in ("sum", "mean") else (),
        dim=dim,
        keepdim=keepdim,
    )
    for name, twin, f in (
        ("sum", torch.sum, sum),
        ("mean", torch.mean, loops.mean_of),
        ("variance", lambda x, dim, keepdim: torch.var(x, dim, correction=0, keepdim=keepdim), loops.variance_of),
        ("amax", torch.amax, max),
    )
    for dim, keepdim in (
        (None, False),
        ((), False),
        (1, False),
        ((0, 2), False),
        ((-1, 0), False),
        ((-1, 0), True),
        (-2, True),
    )
]

_SHAPING = [
    op(
        f"{name}/{number}",
        primitive,
        draw,
        twin=twin,
        loops=reference,
        linear_in=((0,),),
        **{option: value},
    )
    for name, primitive, twin, reference, option, settings in (
        (
            "reshape",
            core.reshape,
            lambda x, shape: x.reshape(shape),
            loops.reshape,
            "shape",
            ((normal(2, 6), (3, 4)), (normal(2, 3, 4), (-1, 4))),
        ),
        (
            "permute",
            core.permute,
            lambda x, axes: x.permute(axes),
            loops.permute,
            "axes",
            ((normal(2, 3, 4), (2, 0, 1)), (normal(2, 3, 4, 5), (0, -1, 1, 2))),
        ),
        (
            "broadcast_to",
            core.broadcast_to,
            lambda x, shape: x.expand(shape),
            loops.broadcast_to,
            "shape",
            ((normal(3, 1), (2, 3, 4)), (normal(1, 3, 1), (2, 3, 2))),
        ),
        (
            "pad",
            core.pad,
            twins.pad,
            loops.pad,
            "padding",
            ((normal(2, 3, 4), (1, 2, 3, 0)), (normal(1, 2, 2, 3), (0, 0, 1, 1))),
        ),
        (
            "getitem",
            core.getitem,
            lambda x, index: x[index],
            loops.getitem,
            "index",
            (
                (normal(4, 3, 5), (slice(1, 4, 2), 1)),
                (normal(4, 3, 5), (..., None, slice(0, 2))),
                (normal(4, 3), 2),
                (normal(4, 3), slice(1, 3)),
                (normal(4, 3), _TWICE),
                (normal(4, 3), (_TWICE,)),
                (normal(4, 3, 5), (slice(None), _TWICE)),
                (normal(4, 3), (_TWICE, torch.tensor([1, 1, 1]))),
            ),
        ),
    )
    for number, (draw, value) in enumerate(settings)
]

_CONCATENATE = [
    op(
        f"concatenate/{dim}",
        core.concatenate,
        *draws,
        twin=twins.concatenate,
        loops=loops.concatenate,
        linear_in=(tuple(range(len(draws))),),
        dim=dim,
    )
    for dim, draws in (
        (0, (normal(2, 3), normal(1, 3))),
        (1, (normal(2, 3, 2), normal(2, 1, 2), normal(2, 2, 2))),
        (-1, (normal(2, 3), normal(2, 2))),
    )
]

CORE_CASES: list[Case] = [
    *_ELEMENTWISE,
    *_WITH_A_NUMBER,
    *_UNARY,
    *_CAST,
    *_POWER,
    *_CHOICES,
    *_MATMUL,
    *_REDUCTIONS,
    *_SHAPING,
    *_CONCATENATE,
]
