"""What each exercise is asked. `checker` finds it; `rules.py` asks a rule everything in turn."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..catalogue import Exercise

#: Takes the learner's names; yields a line for what is right, and raises `AnswerError` at the first thing that isn't.
Checker = Callable[[Mapping[str, Any]], Iterator[str]]

_PLACES = {"central-difference": "differences", "tape-order": "tape", "adam-loop": "training"}


def checker(exercise: Exercise) -> Checker:
    """What asks the functions of an exercise."""
    place = _PLACES.get(exercise.name)
    if place is None:
        asked: Checker = importlib.import_module(f"{__name__}.arrays").CHECKERS[exercise.name]
        return asked
    own: Checker = importlib.import_module(f"{__name__}.{place}").check
    return own
