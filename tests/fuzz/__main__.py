"""Fuzz every reader of files: random changes to small files of each format, in a process that may die.

    python -m photomend.tests.fuzz --seconds 60
    python -m photomend.tests.fuzz photo --seconds 3600 --seed 7 --keep crashers/

An untyped error, a crash, more than five seconds, or more memory than the bound is a finding: its bytes are kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .fuzz import fuzz
from .targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz every reader of files.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all, if none is named")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="the folder for what is found")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    inputs = findings = 0
    for name in names:
        found = fuzz(name, options.seconds / len(names), options.seed, options.keep)
        print(
            f"{name:15} {found.inputs:9,} inputs  {found.refused:9,} refused  {len(found.findings)} findings",
            flush=True,
        )
        for line in found.findings:
            print(f"    {line}")
        inputs, findings = inputs + found.inputs, findings + len(found.findings)
    print(f"{inputs:,} inputs, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
