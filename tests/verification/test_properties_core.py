"""The engine's own primitives in any shape, layout and setting that Hypothesis thinks of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from photomend import core
from photomend.core import Array, all_primitives
from photomend.tests.verification.properties import (
    agree,
    broadcasting_pairs,
    few,
    layouts,
    normal,
    positive,
    repeated,
    seeds,
    shapes,
    sizes,
    spaced,
)

BOTH: tuple[tuple[int, ...], ...] = ((0, 1),)


@pytest.mark.parametrize(
    ("name", "theirs", "linear_in"),
    [
        ("add", torch.add, BOTH),
        ("subtract", torch.subtract, BOTH),
        ("multiply", torch.multiply, ((0,), (1,))),
        ("divide", torch.divide, ((0,),)),
        ("maximum", torch.maximum, BOTH),  # where the larger one stays the larger one
        ("minimum", torch.minimum, BOTH),
    ],
)
@few
@given(pair=broadcasting_pairs(), seed=seeds, layout=layouts, spread=st.booleans())
def test_two_arrays(name, theirs, linear_in, pair, seed, layout, spread) -> None:
    a, b = normal(pair[0], seed), positive(pair[1], seed + 1)
    if name in ("maximum", "minimum"):
        a, b = spaced(pair[0], seed), spaced(pair[1], seed + 1) + 0.01
    agree(all_primitives()[name], theirs, (a, b), layout, linear_in=linear_in, spread=spread)


@few
@given(shape=shapes(), data=st.data(), seed=seeds, layout=layouts)
def test_where(shape, data, seed, layout) -> None:
    a, b, c = (data.draw(repeated(shape)) for _ in range(3))
    condition = normal(c, seed) > 0
    agree(
        lambda a, b: core.where(condition, a, b),
        lambda a, b: torch.where(condition, a, b),
        (normal(a, seed + 1), normal(b, seed + 2)),
        layout,
        linear_in=BOTH,
    )


@pytest.mark.parametrize(
    ("name", "theirs", "values", "linear_in"),
    [
        ("negative", torch.neg, normal, ((0,),)),
        ("exp", torch.exp, normal, ()),
        ("log", torch.log, positive, ()),
        ("sqrt", torch.sqrt, positive, ()),
        ("absolute", torch.abs, spaced, ((0,),)),
    ],
)
@few
@given(shape=shapes(), seed=seeds, layout=layouts, spread=st.booleans())
def test_one_array(name, theirs, values, linear_in, shape, seed, layout, spread) -> None:
    agree(all_primitives()[name], theirs, (values(shape, seed),), layout, linear_in=linear_in, spread=spread)


@few
@given(shape=shapes(), seed=seeds, layout=layouts, exponent=st.sampled_from([-2, -0.5, 0, 0.5, 1, 2, 3, 2.7]))
def test_power(shape, seed, layout, exponent) -> None:
    agree(lambda x: core.power(x, exponent=exponent), lambda x: x**exponent, (positive(shape, seed),), layout)


@few
@given(shape=shapes(), seed=seeds, layout=layouts, low=st.floats(-4, 0), width=st.floats(0, 4))
def test_clamp(shape, seed, layout, low, width) -> None:
    x = spaced(shape, seed)
    for edge in (low, low + width):  # away from both edges by ten steps of the differences
        x = torch.where((x - edge).abs() < 0.01, edge + 0.01 + (x - edge).abs(), x)
    clear = ((x - low).abs() >= 0.01).all() and ((x - low - width).abs() >= 0.01).all()
    agree(
        lambda x: core.clamp(x, min=low, max=low + width),
        lambda x: torch.clamp(x, low, low + width),
        (x,),
        layout,
        differences=bool(clear),
    )


@st.composite
def axes_of(draw: st.DrawFn, ndim: int) -> Any:
    """None, one axis or several, counted from either end."""
    if ndim == 0 or draw(st.booleans()):
        return None
    chosen = draw(st.lists(st.integers(0, ndim - 1), unique=True, min_size=1))
    signed = tuple(axis - ndim * draw(st.booleans()) for axis in chosen)
    return signed[0] if len(signed) == 1 and draw(st.booleans()) else signed


@pytest.mark.parametrize(
    ("name", "theirs", "linear_in"),
    [
        ("sum", torch.sum, ((0,),)),
        ("mean", torch.mean, ((0,),)),
        ("variance", lambda x, dim, keepdim: torch.var(x, dim, correction=0, keepdim=keepdim), ()),
        ("amax", torch.amax, ((0,),)),  # where the largest stay the largest
        ("amin", torch.amin, ((0,),)),
    ],
)
@few
@given(shape=shapes(), data=st.data(), keepdim=st.booleans(), seed=seeds, layout=layouts, spread=st.booleans())
def test_reductions(name, theirs, linear_in, shape, data, keepdim, seed, layout, spread) -> None:
    dim = data.draw(axes_of(len(shape)))
    every = tuple(range(len(shape))) if dim is None else dim
    agree(
        lambda x: all_primitives()[name](x, dim=dim, keepdim=keepdim),
        lambda x: theirs(x, dim=every, keepdim=keepdim),
        (spaced(shape, seed),),
        layout,
        linear_in=linear_in,
        spread=spread,
        floor=1e-3,  # the variance of what is expanded is 0
    )


@st.composite
def slices(draw: st.DrawFn, size: int) -> slice:
    start = draw(st.integers(-size, size - 1))
    stop = draw(st.none() | st.integers(-size, size))
    return slice(start, stop, draw(st.integers(1, 3)))


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """Integers, slices, arrays of positions, new axes and …, for some of the axes or all of them."""
    count = draw(st.integers(1, 3))
    parts: list[Any] = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["slice", "integer", "positions"]))
        if kind == "slice":
            parts.append(draw(slices(size)))
        elif kind == "integer":
            parts.append(draw(st.integers(-size, size - 1)))
        else:
            parts.append(torch.tensor(draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(...)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@few
@given(shape=shapes(least=1), data=st.data(), seed=seeds, layout=layouts, spread=st.booleans())
def test_getitem(shape, data, seed, layout, spread) -> None:
    index = data.draw(indices(shape))
    agree(
        lambda x: core.getitem(x, index=index),
        lambda x: x[index],
        (normal(shape, seed),),
        layout,
        linear_in=((0,),),
        spread=spread,
    )


@few
@given(shape=shapes(least=1), seed=seeds, layout=layouts, axes=st.integers(1, 4))
def test_getitem_with_a_mask(shape, seed, layout, axes) -> None:
    """A mask over the leading axes: what it picks are the places where it holds."""
    mask = normal(shape[:axes], seed) > 0
    agree(lambda x: x[mask], lambda x: x[mask], (normal(shape, seed + 1),), layout, linear_in=((0,),))


@few
@given(shape=shapes(), data=st.data(), seed=seeds, layout=layouts, spread=st.booleans())
def test_permute_reshape_and_broadcast(shape, data, seed, layout, spread) -> None:
    """One after the other, so that each of them meets the strange layouts that the one before leaves behind."""
    axes = tuple(a - len(shape) * data.draw(st.booleans()) for a in data.draw(st.permutations(range(len(shape)))))
    cut = data.draw(st.integers(0, len(shape)))
    joined = (-1, *[shape[a] for a in axes][cut:])
    repeats = (data.draw(sizes), *joined)

    def ours(x: Any) -> Any:
        y = core.reshape(core.permute(x, dims=axes), shape=joined)
        return core.broadcast_to(y, shape=repeats)

    def theirs(x: Array) -> Array:
        return x.permute(axes).reshape(joined).expand(repeats)

    agree(ours, theirs, (normal(shape, seed),), layout, linear_in=((0,),), spread=spread)


@few
@given(shape=shapes(), data=st.data(), value=st.sampled_from([0.0, 0.7]), seed=seeds, layout=layouts)
def test_pad(shape, data, value, seed, layout) -> None:
    axes = data.draw(st.integers(0, len(shape)))
    pad = data.draw(st.lists(st.integers(0, 3), min_size=2 * axes, max_size=2 * axes))
    agree(
        lambda x: core.pad(x, pad, value=value),
        lambda x: F.pad(x, pad, value=value),
        (normal(shape, seed),),
        layout,
        linear_in=() if value else ((0,),),
    )


@few
@given(shape=shapes(least=1), data=st.data(), seed=seeds, layout=layouts, spread=st.booleans())
def test_transpose(shape, data, seed, layout, spread) -> None:
    dims = data.draw(st.tuples(*[st.integers(-len(shape), len(shape) - 1)] * 2))
    x = normal(shape, seed)
    agree(
        lambda x: core.transpose(x, *dims), lambda x: x.transpose(*dims), (x,), layout, linear_in=((0,),), spread=spread
    )


@few
@given(shape=shapes(), data=st.data(), count=st.integers(1, 4), seed=seeds, layout=layouts, spread=st.booleans())
def test_stack(shape, data, count, seed, layout, spread) -> None:
    dim = data.draw(st.integers(-len(shape) - 1, len(shape)))
    agree(
        lambda *xs: core.stack(xs, dim),
        lambda *xs: torch.stack(xs, dim),
        tuple(normal(shape, seed + i) for i in range(count)),
        layout,
        linear_in=(tuple(range(count)),),
        spread=spread,
    )


@few
@given(shape=shapes(least=1), data=st.data(), seed=seeds, layout=layouts)
def test_split(shape, data, seed, layout) -> None:
    """Each part weighted by another number, and the last one left out."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    lengths = [b - a for a, b in zip([0, *cuts], [*cuts, shape[axis]], strict=True)]
    sections = data.draw(st.sampled_from([lengths, max(1, shape[axis] // 2)]))
    dim = axis - len(shape) * data.draw(st.booleans())

    def joined(split, cat):
        def weighted(x):
            parts = split(x, sections, dim)
            return cat([part * (i + 1) for i, part in enumerate(parts[: max(1, len(parts) - 1)])], dim)

        return weighted

    x = normal(shape, seed)
    agree(joined(core.split, core.cat), joined(torch.split, torch.cat), (x,), layout, linear_in=((0,),))


@few
@given(pair=broadcasting_pairs(), seed=seeds, layout=layouts, spread=st.booleans())
def test_power_of_arrays(pair, seed, layout, spread) -> None:
    agree(core.power, torch.pow, (positive(pair[0], seed), normal(pair[1], seed + 1)), layout, spread=spread)


@few
@given(shape=shapes(least=1), data=st.data(), seed=seeds, layout=layouts, spread=st.booleans())
def test_concatenate(shape, data, seed, layout, spread) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    lengths = data.draw(st.lists(sizes, min_size=1, max_size=4))
    dim = axis - len(shape) * data.draw(st.booleans())
    agree(
        lambda *xs: core.concatenate(*xs, dim=dim),
        lambda *xs: torch.cat(xs, dim),
        tuple(normal((*shape[:axis], n, *shape[axis + 1 :]), seed + i) for i, n in enumerate(lengths)),
        layout,
        linear_in=(tuple(range(len(lengths))),),
        spread=spread,
    )


@few
@given(leading=broadcasting_pairs(), n=sizes, k=sizes, m=sizes, seed=seeds, layout=layouts, spread=st.booleans())
def test_matmul(leading, n, k, m, seed, layout, spread) -> None:
    a, b = normal((*leading[0], n, k), seed), normal((*leading[1], k, m), seed + 1)
    agree(core.matmul, torch.matmul, (a, b), layout, linear_in=((0,), (1,)), spread=spread)
