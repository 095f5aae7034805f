"""All oracles of a case together: what each of them finds, and what it says where it doesn't pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from photomend.core import gradcheck
from photomend.core.gradcheck import GradientError
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case, Device

#: The largest error that passes, for each of the four oracles and for torch's in float32. That one is no oracle of its
#: own: at the precision that training runs in it can only show that nothing is lost beyond rounding.
LIMITS = {**oracles.TOLERANCE, "float32": 1e-4}


@dataclass(frozen=True)
class Finding:
    """What one oracle says of one case.

    Attributes:
        case, oracle: their names.
        error: the largest error it saw, infinite where the passes couldn't be run or gave a NaN.
        reason: what is wrong, in a line or several; empty where the error is within the tolerance.
    """

    case: str
    oracle: str
    error: float
    reason: str = ""


def findings(case: Case, device: Device = "cpu") -> Iterator[Finding]:
    """What every oracle says of `case`, whatever the others said; no finding from one that has nothing to ask."""
    for oracle in LIMITS:
        if oracle != "adjoint" or case.linear_in:
            yield _finding(oracle, case, device)


def _finding(oracle: str, case: Case, device: Device) -> Finding:
    try:
        errors = _CHECKS[oracle](case, device)
        part, error = max(errors.items(), key=lambda item: math.inf if math.isnan(item[1]) else item[1])
    except GradientError as mistake:
        return Finding(case.name, oracle, _difference_error_at_any_rate(case, device), str(mistake))
    except Exception as exception:  # a broken rule may raise anything, and that too is a finding
        return Finding(case.name, oracle, math.inf, f"{type(exception).__name__}: {exception}")
    if error <= LIMITS[oracle]:
        return Finding(case.name, oracle, error)
    reason = f"error {error:.1e} > {LIMITS[oracle]:g}" + (f" ({part})" if part else "")
    return Finding(case.name, oracle, math.inf if math.isnan(error) else error, reason)


def _difference_error_at_any_rate(case: Case, device: Device) -> float:
    """How far a pullback is off that the differences have refused."""
    try:
        return gradcheck(case.ours(device=device), *case.inputs(device=device), step=case.step, rtol=math.inf)
    except GradientError:  # an infinite error is not above an infinite tolerance, but a NaN is
        return math.inf


def _differences(case: Case, device: Device) -> dict[str, float]:
    return {"": oracles.difference_error(case, device)}


def _adjoint(case: Case, device: Device) -> dict[str, float]:
    return {f"in {group}": oracles.adjoint_error(case, group, device) for group in case.linear_in}


def _torch(case: Case, device: Device) -> dict[str, float]:
    return {
        f"{name}, {'expanded' if expanded else 'dense'} cotangent": oracles.torch_error(
            case, layout, expanded=expanded, device=device
        )
        for name, layout in oracles.LAYOUTS.items()
        for expanded in (False, True)
    }


def _loops(case: Case, device: Device) -> dict[str, float]:
    return {"": oracles.loops_error(case, device)}


def _float32(case: Case, device: Device) -> dict[str, float]:
    """Differences from torch in float32, relative to the largest entry, or to 1 where that is larger.

    A gradient that cancels to nearly nothing is rounding in both.
    """
    ours, theirs = oracles.against_torch(case, torch.float32, device=device)
    errors = {}
    for name in theirs:
        if ours[name] is None or ours[name].dtype != theirs[name].dtype or ours[name].shape != theirs[name].shape:
            errors[name] = math.inf
        elif theirs[name].numel():
            difference = (ours[name].double() - theirs[name].double()).abs().max().item()
            errors[name] = difference / max(1.0, theirs[name].double().abs().max().item())
    return errors


_CHECKS: dict[str, Callable[[Case, Device], dict[str, float]]] = {
    "differences": _differences,
    "adjoint": _adjoint,
    "torch": _torch,
    "loops": _loops,
    "float32": _float32,
}
