"""Hints in three steps: where it is wrong, which term it is, and the textbook's line."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

from ...core.reading import parse_json, read_text
from .catalogue import Exercise
from .file import lines_of
from .process import Finding
from .text import derivation, plain

STEPS = 3


def steps(wrong: Finding) -> int:
    """How many steps a hint has: 1 for an exception, whose line and message say all that there is."""
    return STEPS if wrong.function and wrong.stage != "error" else 1


def hint(path: Path, text: str, exercise: Exercise, wrong: Finding, step: int) -> list[str]:
    """The lines of the hint of this step about a finding."""
    reason, line = derivation(exercise, wrong.function, wrong.target)
    if step == 1:
        return [
            f"where: {_where(path, text, wrong)}",
            *_wrapped(wrong.what),
            *(_wrapped(wrong.mistake) if steps(wrong) == 1 else []),
        ]
    if step == 2:
        told = [part for part in (wrong.mistake, reason) if part] or ["work the docstring's example out by hand"]
        first, *rest = [line for part in told for line in _wrapped(part)]
        return [f"why:   {first.strip()}", *rest]
    if not line:
        return [
            f"line:  no single line is to blame; `photomend exercise solution {exercise.name}` shows a whole answer"
        ]
    first, *rest = line.splitlines()
    return [f"line:  {first}", *rest]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent=" " * 7, subsequent_indent=" " * 7)


def _where(path: Path, text: str, wrong: Finding) -> str:
    if wrong.line:
        return f"{path}:{wrong.line}" + (f", in {wrong.function}" if wrong.function else "")
    backwards = "\u0304" in wrong.target or plain(wrong.target) in {"ā", "ȳ"}
    place = lines_of(text, wrong.function, inner=backwards)
    part = "the pullback of " if backwards else ""
    what = f", where {wrong.target} is computed" if wrong.target.isidentifier() else ""
    said = f"{part}{wrong.function or path.name}{what}"
    return f"{path}:{place[0]}, to line {place[1]}: {said}" if place else said


def next_step(path: Path, wrong: Finding) -> int:
    """1 for a finding that is new, or one more than last time, up to 3.

    It is kept in the user's cache folder, as XDG_CACHE_HOME names it or ~/.cache, and nothing beside the file. Where
    that can't be written each hint is the first.
    """
    store = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "photomend", "hints.json")
    key = str(path.resolve())
    about = "|".join([wrong.function, wrong.stage, wrong.target, wrong.mistake])
    try:
        kept = parse_json(read_text(store))
    except (OSError, ValueError):
        kept = {}
    last = kept.get(key) if isinstance(kept, dict) else None
    kept = kept if isinstance(kept, dict) else {}
    step = 1
    if isinstance(last, list) and len(last) == 2 and last[0] == about and isinstance(last[1], int):
        step = max(1, min(STEPS, last[1] + 1))
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        draft = store.with_suffix(f".{os.getpid()}.part")
        draft.write_text(json.dumps({**kept, key: [about, step]}), encoding="utf-8")
        os.replace(draft, store)
    except OSError:
        pass
    return step
