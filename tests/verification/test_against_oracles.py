"""Every case of the registry against every oracle, to the tolerances of docs/verification.md."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from photomend.core import Tensor
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.registry import CASES

every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@every_case
def test_finite_differences(case: Case) -> None:
    assert oracles.difference_error(case) <= 1e-8


@pytest.mark.parametrize(
    ("case", "group"),
    [pytest.param(c, g, id=f"{c.name} in {g}") for c in CASES.values() for g in c.linear_in],
)
def test_adjoint_identity(case: Case, group: tuple[int | str, ...]) -> None:
    assert oracles.adjoint_error(case, group) <= 1e-12


@every_case
@pytest.mark.parametrize("expanded", [False, True], ids=["dense cotangent", "expanded cotangent"])
@pytest.mark.parametrize("layout", oracles.LAYOUTS.values(), ids=list(oracles.LAYOUTS))
def test_torch_in_float64(case: Case, layout: oracles.Layout, expanded: bool) -> None:
    assert oracles.torch_error(case, layout, expanded=expanded) <= 1e-10


@every_case
def test_torch_in_float32(case: Case) -> None:
    ours, theirs = oracles.against_torch(case, torch.float32)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name].dtype == theirs[name].dtype, name
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, name))


@every_case
def test_numpy_loops(case: Case) -> None:
    assert oracles.loops_error(case) <= 1e-10


@every_case
def test_nothing_of_the_callers_is_changed(case: Case) -> None:
    """Neither pass writes into an input, a weight or the cotangent, and no gradient shares memory with them."""
    module, inputs = case.ours(), case.inputs()
    weights = [p.data for p in module.parameters()]
    leaves = [Tensor(x) for x in inputs]
    before = [x.clone() for x in (*inputs, *weights)]
    y = module(*leaves)
    v = oracles.random_like(y.data, seed=3).clone()
    v_before = v.clone()
    y.backward(v)
    for array, copy in zip((*inputs, *weights, v), (*before, v_before), strict=True):
        assert torch.equal(array, copy)
    held = {array.untyped_storage().data_ptr() for array in (*inputs, *weights, v)}
    for variable in (*leaves, *module.parameters()):
        assert variable.grad is not None
        assert variable.grad.untyped_storage().data_ptr() not in held


@pytest.mark.cuda
@every_case
def test_on_cuda(case: Case) -> None:
    torch.backends.cudnn.allow_tf32 = False
    assert oracles.difference_error(case, "cuda") <= 1e-8
    assert oracles.torch_error(case, device="cuda") <= 1e-10
    assert oracles.loops_error(case, "cuda") <= 1e-10
    for group in case.linear_in:
        assert oracles.adjoint_error(case, group, "cuda") <= 1e-12
    ours, theirs = oracles.against_torch(case, torch.float32, device="cuda")
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
