"""What the tape keeps alive: the arrays that a pullback reads, and nothing for its shape alone."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from photomend.core import Array, Primitive, Tensor, all_primitives, sum
from photomend.tests.verification.case import Case
from photomend.tests.verification.registry import CASES

#: For each primitive (or one setting of it) whose pullback doesn't read all of its inputs, those that it doesn't read.
NOT_READ: dict[str, tuple[int, ...]] = {
    "add": (0, 1),
    "avg_pool2d": (0,),
    "batch_norm": (2,),
    "broadcast_to": (0,),
    "concatenate": (0, 1, 2),
    "conv2d": (2,),
    "divide": (0,),
    "divide/a number first": (),
    "dropout": (0,),
    "exp": (0,),
    "getitem": (0,),
    "glu": (0,),
    "group_norm": (2,),
    "leaky_relu": (0,),
    "leaky_relu/falling": (),
    "leaky_relu/steeper below": (),
    "linear": (2,),
    "mean": (0,),
    "negative": (0,),
    "pad": (0,),
    "permute": (0,),
    "pixel_shuffle": (0,),
    "pixel_unshuffle": (0,),
    "relu": (0,),
    "reshape": (0,),
    "sigmoid": (0,),
    "silu": (0,),
    "spectral_norm": (0,),
    "sqrt": (0,),
    "stack": (0, 1, 2),
    "subtract": (0, 1),
    "sum": (0,),
    "tanh": (0,),
    "transpose": (0,),
    "upsample_bilinear": (0,),
    "upsample_nearest": (0,),
    "variance": (0,),
    "where": (0, 1),
}


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.subject in NOT_READ], ids=lambda case: case.name)
def test_an_input_that_no_pullback_reads_dies(case: Case) -> None:
    """Only the result's node is held, because a result that is a view (reshape, getitem) holds its array itself."""
    function, leaves = case.ours(), [Tensor(x) for x in case.inputs()]
    node = function(*leaves).node
    arrays = {i: weakref.ref(leaf.data) for i, leaf in enumerate(leaves)}
    del leaves
    not_read = NOT_READ.get(case.name, NOT_READ[case.subject])
    assert [i for i in not_read if i in arrays and arrays[i]() is not None] == []
    assert node.pullback is not None


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_with_a_number_keeps_no_array(name: str) -> None:
    """The gradient of a number is never asked for, so what it would need isn't kept."""
    x = Tensor(torch.ones(3))
    y = all_primitives()[name](x, 2.0)
    node, arrays = y.node, [weakref.ref(x.data), weakref.ref(y.data)]
    del x, y
    assert [array() for array in arrays] == [None, None]
    assert node.pullback is not None


def test_what_one_pullback_kept_is_gone_when_the_next_runs() -> None:
    """A large activation must not wait for its neighbour's gradients: the peak would be two of them."""
    kept: list[Any] = []
    alive: list[list[bool]] = []

    def keeping(x: Array):
        activation = x * 1
        kept.append(weakref.ref(activation))

        def keeping_pullback(ȳ: Array):
            alive.append([reference() is not None for reference in kept])
            return lambda: ȳ * activation

        return x * 1, keeping_pullback

    primitive, y = Primitive(keeping), Tensor(torch.ones(2))
    for _ in range(3):
        y = primitive(y)
    sum(y).backward()
    assert alive == [[True, True, True], [True, True, False], [True, False, False]]
