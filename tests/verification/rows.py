"""The registry as a table: a row for each primitive, layer, loss and network, with the worst that any oracle found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from photomend import layers, models
from photomend.core import Module, all_primitives
from photomend.tests.verification.case import Case, Device
from photomend.tests.verification.findings import Finding, findings
from photomend.tests.verification.measure import compare
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.sizes import SIZES

#: What a subject can be, in the order of the table.
KINDS = ("core primitive", "layer primitive", "layer", "loss", "model")


@dataclass(frozen=True)
class Row:
    """Everything about one subject.

    Attributes:
        name, kind: the subject, and which of KINDS it is.
        cases: in how many settings it was checked.
        differences, adjoint, torch, loops, float32: the worst error that each oracle found; None where it had nothing
            to ask (adjoint, of what is linear in nothing) or nothing was checked, infinite where something was raised.
        forward_ratio, backward_ratio, memory_ratio: ours / twin; None where there is nothing to compare with.
        ok: whether everything was checked and passed.
        failures: what failed, in full.
        skipped: why nothing was checked, empty where it was.
    """

    name: str
    kind: str
    cases: int
    differences: float | None = None
    adjoint: float | None = None
    torch: float | None = None
    loops: float | None = None
    float32: float | None = None
    forward_ratio: float | None = None
    backward_ratio: float | None = None
    memory_ratio: float | None = None
    ok: bool = False
    failures: tuple[str, ...] = ()
    skipped: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as JSON takes it: no infinite numbers (the failure tells)."""
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}
        return {**finite, "failures": list(self.failures)}


def subjects() -> dict[str, list[Case]]:
    """The cases of every subject, in the order of the table."""
    found: dict[str, list[Case]] = {}
    for case in CASES.values():
        found.setdefault(case.subject, []).append(case)
    return dict(sorted(found.items(), key=lambda item: KINDS.index(kind(item[0]))))


def kind(subject: str) -> str:
    """Which of KINDS a subject is.

    Raises:
        LookupError: it is none of them.
    """
    if subject in all_primitives():
        package = all_primitives()[subject].rule.__module__.split(".")[1]
        return {"core": "core primitive", "train": "loss"}.get(package, "layer primitive")
    made = getattr(layers, subject, None)
    if isinstance(made, type) and issubclass(made, Module):
        return "layer"
    if subject in models.NAMES:
        return "model"
    raise LookupError(f"{subject} is no primitive, layer or model")


def verify(
    names: Iterable[str], device: Device = "cpu", *, measured: bool = True, on_case: Callable[[], object] = lambda: None
) -> Iterator[Row]:
    """One row for each of the subjects `names`, as soon as it is known; `on_case` is called after each case.

    Without `measured`, time and memory are left out.
    """
    cases = subjects()
    with same_conditions():
        for name in names:
            found: list[Finding] = []
            for case in cases[name]:
                found += findings(case, device)
                on_case()
            yield _row(name, len(cases[name]), found, _ratios(name, device) if measured else {})


def skipped(names: Iterable[str], reason: str) -> Iterator[Row]:
    """The rows of subjects that can't be checked here."""
    cases = subjects()
    return (Row(name, kind(name), len(cases[name]), skipped=reason) for name in names)


def _row(name: str, cases: int, found: list[Finding], ratios: dict[str, Any]) -> Row:
    worst: dict[str, Any] = {}
    for finding in found:
        worst[finding.oracle] = max(worst.get(finding.oracle, 0.0), finding.error)
    failures = [f"{f.case}, {f.oracle}: {f.reason}" for f in found if f.reason]
    failures += ratios.pop("failures", [])
    return Row(name, kind(name), cases, **worst, **ratios, ok=not failures, failures=tuple(failures))


def _ratios(name: str, device: Device) -> dict[str, Any]:
    if name not in SIZES:
        return {"failures": [f"{name}: has no size in tests/verification/sizes.py to measure time and memory at"]}
    try:
        ratios = compare(SIZES[name], device)
    except Exception as exception:  # a rule that only fails at a real size must not end the table
        return {"failures": [f"{name} at its size, time and memory: {type(exception).__name__}: {exception}"]}
    return {
        "forward_ratio": ratios.forward,
        "backward_ratio": ratios.backward,
        "memory_ratio": ratios.memory,
    }


@contextmanager
def same_conditions() -> Iterator[None]:
    """One CPU thread, and no TensorFloat-32.

    Two threads that wait for each other wait for every neighbour on the machine too, and the cases are too small to
    share. TensorFloat-32 keeps 10 bits of a float32's 23.
    """
    threads = torch.get_num_threads()
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
