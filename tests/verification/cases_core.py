"""The cases of the engine's own primitives: elementwise, products, reductions, shaping."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
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
_POWER += [
    op(f"power/{setting}", function, *draws, twin=twin, loops=reference)
    for setting, function, draws, twin, reference in (
        (
            "of arrays",
            core.power,
            (positive(3, 4), normal(3, 4)),
            torch.pow,
            partial(elementwise, operator.pow),
        ),
        (
            "first broadcast",
            core.power,
            (positive(3, 1), normal(2, 3, 4)),
            torch.pow,
            partial(elementwise, operator.pow),
        ),
        (
            "second broadcast",
            core.power,
            (positive(2, 3, 4), normal(3, 1)),
            torch.pow,
            partial(elementwise, operator.pow),
        ),
        (
            "a number first",
            partial(core.power, 1.7),
            (normal(2, 3),),
            partial(torch.pow, 1.7),
            partial(elementwise, lambda n: 1.7**n),
        ),
    )
]

_CHOICES = [
    op(
        "clamp",
        core.clamp,
        away_from((-0.6, 0.8), 4, 6),
        twin=torch.clamp,
        loops=loops.clamp,
        min=-0.6,
        max=0.8,
    ),
    op("clamp/from below", core.clamp, away_from((0.2,), 4, 6), twin=torch.clamp, loops=loops.clamp, min=0.2),
    op("clamp/from above", core.clamp, away_from((0.2,), 4, 6), twin=torch.clamp, loops=loops.clamp, max=0.2),
    *(
        case
        for name, twin, f in (("maximum", torch.maximum, max), ("minimum", torch.minimum, min))
        for primitive in (core.all_primitives()[name],)
        for case in (
            op(
                f"{name}/alike",
                primitive,
                apart(4, 5),
                lambda generator: apart(4, 5)(generator) + 0.12,
                twin=twin,
                loops=lambda a, b, f=f: elementwise(f, a, b),
            ),
            op(
                f"{name}/broadcast",
                primitive,
                apart(4, 1),
                lambda generator: apart(2, 1, 5)(generator) + 0.12,
                twin=twin,
                loops=lambda a, b, f=f: elementwise(f, a, b),
            ),
            op(
                f"{name}/a number second",
                partial(_with_second, primitive, 0.1),
                apart(4, 6),
                twin=lambda x, f=twin: f(x, torch.tensor(0.1, dtype=x.dtype)),
                loops=lambda x, f=f: elementwise(lambda v: f(v, 0.1), x),
            ),
            op(
                f"{name}/a number first",
                partial(primitive, 0.1),
                apart(4, 6),
                twin=lambda x, f=twin: f(torch.tensor(0.1, dtype=x.dtype), x),
                loops=lambda x, f=f: elementwise(lambda v: f(0.1, v), x),
            ),
        )
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
    op(
        "where/a number second",
        lambda x, *, condition: core.where(condition, x, 1.5),
        normal(2, 4),
        twin=lambda x, condition: torch.where(condition, x, 1.5),
        loops=lambda x, condition: elementwise(lambda c, v: v if c else 1.5, condition, x),
        condition=_CONDITION,
    ),
    op(
        "where/a number first",
        lambda x, *, condition: core.where(condition, 1.5, x),
        normal(2, 4),
        twin=lambda x, condition: torch.where(condition, 1.5, x),
        loops=lambda x, condition: elementwise(lambda c, v: 1.5 if c else v, condition, x),
        condition=_CONDITION,
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
        ("row and matrix", (normal(4), normal(4, 2))),
        ("matrix and column", (normal(3, 4), normal(4))),
        ("row and column", (normal(4), normal(4))),
        ("row and batch", (normal(4), normal(2, 4, 3))),
        ("batch and column", (normal(2, 3, 4), normal(4))),
    )
]

_REDUCTIONS = [
    op(
        f"{name}/dim {dim}{', kept' if keepdim else ''}",
        core.all_primitives()[name],
        apart(2, 3, 4) if name in ("amax", "amin") else normal(2, 3, 4),
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
        ("amin", torch.amin, min),
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
_REDUCTIONS += [
    op(
        f"variance/dim {dim}, correction {correction}",
        core.variance,
        normal(2, 3, 4),
        twin=torch.var,
        loops=lambda x, dim, correction: loops.reduce(partial(loops.variance_of, correction=correction))(x, dim=dim),
        dim=dim,
        correction=correction,
    )
    for dim, correction in ((1, 1), ((0, 2), 1), (2, 0.5))
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
            lambda x, dims: x.permute(dims),
            loops.permute,
            "dims",
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
            F.pad,
            loops.pad,
            "pad",
            (
                (normal(2, 3, 4), (1, 2, 3, 0)),
                (normal(1, 2, 2, 3), (0, 0, 1, 1)),
                (normal(3, 4), (2, 1)),
                (normal(2, 3, 2), (1, 0, 0, 2, 3, 1)),
                (normal(3), ()),
            ),
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

_SHAPING += [
    *(
        op(
            f"transpose/{dim0} and {dim1}",
            core.transpose,
            normal(2, 3, 4),
            twin=torch.transpose,
            loops=loops.transpose,
            linear_in=((0,),),
            dim0=dim0,
            dim1=dim1,
        )
        for dim0, dim1 in ((0, 2), (-2, -1), (1, 1))
    ),
    op("pad/with another value", core.pad, normal(2, 3), twin=F.pad, loops=loops.pad, pad=(1, 2), value=0.7),
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
_CONCATENATE += [
    op(
        f"stack/{dim}",
        core.stack,
        *[normal(2, 3)] * count,
        twin=lambda *xs, dim: torch.stack(xs, dim),
        loops=loops.stack,
        linear_in=(tuple(range(count)),),
        dim=dim,
    )
    for dim, count in ((0, 3), (1, 2), (-1, 2))
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
