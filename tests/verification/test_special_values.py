"""NaN, infinities, zeros of both signs, subnormal and huge numbers: every primitive does with them what torch does.

One such number at a time is planted in an input, a weight or the cotangent of each case, and value and gradients are
compared with torch's autograd: NaN where torch has NaN, the same infinities, and numbers that are close. Convolution
has tests of its own (tests/layers/test_locality.py).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch
from photomend.core import Array, Module, Tensor, all_primitives
from photomend.tests.verification.case import Case
from photomend.tests.verification.cases_kinks import KINK_CASES
from photomend.tests.verification.oracles import random_like
from photomend.tests.verification.registry import CASES

PRIMITIVES = all_primitives()
#: Convolution and probabilities have tests of their own: test_locality.py and test_loss.py in tests/layers.
ELSEWHERE = ("conv2d", "binary_cross_entropy")
PLANTED = [c for c in (*CASES.values(), *KINK_CASES) if c.subject in PRIMITIVES and c.subject not in ELSEWHERE]
#: A huge number's square overflows.
VALUES = {
    "NaN": lambda dtype: math.nan,
    "∞": lambda dtype: math.inf,
    "−∞": lambda dtype: -math.inf,
    "0": lambda dtype: 0.0,
    "−0": lambda dtype: -0.0,
    "subnormal": lambda dtype: torch.finfo(dtype).tiny / 8,
    "huge": lambda dtype: math.sqrt(torch.finfo(dtype).max) * 1e9,
    "−huge": lambda dtype: -math.sqrt(torch.finfo(dtype).max) * 1e9,
}
#: Places in an array that a number is planted at, evenly from the first to the last.
PLACES = 6


class Exempt(NamedTuple):
    """Where a primitive differs from torch, and what its docstring says of it.

    Args:
        says: a part of the docstring.
        allows: where ours and torch's result may differ, given the planted target ("cotangent" or an input's number)
            and value.
    """

    says: str
    allows: Callable[[str, float, Array, Array], Array]


def _everywhere(targets: tuple[str, ...]) -> Callable[[str, float, Array, Array], Array]:
    """Anything, if a number that isn't finite was planted in one of the targets."""
    return lambda target, value, ours, theirs: torch.full_like(
        ours, target in targets and not math.isfinite(value), dtype=torch.bool
    )


def _neither_finite(target: str, value: float, ours: Array, theirs: Array) -> Array:
    return ~ours.isfinite() & ~theirs.isfinite()


def _torch_nan(target: str, value: float, ours: Array, theirs: Array) -> Array:
    return theirs.isnan()


def _in_a_norm(target: str, value: float, ours: Array, theirs: Array) -> Array:
    """Which of NaN and infinity; NaN of torch's because of a square that overflows, which stays finite in ours; and the
    rounding of a sum of which little is left."""
    largest = theirs[theirs.isfinite()].abs().max() if theirs.isfinite().any() else theirs.new_zeros(())
    rounding = (ours - theirs).abs() <= 1e5 * torch.finfo(ours.dtype).eps * largest
    overflow = theirs.isnan() & torch.tensor(1e9 < abs(value) < math.inf)
    return _neither_finite(target, value, ours, theirs) | rounding | overflow


def _of_a_nan(target: str, value: float, ours: Array, theirs: Array) -> Array:
    """torch's gradient of a NaN differs from its vectors to the few numbers that are left over."""
    return torch.full_like(ours, target == "0" and math.isnan(value), dtype=torch.bool)


def _hidden(target: str, value: float, ours: Array, theirs: Array) -> Array:
    """What a mask hides; and which of NaN and infinity, or the rounding, as in a norm."""
    return theirs.isnan() | _in_a_norm(target, value, ours, theirs)


def _of_weight_zero(target: str, value: float, ours: Array, theirs: Array) -> Array:
    """A neighbour that is given the weight 0, or by torch's rounding almost 0."""
    return (ours.isfinite() | theirs.isnan()) & torch.tensor(not abs(value) <= 1)


