"""What a mistake may be, told from the numbers.

A mistake leaves a trace in the wrong gradient. `evidence.py` collects what is known: the gradients that the pullback
claims for several cotangents at two points, and the true Jacobian there, by differences. Each family of hypotheses
then names the mistakes whose gradient is exactly the claimed one; `directions.py` has those that can be tried on
arrays of any size. `values.py` does the same for a value that differs from its reference. A hypothesis is believed only
if it explains every number at both points; if two are left, both are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from ...tape import Array
from ..function import CheckedFunction
from .convolution import convolution
from .directions import Suspect, directional, missing_term
from .elementwise import elementwise, gate
from .evidence import Evidence
from .general import alone, general
from .normalisation import normalisation
from .pattern import pattern
from .softmax import softmax
from .values import value_hint

__all__ = ["gradient_hint", "value_hint"]

#: The families, from those that explain most by least; the first with an answer gives the hint.
_FAMILIES = (alone, softmax, normalisation, general, elementwise, gate, convolution)


def gradient_hint(function: CheckedFunction, k: int, v: Array) -> str:
    """The mistake that explains the wrong gradient of variable `k`, in a sentence; empty if none does."""
    analytic = function.gradients(v)
    suspect = Suspect(function, k, analytic, function.value(), v)
    if suspect.explained(suspect.claimed):  # wrong by so little that every hypothesis near the truth would do
        return ""
    evidence = Evidence.of(function, k, v)
    families: list[Callable[[], Iterable[str]]] = (
        [partial(family, evidence) for family in _FAMILIES] if evidence else []
    )
    families.append(lambda: filter(None, [directional(suspect)]))
    families += [partial(pattern, evidence)] if evidence else []
    families.append(lambda: filter(None, [missing_term(suspect)]))
    for family in families:
        if found := list(dict.fromkeys(family())):
            return found[0] if len(found) == 1 else f"either {found[0]}; or {found[1]}"
    return ""
