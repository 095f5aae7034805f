"""Fuzz every reader of files: changes to small files of each format, in a process that may die.

    python -m photomend.tests.fuzz --seconds 60
    python -m photomend.tests.fuzz photo --seconds 3600 --guided
    python -m photomend.tests.fuzz --replay

An untyped error, a crash, more than five seconds, or more memory than the bound is a finding: its bytes are kept.
With --guided, which needs atheris (the group `fuzz`), inputs that reach new lines are kept and changed on, in a folder
that the next run goes on from. With --replay that folder is read once, in this process, where coverage.py (of the same
group) sees which lines of the readers that reaches.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz every reader of files.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, if none is named")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--seed", type=int, help="a random one, which is printed, by default")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    parser.add_argument("--replay", action="store_true", help="read the corpus once, and say which lines it reaches")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="the folder for what is found and kept")
    options = parser.parse_args()
    lines = None
    if options.replay:
        from .lines import Lines

        lines = Lines()  # before all readers, whose lines it sees
    if options.guided:
        from . import guided  # before all readers, because it instruments them
    from .fuzz import fuzz
    from .replay import replay
    from .targets import TARGETS

    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    corpus, inputs, findings = options.keep / "corpus", 0, 0
    if not options.replay:
        print(f"seed {seed}", flush=True)
    for name in names:
        began, share = time.monotonic(), options.seconds / len(names)
        if options.replay:
            found = replay(name, corpus)
        elif options.guided:
            found = guided.guided(name, share, seed, corpus, options.keep)
        else:
            found = fuzz(name, share, seed, options.keep)
        print(f"{name:15} {found.inputs:9,} inputs  {found.refused:9,} refused  {len(found.findings)} findings")
        print("".join(f"    {line}\n" for line in found.findings), end="", flush=True)
        inputs, findings = inputs + found.inputs, findings + len(found.findings)
        if not options.replay:
            about = {"target": name, "seed": seed, "guided": options.guided, "inputs": found.inputs}
            took = round(time.monotonic() - began)
            line = {**about, "seconds": took, "refused": found.refused, "findings": found.findings}
            options.keep.mkdir(parents=True, exist_ok=True)
            with (options.keep / "runs.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
    print(f"{inputs:,} inputs, {findings} findings")
    if lines is not None:
        print(lines.table())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
