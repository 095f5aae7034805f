"""Everything that `photomend bench` can measure, and how it is chosen by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from photomend.core import PhotomendError, did_you_mean

from . import conv, repair, scale, step
from .measure import Case

#: The cases of each kind, in the order in which they are measured.
KINDS: Mapping[str, Sequence[Case]] = {
    "conv": conv.CASES,
    "step": step.CASES,
    "repair": repair.CASES,
    "scale": scale.CASES,
}


def choose(kind: str | None, names: Sequence[str]) -> list[Case]:
    """The cases of a kind (of all kinds for None), or those of these names.

    Raises PhotomendError for a name that none of them has; the nearest is named.
    """
    cases = [case for each in ([kind] if kind else KINDS) for case in KINDS[each]]
    known = [case.name for case in cases]
    for name in names:
        if name not in known:
            raise PhotomendError(f"CASE {name!r}: bench {kind} has no such case; {did_you_mean(name, known)}")
    return [case for case in cases if case.name in names or not names]
