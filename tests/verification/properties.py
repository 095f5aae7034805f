"""What the property tests share: shapes and values that Hypothesis draws, and what must hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from photomend.core import Array, Tensor, gradcheck
from photomend.tests.verification.oracles import LAYOUTS, Layout, random_like

few = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def expanded(x: Array) -> Array:
    """One slice repeated along the last axis, without memory of its own: other numbers, and all of them tie."""
    return x[..., :1].expand(x.shape) if x.ndim else x


layouts: st.SearchStrategy[Layout] = st.sampled_from([*LAYOUTS.values(), expanded])
seeds = st.integers(0, 10_000)
sizes = st.integers(1, 4)


def shapes(least: int = 0, most: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(sizes, min_size=least, max_size=most).map(tuple)


@st.composite
def repeated(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`: some axes of size 1, some leading ones left out."""
    left_out = draw(st.integers(0, len(shape)))
    return tuple(1 if draw(st.booleans()) else n for n in shape[left_out:])


@st.composite
def broadcasting_pairs(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = draw(shapes())
    return draw(repeated(shape)), draw(repeated(shape))


def normal(shape: tuple[int, ...], seed: int) -> Array:
    """From N(0, 1)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(shape: tuple[int, ...], seed: int) -> Array:
    """Evenly from [0.5, 2)."""
    return 0.5 + 1.5 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spaced(shape: tuple[int, ...], seed: int) -> Array:
    """Evenly spaced from −3 to 3 in random order, and none at 0: far from kinks and ties."""
    count = torch.Size(shape).numel()
    values = torch.linspace(-3, 3, count, dtype=torch.float64) + 2 / max(count, 2)
    return values[torch.randperm(count, generator=torch.Generator().manual_seed(seed))].reshape(shape)


def agree(
    ours: Callable[..., Any],
    theirs: Callable[..., Array],
    inputs: tuple[Array, ...],
    layout: Layout = LAYOUTS["contiguous"],
    *,
    linear_in: tuple[tuple[int, ...], ...] = (),
    spread: bool = False,
    differences: bool = True,
    floor: float = 0.0,
) -> None:
    """Value and gradients are torch's to 1e-10; the adjoint identity holds to 1e-12 for each group of inputs in
    `linear_in`; and central differences agree to 1e-8, unless the layout makes values tie or there are none.

    `spread`: the cotangent is one row repeated, without memory of its own. `floor`: errors are relative to the largest
    entry, or to this where all entries nearly cancel.
    """
    arrays = tuple(layout(x) for x in inputs)
    leaves, twins = [Tensor(x) for x in arrays], [x.clone().requires_grad_() for x in arrays]
    y, expected = ours(*leaves), theirs(*twins)
    v = random_like(expected.detach(), seed=1, expanded=spread)
    before = v.clone()  # for everything else: a pullback that overwrites its cotangent must not meet its own damage
    y.backward(v)
    expected.backward(before)
    close(y.data, expected.detach(), floor)
    gradients = [close(leaf.grad, twin.grad, floor) for leaf, twin in zip(leaves, twins, strict=True)]
    for group in linear_in:
        terms = torch.cat([(arrays[i] * gradients[i]).reshape(-1) for i in group])
        products = y.data * before
        scale = (products.abs().sum() + terms.abs().sum()).clamp_min(1e-300)
        assert (products.sum() - terms.sum()).abs() / scale <= 1e-12
    if differences and layout is not expanded and y.data.numel():
        gradcheck(ours, *arrays)


def close(ours: Array | None, theirs: Array | None, floor: float) -> Array:
    """Ours, which is there and like theirs."""
    assert ours is not None
    assert theirs is not None
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if theirs.numel():
        assert (ours - theirs).abs().max() <= 1e-10 * max(theirs.abs().max().item(), floor)
    return ours
