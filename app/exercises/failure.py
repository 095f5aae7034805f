"""The first thing that is wrong with a learner's file."""

from __future__ import annotations

from collections.abc import Sequence


class AnswerError(Exception):
    """A check that failed.

    Attributes:
        function: which of the learner's functions.
        stage: what was asked: contract, value, gradient, kink or behaviour.
        target: the name in the textbook answer whose line is at stake: `y`, `x̄`, …; hints are found by it.
        what: the symptom, in a line.
        mistake: the mistake that explains it, if one does.
        details: more lines, such as a small example.
    """

    def __init__(
        self, function: str, stage: str, target: str, what: str, mistake: str = "", details: Sequence[str] = ()
    ) -> None:
        super().__init__(what)
        self.function, self.stage, self.target, self.what, self.mistake = function, stage, target, what, mistake
        self.details = list(details)

    def __str__(self) -> str:
        told = [self.what, *([f"mistake:  {self.mistake}"] if self.mistake else []), *self.details]
        return "\n  ".join(told)
