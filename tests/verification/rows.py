"""The registry as a table: a row for each primitive, layer, loss and network, with the worst that any oracle found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from photomend import layers
from photomend.core import Module, all_primitives
from photomend.tests.verification.case import Case, Device
from photomend.tests.verification.cases_models import MODEL_CASES
from photomend.tests.verification.findings import Finding, findings
from photomend.tests.verification.measure import compare
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.sizes import MODEL_SIZES, SIZES

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


class Subject(NamedTuple):
    """What a row is about. The name alone isn't enough: `linear` is a primitive, and a model too."""

    kind: str
    name: str


def subjects() -> dict[Subject, list[Case]]:
    """The cases of every subject, in the order of the table."""
    found: dict[Subject, list[Case]] = {}
    for case in CASES.values():
        found.setdefault(Subject(kind(case), case.subject), []).append(case)
    return dict(sorted(found.items(), key=lambda item: KINDS.index(item[0].kind)))


def kind(case: Case) -> str:
    """Which of KINDS the subject of `case` is.

    Raises:
        LookupError: it is none of them.
    """
    if case in MODEL_CASES:
        return "model"
    if rule := all_primitives().get(case.subject):
        package = rule.rule.__module__.split(".")[1]
        return {"core": "core primitive", "train": "loss"}.get(package, "layer primitive")
    made = getattr(layers, case.subject, None)
    if isinstance(made, type) and issubclass(made, Module):
        return "layer"
    raise LookupError(f"{case.subject} is no primitive, layer or model")


def size(subject: Subject) -> Case | None:
    """The realistic size of a subject; None if nobody has given it one."""
    return (MODEL_SIZES if subject.kind == "model" else SIZES).get(subject.name)


def verify(chosen: dict[Subject, list[Case]], device: Device, on_case: Callable[[], object]) -> Iterator[Row]:
    """One row for each of the subjects, as soon as it is known; `on_case` is called after each case."""
    with same_conditions():
        for subject, cases in chosen.items():
            found: list[Finding] = []
            for case in cases:
                found += findings(case, device)
                on_case()
            yield _row(subject, len(cases), found, _ratios(subject, device))


def skipped(chosen: dict[Subject, list[Case]], reason: str) -> Iterator[Row]:
    """The rows of subjects that can't be checked here."""
    return (Row(s.name, s.kind, len(cases), skipped=reason) for s, cases in chosen.items())


def _row(subject: Subject, cases: int, found: list[Finding], ratios: dict[str, Any]) -> Row:
    worst: dict[str, Any] = {}
    for finding in found:
        worst[finding.oracle] = max(worst.get(finding.oracle, 0.0), finding.error)
    failures = [f"{f.case}, {f.oracle}: {f.reason}" for f in found if f.reason]
    failures += ratios.pop("failures", [])
    return Row(subject.name, subject.kind, cases, **worst, **ratios, ok=not failures, failures=tuple(failures))


def _ratios(subject: Subject, device: Device) -> dict[str, Any]:
    case = size(subject)
    if case is None:
        return {"failures": [f"{subject.name}: tests/verification/sizes.py has no size to measure time and memory at"]}
    try:
        ratios = compare(case, device)
    except Exception as exception:  # a rule that only fails at a real size must not end the table
        return {"failures": [f"{subject.name} at its size, time and memory: {type(exception).__name__}: {exception}"]}
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
