"""Is a mutant noticed? It is shown to every oracle, case after case, until the oracle objects.

A mutant that no oracle notices is shown to a few tests of what a single backward pass on a small case can't show: what
a second pass adds, what is kept alive, windows of thousands of pixels.
"""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from photomend.core.gradcheck import GradientError
from photomend.tests.mutation.last_resorts import LAST_RESORTS
from photomend.tests.mutation.mutants import Mutant
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.cases_kinks import KINK_CASES
from photomend.tests.verification.oracles import TOLERANCE
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.replacing import find_function, replaced

#: Seconds of the CPU after which a mutant counts as one that never ends: before all oracles, and in one of the tests.
#: Not of the clock, which runs on while other programs have the machine.
TIME_LIMIT = 20.0
TEST_LIMIT = 60.0


class HangsError(BaseException):
    """A mutant didn't end in time. No Exception, so that nothing on the way catches it."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the oracles that noticed it, in their order, each with how and in which case."""

    mutant: Mutant
    noticed: dict[str, str]

    @property
    def survived(self) -> bool:
        return not self.noticed

    @property
    def timed_out(self) -> bool:
        """Whether nothing noticed it before its time was over."""
        return self.noticed.keys() == {"time limit"}

    @property
    def first(self) -> str:
        """The first that noticed it."""
        return next(iter(self.noticed))

    @property
    def crashed(self) -> bool:
        """Whether it was noticed only because it raised an error, and never by a wrong number."""
        return not any(how.startswith("wrong") for how in self.noticed.values())


def _differences(case: Case) -> bool:
    try:
        return oracles.difference_error(case) <= TOLERANCE["differences"]
    except GradientError:
        return False


def _adjoint(case: Case) -> bool:
    return all(oracles.adjoint_error(case, group) <= TOLERANCE["adjoint"] for group in case.linear_in)


def _torch(case: Case) -> bool:
    return all(
        oracles.torch_error(case, layout, expanded=expanded) <= TOLERANCE["torch"]
        for layout in oracles.LAYOUTS.values()
        for expanded in (False, True)
    )


def _loops(case: Case) -> bool:
    return oracles.loops_error(case) <= TOLERANCE["loops"]


def _trespass(case: Case) -> bool:
    return oracles.trespasses(case) == []


#: Each oracle by name, with the cases it is asked about: whether a case passes.
ORACLES: dict[str, tuple[list[Case], Callable[[Case], bool]]] = {
    "torch": (list(CASES.values()), _torch),
    "differences": (list(CASES.values()), _differences),
    "adjoint": ([case for case in CASES.values() if case.linear_in], _adjoint),
    "loops": (list(CASES.values()), _loops),
    "conventions": (KINK_CASES, _torch),
    "trespasses": (list(CASES.values()), _trespass),
}


def judge(mutant: Mutant) -> Verdict:
    """Show a mutant to every oracle. It must run on the main thread, whose timer ends endless loops."""
    function = find_function(mutant.site.module, mutant.site.function)
    noticed: dict[str, str] = {}
    with replaced(function, mutant.tree()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(TIME_LIMIT):
                for name, (cases, passes) in ORACLES.items():
                    mine = (case for subject in mutant.site.subjects for case in cases if case.subject == subject)
                    objection = next(filter(None, (_objection(case, passes) for case in mine)), "")
                    if objection:
                        noticed[name] = objection
            for test in () if noticed else LAST_RESORTS.get(mutant.site.file, ()):
                with time_limit(TEST_LIMIT):
                    if failing := _failure(test):
                        noticed["tests"] = failing
                        break
        except HangsError:
            noticed["time limit"] = "no end"
    return Verdict(mutant, noticed)


def _failure(test: Callable[[], None]) -> str:
    """How a test fails, and its name; empty if it passes."""
    name = getattr(test, "func", test).__name__
    try:
        test()
    except (AssertionError, pytest.fail.Exception):
        return f"wrong in {name}"
    except Exception as error:
        return f"{type(error).__name__} in {name}"
    return ""


def _objection(case: Case, passes: Callable[[Case], bool]) -> str:
    """Why an oracle doesn't pass a case; empty if it does."""
    try:
        return "" if passes(case) else f"wrong in {case.name}"
    except Exception as error:  # whatever a mistake may lead to
        return f"{type(error).__name__} in {case.name}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `HangsError` in this context after so many seconds of the CPU's work for this process."""
    assert threading.current_thread() is threading.main_thread()

    def ring(signum: int, frame: Any) -> None:
        raise HangsError

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
