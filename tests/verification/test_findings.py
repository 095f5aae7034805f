"""What the oracles find in a rule that raises, gives NaN or is a little off, and that one that fails stops no other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from photomend.core import Array, Pullback, Tensor, primitive
from photomend.layers import silu
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Call, Case, normal, op
from photomend.tests.verification.findings import LIMITS, Finding, findings
from photomend.tests.verification.properties import agree
from photomend.tests.verification.registry import CASES


def raises(x: Tensor) -> Tensor:
    raise ArithmeticError("no result")


def gives_nan(x: Tensor) -> Tensor:
    return silu(x) * torch.full((), math.nan, dtype=x.dtype)


def is_off(x: Tensor) -> Tensor:
    return silu(x) * 1.001


@primitive
def overwrites_its_cotangent(x: Array) -> tuple[Array, Pullback]:
    """x, whose gradient is three times too large, and so is ȳ afterwards."""

    def overwriting_pullback(ȳ: Array):
        return ȳ.mul_(3)

    return x.clone(), overwriting_pullback


def found_with(function) -> dict[str, Finding]:
    case: Case = replace(CASES["silu"], make=lambda: Call(function))
    return {found.oracle: found for found in findings(case)}


def test_a_right_rule_has_no_reasons() -> None:
    found = {found.oracle: found for found in findings(CASES["Linear"])}
    assert found.keys() == LIMITS.keys()
    assert all(found[oracle].error <= LIMITS[oracle] and not found[oracle].reason for oracle in LIMITS)


def test_an_oracle_with_nothing_to_ask_says_nothing() -> None:
    assert "adjoint" not in found_with(silu)


@pytest.mark.parametrize("function", [raises, gives_nan])
def test_an_exception_and_a_nan_are_infinite_errors_to_every_oracle(function) -> None:
    found = found_with(function)
    assert found.keys() == LIMITS.keys() - {"adjoint"}
    for finding in found.values():
        assert finding.error == math.inf
        assert finding.reason
        assert function is not raises or finding.reason == "ArithmeticError: no result"


def test_a_cotangent_that_is_overwritten_hides_nothing() -> None:
    """Its pullback agrees with ȳ as it is afterwards, so the tape itself refuses it."""
    case = op(
        "overwrites", overwrites_its_cotangent, normal(3, 4), twin=torch.clone, loops=lambda x: x, linear_in=((0,),)
    )
    for oracle in (
        lambda: oracles.adjoint_error(case, (0,)),
        lambda: oracles.torch_error(case),
        lambda: oracles.trespasses(case),
        lambda: agree(overwrites_its_cotangent, torch.clone, case.inputs(), differences=False),
    ):
        with pytest.raises(RuntimeError, match="changed its cotangent in place"):
            oracle()


def test_a_cotangent_is_never_an_input() -> None:
    """Drawn from the same seed as an input of its shape, ⟨v, x⟩ would be ⟨x, x⟩."""
    x = torch.zeros(3, 4, dtype=torch.float64)
    cotangents = {seed: oracles.random_like(x, seed) for seed in (1, 3)}
    for seed in range(10_001):
        drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert not any(torch.equal(v, drawn) for v in cotangents.values())


def test_another_function_rightly_differentiated_passes_the_differences_only() -> None:
    found = found_with(is_off)
    assert not found["differences"].reason
    assert found["loops"].error == pytest.approx(1e-3, rel=1e-3)
    assert found["loops"].reason == "error 1.0e-03 > 1e-10"
    assert found["torch"].reason.startswith("error 1.0e-03 > 1e-10 (contiguous, ")
    assert found["torch"].reason.endswith(" cotangent)")
    assert found["float32"].reason.startswith("error 1.0e-03 > 0.0001")
