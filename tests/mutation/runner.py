"""Is a mutant noticed? It is shown to one oracle after another, case after case, until an oracle objects.

Only cases that call the function in which the mistake stands are run: of 200 convolutions a few take any one algorithm.
A mutant that no oracle notices is shown to a few tests of what a single backward pass on a small case can't show: what
a second pass adds, what is kept alive, windows of thousands of pixels.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any

import pytest
from photomend.core.gradcheck import GradientError
from photomend.tests.mutation.last_resorts import LAST_RESORTS
from photomend.tests.mutation.mutants import Mutant, all_mutants
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.cases_kinks import KINK_CASES
from photomend.tests.verification.oracles import TOLERANCE
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.replacing import find_function, replaced
from photomend.tests.verification.rows import same_conditions

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


def judge(mutant: Mutant, *, every_oracle: bool = False) -> Verdict:
    """Show a mutant to the oracles until one objects; with `every_oracle`, to all of them.

    It must run on the main thread, whose timer ends endless loops.
    """
    function = find_function(mutant.site.module, mutant.site.function)
    with same_conditions():
        shown = {
            name: [case for case in cases if case.subject in mutant.site.subjects and _calls(case, function.__code__)]
            for name, (cases, _) in ORACLES.items()
        }
        noticed: dict[str, str] = {}
        with replaced(function, mutant.tree()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with time_limit(TIME_LIMIT):
                    for name, (_, passes) in ORACLES.items():
                        objections = filter(None, (_objection(case, passes) for case in shown[name]))
                        if objection := next(objections, ""):
                            noticed[name] = objection
                            if not every_oracle:
                                break
                for test in () if noticed else LAST_RESORTS.get(mutant.site.file, ()):
                    with time_limit(TEST_LIMIT):
                        if failing := _failure(test):
                            noticed["tests"] = failing
                            break
            except HangsError:
                noticed["time limit"] = "no end"
    return Verdict(mutant, noticed)


def judge_all(mutants: Sequence[Mutant], jobs: int, *, every_oracle: bool = False) -> Iterator[Verdict]:
    """The verdicts on some of `all_mutants`, in their order, by so many processes."""
    if jobs <= 1:
        yield from (judge(mutant, every_oracle=every_oracle) for mutant in mutants)
        return
    number = {mutant.identity: i for i, mutant in enumerate(all_mutants())}
    numbers = [number[mutant.identity] for mutant in mutants]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        found = pool.map(partial(_noticed, every_oracle=every_oracle), numbers, chunksize=4)
        yield from map(Verdict, mutants, found)


def _noticed(number: int, *, every_oracle: bool) -> dict[str, str]:
    """What another process sends back."""
    return judge(all_mutants()[number], every_oracle=every_oracle).noticed


def _calls(case: Case, code: CodeType) -> bool:
    """Whether a case calls a function. What a property or a pullback of it does counts as the function's."""
    return (code.co_filename, code.co_qualname) in _called(case)


@cache
def _called(case: Case) -> frozenset[tuple[str, str]]:
    """The file and name of every function that a case calls: forwards without a tape, and both ways in every layout."""
    called: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            called.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        case.ours()(*case.inputs())
        _torch(case)
    finally:
        sys.setprofile(before)
    return frozenset(called)


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
