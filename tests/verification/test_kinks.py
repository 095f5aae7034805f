"""At kinks and ties ours equals torch's convention and the loops' value, in every memory layout."""

from __future__ import annotations

import pytest
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.cases_kinks import KINK_CASES
from photomend.tests.verification.oracles import LAYOUTS, TOLERANCE

every_kink = pytest.mark.parametrize("case", KINK_CASES, ids=[case.name for case in KINK_CASES])
everywhere = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


@everywhere
@every_kink
@pytest.mark.parametrize("expanded", [False, True], ids=["dense cotangent", "expanded cotangent"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_the_convention_is_torchs(case: Case, layout: oracles.Layout, expanded: bool, device: str) -> None:
    assert oracles.torch_error(case, layout, expanded=expanded, device=device) <= TOLERANCE["torch"]


@everywhere
@every_kink
def test_the_value_is_the_loops(case: Case, device: str) -> None:
    assert oracles.loops_error(case, device) <= TOLERANCE["loops"]
