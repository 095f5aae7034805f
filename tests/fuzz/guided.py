"""Coverage-guided fuzzing: atheris (libFuzzer) keeps each input that reaches what none before has, and changes it on.

Importing this module instruments the readers and the libraries in Python under them, so it comes before they are
imported. The corpus is a folder for each target; a later run goes on with it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from random import Random

import atheris

#: Whose lines are followed: ours, and those of the readers in Python.
LIBRARIES = ["photomend", "PIL", "tifffile", "png"]

with atheris.instrument_imports(include=LIBRARIES):
    from .fuzz import Found, corpus_of, watched
    from .mutate import mutated, repaired
    from .targets import TARGETS, warm_up
    from .trial import ROOM, Trial

#: Of the changes, those that are left to libFuzzer, which knows what the code compares its input with.
SHARE = 0.3


def guided(name: str, seconds: float, seed: int, corpus: Path, keep: Path | None = None) -> Found:
    """Fuzz a target for so many seconds, from and into the folder `corpus`; what goes wrong is kept in `keep`."""
    folder, files = corpus / name, corpus_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    for data in files:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)

    def try_all(trial: Trial) -> None:
        with atheris.instrument_imports(include=LIBRARIES):
            warm_up(TARGETS[name], files)  # imports what is imported late
        fresh = [False]  # whether what is tried next was made by a change; what is read from the corpus wasn't

        def change(data: bytes, room: int, number: int) -> bytes:
            fresh[0], random = True, Random(number)
            if random.random() < SHARE:
                return repaired(atheris.Mutate(data, room), random)[:room]
            return mutated(data, files, random)[:room]

        def try_one(data: bytes) -> None:
            if trial.over():
                os._exit(0)
            trial(data, counts=fresh[0])
            fresh[0] = False

        options = [
            *("-timeout=100000", "-rss_limit_mb=0", "-malloc_limit_mb=0"),  # the parent watches, and the system limits
            *(f"-max_len={ROOM // 8}", f"-seed={seed + trial.board.tried + 1}", "-verbosity=0", "-reload=0"),
        ]
        atheris.Setup(["fuzz", *options, str(folder)], try_one, custom_mutator=change)
        atheris.Fuzz()

    return watched(name, try_all, seconds, keep)