EXEMPT = {
    "batch_norm": Exempt("which of the two is not promised", _in_a_norm),
    "group_norm": Exempt("which of the two is not promised", _in_a_norm),
    "layer_norm": Exempt("which of the two is not promised", _in_a_norm),
    "scaled_dot_product_attention": Exempt("where torch's result may be NaN", _hidden),
    "gelu": Exempt("where torch's is NaN", _neither_finite),
    "binary_cross_entropy_with_logits": Exempt("where torch's is infinite", _neither_finite),
    "softsign": Exempt("promised only where torch's gradient is no NaN", _torch_nan),
    "elu": Exempt("what gradient it gets is not promised", _of_a_nan),
    "hardtanh": Exempt("what gradient it gets is not promised", _of_a_nan),
    "hardswish": Exempt("what gradient it gets is not promised", _of_a_nan),
    "glu": Exempt("With an infinite a", _neither_finite),
    "upsample_bilinear": Exempt("also some of those that give it the weight 0", _of_weight_zero),
    "hole_loss": Exempt("the loss NaN outside the hole, too", _everywhere(("0", "cotangent"))),
    "hinge_loss": Exempt("if its patch is not chosen, too", _everywhere(("0", "cotangent"))),
    "patch_mean": Exempt("Arguments and errors are those of `hinge_loss`", _everywhere(("0", "cotangent"))),
}


def arrays_of(case: Case, dtype: torch.dtype) -> list[Array]:
    """The inputs and a cotangent."""
    inputs = case.inputs(dtype)
    value = case.ours(dtype)(*inputs)
    return [*inputs, random_like(value.data if isinstance(value, Tensor) else value, seed=3)]


def planted(case: Case, dtype: torch.dtype) -> Iterator[tuple[str, float, list[Array]]]:
    """(target, value, the inputs and the cotangent with the value at one place of the target)."""
    arrays = arrays_of(case, dtype)
    for number, array in enumerate(arrays):
        target = "cotangent" if number == len(arrays) - 1 else str(number)
        for place in {round(i * (array.numel() - 1) / (PLACES - 1)) for i in range(PLACES)}:
            for make in VALUES.values():
                changed = [a.clone() for a in arrays]
                changed[number].view(-1)[place] = make(array.dtype)
                yield target, changed[number].view(-1)[place].item(), changed


def ours(module: Module, arrays: list[Array]) -> list[Array]:
    leaves = [Tensor(x) for x in arrays[:-1]]
    y = module(*leaves)
    y.backward(arrays[-1])
    return [y.data, *(leaf.grad for leaf in leaves)]


def torchs(twin: torch.nn.Module, arrays: list[Array]) -> list[Array]:
    leaves = [x.clone().requires_grad_() for x in arrays[:-1]]
    y = twin(*leaves)
    y.backward(arrays[-1])
    return [y.detach(), *(leaf.grad for leaf in leaves)]


def differing(a: Array, b: Array, dtype: torch.dtype, typical: float) -> Array:
    """Where two results differ by more than rounding; `typical` is the size of the numbers that were added up."""
    same = (a == b) | (a.isnan() & b.isnan())
    rounding = 1024 * torch.finfo(dtype).eps * (b.abs() + typical)  # exponentials differ between processors
    return ~(same | (a.isfinite() & ((a - b).abs() <= rounding)))


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.exhaustive)], ids=str)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in PLANTED])
def test_what_torch_does(case: Case, dtype: torch.dtype) -> None:
    twin = case.twin(case.ours(dtype))
    plain = torchs(twin, arrays_of(case, dtype))
    exempt = EXEMPT.get(case.subject)
    for target, value, arrays in planted(case, dtype):
        found, expected = ours(case.ours(dtype), arrays), torchs(twin, arrays)
        for number, (a, b) in enumerate(zip(found, expected, strict=True)):
            what = "value" if number == 0 else f"gradient of input {number - 1}"
            wrong = differing(a, b, dtype, plain[number].abs().amax().item())
            if exempt is not None:
                wrong &= ~exempt.allows(target, value, a, b)
            assert not wrong.any(), f"{value} in {target}, {what}: {a[wrong].tolist()} instead of {b[wrong].tolist()}"


@pytest.mark.parametrize("subject", EXEMPT)
def test_the_docstring_says_where_it_differs(subject: str) -> None:
    rule = PRIMITIVES[subject].rule
    said = (rule.__doc__ or "") + (sys.modules[rule.__module__].__doc__ or "")
    assert EXEMPT[subject].says in " ".join(said.split())
