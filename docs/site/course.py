"""A Sphinx extension with the directives of a layer's page: how well its gradients are verified, and its exercise.

```{verified} softmax log_softmax
```
```{exercise} softmax
```
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from photomend.app.exercises.catalogue import EXERCISES, Exercise, find
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
DATA = Path(__file__).resolve().parents[1] / "data" / "verify.json"
ORACLES = ("differences", "adjoint", "torch", "loops", "float32")


class Verified(SphinxDirective):
    """`{verified} NAME…`: what `photomend verify` found for these primitives, layers or models."""

    required_arguments, final_argument_whitespace = 1, True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(DATA))
        names = self.arguments[0].split()
        found = rows(names)
        for name in names:
            passed = [row["ok"] for row in found if row["name"] == name]
            if not all(passed or [False]):
                problem = "did not pass" if passed else "has no row"
                logger.warning("verified: %r %s in docs/data/verify.json", name, problem, location=self.get_location())
        made = self.parse_text_to_nodes(table(found)) if found else []
        for one in made:
            if isinstance(one, nodes.table):
                one["classes"].append("verified")
        return made


def rows(names: Sequence[str]) -> list[dict[str, Any]]:
    """What `photomend verify --json` wrote of these names, those left out that it has no row of.

    `linear` is the name of a primitive and of a model: the primitive comes first, and is meant.
    """
    known: dict[str, dict[str, Any]] = {}
    for row in json.loads(DATA.read_text(encoding="utf-8")):
        known.setdefault(row["name"], row)
    return [known[name] for name in names if name in known]


def table(found: Sequence[dict[str, Any]]) -> str:
    """Rows of `photomend verify --json` in Markdown, with a sentence that says how to read them."""
    head = ["", "cases", *ORACLES, "forward time", "backward time"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in found:
        errors = ["–" if row[oracle] is None else f"{row[oracle]:.0e}" for oracle in ORACLES]
        times = ["–" if row[key] is None else f"{row[key]:.2f}" for key in ("forward_ratio", "backward_ratio")]
        lines.append([f"`{row['name']}`", str(row["cases"]), *errors, *times])
    text = (
        "The worst error over all cases, by [oracle](/verification.md); – where an oracle doesn't apply. Times are "
        "multiples of torch.nn's: below 1 is faster. `photomend verify "
        f"{' '.join(row['name'] for row in found)}` measures them on your machine."
    )
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines]) + f"\n\n{text}\n"


class ExerciseBox(SphinxDirective):
    """`{exercise} NAME`: what the reader writes in this exercise, and the commands that start and check it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            exercise = find(self.arguments[0])
        except ValueError as error:
            logger.warning("exercise: %s", error, location=self.get_location())
            return []
        box = nodes.admonition(classes=["exercise"])
        box += nodes.title("", heading(exercise))
        box += self.parse_text_to_nodes(invitation(exercise))
        return [box]


def heading(exercise: Exercise) -> str:
    return f"Exercise {EXERCISES.index(exercise) + 1} of {len(EXERCISES)}: {exercise.name}"


def invitation(exercise: Exercise) -> str:
    """What one writes, and how to start, check and get a hint, in Markdown."""
    *others, last = [f"`{name}`" for name in exercise.functions]
    written = f"{', '.join(others)} and {last}" if others else last
    file = f"{exercise.module}.py"
    commands = {
        f"photomend exercise start {exercise.name}": f"writes {file}, never over a file of yours",
        f"photomend exercise check {file}": "the first mistake, on small numbers",
        f"photomend exercise hint {file}": "where, then why, then which line",
    }
    width = max(map(len, commands))
    block = "\n".join(f"{command:{width}}  # {comment}" for command, comment in commands.items())
    return f"Write {written} yourself: {exercise.about}.\n\n```sh\n{block}\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("verified", Verified)
    app.add_directive("exercise", ExerciseBox)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
