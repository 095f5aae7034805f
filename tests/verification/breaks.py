"""Classic mistakes, to be put into our rules while they run: does anything notice?

A checker that has never refused anything proves little. Each mistake here is one edit of one line, as a tired author
would make it; `try_break` runs with it and asks every oracle about the layers it harms.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

from photomend.tests.verification.case import Device
from photomend.tests.verification.findings import Finding, findings
from photomend.tests.verification.mistake import Break
from photomend.tests.verification.mistakes import MISTAKES
from photomend.tests.verification.oracles import TOLERANCE
from photomend.tests.verification.replacing import find_function, replaced
from photomend.tests.verification.rows import same_conditions, subjects

BREAKS: dict[str, Break] = {wrong.name: wrong for wrong in MISTAKES}

#: Why an oracle can miss a mistake.
_WHY_NOT = {
    "differences": "the pullback is the derivative of what is computed, if not of what should be",
    "adjoint": "the mistake is outside what is linear here, or leaves a pair of adjoints",
    "torch": "torch shares the mistake",
    "loops": "they check the forward pass only",
}


@dataclass(frozen=True)
class Verdict:
    """What one oracle says of a mistake, over all the cases (none: it had nothing to ask)."""

    oracle: str
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding | None:
        """The largest error."""
        return max(self.findings, key=lambda f: f.error, default=None)

    @property
    def caught(self) -> bool:
        return self.worst is not None and bool(self.worst.reason)

    @property
    def by_a_number(self) -> bool:
        """Whether it caught a wrong number anywhere, and not only an exception or a wrong shape."""
        return any(f.reason and math.isfinite(f.error) for f in self.findings)


def source_of(wrong: Break) -> str:
    """The text of the file with the rule."""
    return inspect.getsource(sys.modules[find_function(wrong.module, wrong.function).__module__])


def edited(wrong: Break) -> str:
    """The file's text with the mistake in it.

    Raises:
        ValueError: the words to replace don't stand in the file exactly once.
    """
    source = source_of(wrong)
    if (times := source.count(wrong.old)) != 1:
        raise ValueError(f"{wrong.name}: {wrong.old!r} stands {times} times in {wrong.module}")
    return source.replace(wrong.old, wrong.new)


@contextmanager
def broken(wrong: Break) -> Iterator[None]:
    """Inside this context the rule has the mistake."""
    with replaced(find_function(wrong.module, wrong.function), edited(wrong)):
        yield


def diff(wrong: Break) -> list[str]:
    """The lines that the mistake changes, ``-`` before and ``+`` with it, below the file and the function."""
    lines = ndiff(source_of(wrong).splitlines(), edited(wrong).splitlines())
    where = Path(*wrong.module.split(".")[1:]).with_suffix(".py").as_posix()
    return [f"{where}, {wrong.function}", *(line for line in lines if line[0] in "-+")]


def try_break(wrong: Break, device: Device = "cpu") -> list[Verdict]:
    """What each oracle says of the subjects that the mistake harms, with it in place."""
    harmed = [case for subject, cases in subjects().items() if subject.name in wrong.subjects for case in cases]
    with same_conditions(), broken(wrong):
        found = [finding for case in harmed for finding in findings(case, device)]
    return [Verdict(oracle, tuple(f for f in found if f.oracle == oracle)) for oracle in TOLERANCE]


def told(wrong: Break, verdicts: list[Verdict]) -> list[str]:
    """The mistake, the lines it changes, a line for every oracle, and the first refusal in full."""
    lines = [wrong.mistake, "", *diff(wrong), ""]
    for verdict in verdicts:
        worst = verdict.worst
        if worst is None:
            lines.append(f"{verdict.oracle:12} not asked             nothing here is linear")
        elif verdict.caught:
            lines.append(f"{verdict.oracle:12} caught      {worst.error:7.1e}   {worst.case}")
        else:
            lines.append(f"{verdict.oracle:12} not caught  {worst.error:7.1e}   {_WHY_NOT[verdict.oracle]}")
    if refusals := [v.worst for v in verdicts if v.worst is not None and v.caught]:
        lines += ["", f"{refusals[0].oracle}, {refusals[0].case}:", refusals[0].reason]
    if wrong.only:
        lines += ["", f"Only one oracle can see it: {wrong.only}"]
    caught = [verdict.oracle for verdict in verdicts if verdict.caught]
    return [*lines, "", f"caught by {', '.join(caught)}" if caught else "survived: no oracle noticed"]
