"""A Sphinx extension: the classic mistakes of `photomend verify --break`, by what one would see of each.

    ```{mistakes} norms
    ```

lists those of a group in docs/data/symptoms.toml: the symptom, what docs/book/symptoms.py measured as it is and with
the mistake, and unfolded the changed line and who catches it.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from docutils import nodes
from photomend.tests.verification.breaks import BREAKS, diff
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).resolve().parents[1] / "data"
CAUGHT_BY, SYMPTOMS, MEASURED = DATA / "breaks.json", DATA / "symptoms.toml", DATA / "symptoms.json"
MISTAKE = """\
<p id="{name}"></p>

**`{name}`** {symptom}

*Measured.* {measured}

<details class="cause"><summary>Cause</summary>

{mistake} In `{file}`, `{function}`:

```diff
{lines}
```

Caught by: {caught}.

</details>
"""


def symptoms() -> dict[str, dict[str, str]]:
    """By group, what one would see of each mistake, in Markdown."""
    return tomllib.loads(SYMPTOMS.read_text(encoding="utf-8"))


def listed(group: str) -> str:
    """The mistakes of a group in Markdown; each has its name as an anchor. Raises KeyError for a group there is not."""
    caught_by, measured = (json.loads(file.read_text(encoding="utf-8")) for file in (CAUGHT_BY, MEASURED))
    return "\n".join(_mistake(name, text, caught_by[name], measured[name]) for name, text in symptoms()[group].items())


def _mistake(name: str, symptom: str, oracles: list[str], rows: list[dict[str, str]]) -> str:
    wrong = BREAKS[name]
    where, *lines = diff(wrong)
    margin = min(len(line[2:]) - len(line[2:].lstrip()) for line in lines)
    caught = ", ".join(oracles) + (f"; only this one, because {wrong.only}" if wrong.only else "")
    return MISTAKE.format(
        name=name,
        symptom=symptom,
        measured="; ".join(f"{row['what']}: {_short(row['right'])} → **{_short(row['wrong'])}**" for row in rows),
        mistake=wrong.mistake,
        file=where.partition(",")[0],
        function=wrong.function,
        lines="\n".join(line[:2] + line[2 + margin :] for line in lines),
        caught=caught,
    )


def _short(number: str) -> str:
    """A number as text has it, with a minus sign; of an error the kind and the beginning."""
    text = re.sub(r"(?<![\w.])-(?=[\d.i])", "−", number).replace("inf", "∞").replace("nan", "NaN")
    return text if len(text) < 90 else text[:80].rpartition(" ")[0] + " …"


class Mistakes(SphinxDirective):
    """`{mistakes} GROUP`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        for file in (CAUGHT_BY, SYMPTOMS, MEASURED):
            self.env.note_dependency(str(file))
        return self.parse_text_to_nodes(listed(self.arguments[0]))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mistakes", Mistakes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
