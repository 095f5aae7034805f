"""Every case of the registry against every oracle, to the tolerances of docs/verification.md."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from photomend.core import gradcheck
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.findings import findings
from photomend.tests.verification.oracles import TOLERANCE
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.rows import kind, same_conditions

EXHAUSTIVE = pytest.mark.exhaustive  # what every case shows in the usual layout, shown in the others too
LAYOUTS = [
    pytest.param(layout, id=name, marks=[] if layout is oracles.contiguous else EXHAUSTIVE)
    for name, layout in oracles.LAYOUTS.items()
]
COTANGENTS = [
    pytest.param(False, id="dense cotangent"),
    pytest.param(True, id="expanded cotangent", marks=EXHAUSTIVE),
]

NETWORKS = {case.name for case in CASES.values() if kind(case) == "model"}
every_case = pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=pytest.mark.slow if name in NETWORKS else []) for name, case in CASES.items()],
)


@every_case
def test_finite_differences(case: Case) -> None:
    assert oracles.difference_error(case) <= TOLERANCE["differences"]


@pytest.mark.parametrize("name", ["SqueezeExcitation", "ChannelAttention", "SpatialAttention", "CBAM"])
def test_hidden_kinks_are_far_whatever_is_drawn(name: str) -> None:
    """The settled weights keep clear of them, and not the luck of one seed."""
    case = CASES[name]
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        gradcheck(case.ours(), *(draw(generator) for draw in case.draws))


@pytest.mark.parametrize(
    ("case", "group"),
    [pytest.param(c, g, id=f"{c.name} in {g}") for c in CASES.values() for g in c.linear_in],
)
def test_adjoint_identity(case: Case, group: tuple[int | str, ...]) -> None:
    assert oracles.adjoint_error(case, group) <= TOLERANCE["adjoint"]


@every_case
@pytest.mark.parametrize("expanded", COTANGENTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_torch_in_float64(case: Case, layout: oracles.Layout, expanded: bool) -> None:
    assert oracles.torch_error(case, layout, expanded=expanded) <= TOLERANCE["torch"]


@every_case
def test_torch_in_float32(case: Case) -> None:
    ours, theirs = oracles.against_torch(case, torch.float32)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name].dtype == theirs[name].dtype, name
        # What rounding costs a sum goes by its terms, and not by what is left of them.
        atol = 1e-5 * max(1.0, theirs[name].double().abs().max().item())
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=atol, msg=partial("{}: {}".format, name))


@every_case
def test_numpy_loops(case: Case) -> None:
    assert oracles.loops_error(case) <= TOLERANCE["loops"]


@every_case
def test_nothing_of_the_callers_is_changed(case: Case) -> None:
    """Neither pass writes into an input, a weight or the cotangent, and no gradient shares memory with them."""
    assert oracles.trespasses(case) == []


@pytest.mark.cuda
@every_case
def test_on_cuda(case: Case) -> None:
    """Every oracle, torch's in all layouts and with both cotangents."""
    with same_conditions():
        assert [finding for finding in findings(case, "cuda") if finding.reason] == []
