"""A run's figures: how many mutants there are, which were noticed by what, and which by nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from photomend.tests.mutation.equivalents import reasons
from photomend.tests.mutation.runner import Verdict


class Report:
    """What became of some mutants."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        known = reasons()
        self.verdicts = list(verdicts)
        self.timed_out = [v for v in self.verdicts if v.timed_out]
        self.killed = [v for v in self.verdicts if not v.survived and not v.timed_out]
        self.equivalent = [v for v in self.verdicts if v.survived and v.mutant.identity in known]
        self.survivors = [v for v in self.verdicts if v.survived and v.mutant.identity not in known]
        #: Listed as equivalent, and noticed all the same.
        self.stale = [v for v in self.verdicts if not v.survived and v.mutant.identity in known]

    @property
    def clean(self) -> bool:
        return not self.survivors and not self.stale

    def summary(self) -> str:
        return (
            f"{len(self.verdicts)} mutants, {len(self.killed)} killed, {len(self.timed_out)} out of time, "
            f"{len(self.equivalent)} equivalent (listed), {len(self.survivors)} survivors"
        )

    def tables(self, *, every_oracle: bool) -> str:
        """Mutants by operator, and by what noticed them first; if every oracle was asked, by all that did."""
        crashes = sum(v.crashed for v in self.killed)
        lines = [f"{'operator':20}{'mutants':>9}{'killed':>9}{'out of time':>13}{'equivalent':>12}"]
        operators = Counter(v.mutant.identity.operator for v in self.verdicts)
        for name, count in operators.most_common():
            killed, timed_out, equivalent = (
                sum(v.mutant.identity.operator == name for v in verdicts)
                for verdicts in (self.killed, self.timed_out, self.equivalent)
            )
            lines.append(f"{name:20}{count:9}{killed:9}{timed_out:13}{equivalent:12}")
        first = Counter(v.first for v in self.killed)
        if not every_oracle:
            return "\n".join([*lines, "", "noticed first by", *(f"{name:20}{n:9}" for name, n in first.most_common())])
        lines += ["", f"{'noticed by':20}{'in all':>9}{'first':>9}{'alone':>12}"]
        noticed = Counter(n for v in self.killed for n in v.noticed)
        alone = Counter(v.first for v in self.killed if len(v.noticed) == 1)
        for name, count in noticed.most_common():
            lines.append(f"{name:20}{count:9}{first[name]:9}{alone[name]:12}")
        lines += ["", f"{crashes} of the killed raised an error in all that noticed them: wrong shapes and the like."]
        return "\n".join(lines)

    def figures(self) -> dict[str, Any]:
        """The counts that docs/verification.md shows: in all, by operator, and by oracle among wrong numbers.

        An oracle is alone if nothing else noticed the mutant.
        """
        verdicts = {
            "mutants": self.verdicts,
            "killed": self.killed,
            "timed_out": self.timed_out,
            "equivalent": self.equivalent,
            "survivors": self.survivors,
        }
        operators = {name: Counter(v.mutant.identity.operator for v in found) for name, found in verdicts.items()}
        wrong = [v for v in self.killed if not v.crashed]
        noticed = Counter(name for v in wrong for name in v.noticed)
        alone = Counter(v.first for v in wrong if len(v.noticed) == 1)
        return {
            "measured": date.today().isoformat(),
            **{name: len(found) for name, found in verdicts.items()},
            "crashed": len(self.killed) - len(wrong),
            "operators": [
                {"operator": operator, **{name: count[operator] for name, count in operators.items()}}
                for operator, _ in operators["mutants"].most_common()
            ],
            "oracles": [
                {"oracle": name, "noticed": count, "alone": alone[name]} for name, count in noticed.most_common()
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        known = reasons()
        return [
            {
                **v.mutant.identity._asdict(),
                "line": v.mutant.line,
                "noticed": v.noticed,
                "survived": v.survived,
                "equivalent": known.get(v.mutant.identity),
            }
            for v in self.verdicts
        ]
