"""`python -m photomend.tests.mutation`: one mistake after another in every backward pass; is it noticed?

Ends with exit code 1 if a mutant survives that isn't listed as equivalent, or if the list is out of date.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from photomend.tests.mutation.equivalents import reasons
from photomend.tests.mutation.mutants import Mutant, all_mutants
from photomend.tests.mutation.report import Report
from photomend.tests.mutation.runner import judge_all
from tqdm import tqdm

#: Fewer mutants than this are judged before another process has started.
WORTH_A_PROCESS = 100


def chosen(mutants: Sequence[Mutant], names: list[str], sample: int | None, seed: int) -> Sequence[Mutant]:
    """The mutants of the functions, subjects and files called `names` (none: of all), or a random few of them.

    Raises:
        ValueError: a name is unknown.
    """
    for name in names:
        if not any(_is_called(mutant, name) for mutant in mutants):
            raise ValueError(f"no function, subject or file with mutants is called {name!r}")
    if names:
        mutants = [mutant for mutant in mutants if any(_is_called(mutant, name) for name in names)]
    if sample is not None and sample < len(mutants):
        picked = set(random.Random(seed).sample(range(len(mutants)), sample))
        mutants = [mutant for i, mutant in enumerate(mutants) if i in picked]
    return mutants


def _is_called(mutant: Mutant, name: str) -> bool:
    return name in (mutant.site.function, mutant.site.file, *mutant.site.subjects)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m photomend.tests.mutation", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help="a function, the primitive it serves, or a file")
    parser.add_argument("--sample", metavar="N", type=int, help="only N of them, chosen at random")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write one row per mutant")
    parser.add_argument(
        "--figures", metavar="FILE", type=Path, help="write every oracle's counts, as docs/data/mutation.json has them"
    )
    parser.add_argument("--jobs", metavar="N", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--every-oracle", action="store_true", help="go on after the first one that notices it")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    options = parser.parse_args(arguments)
    if options.sample is not None and options.sample < 1:
        parser.error(f"--sample: {options.sample} must be at least 1")
    if options.jobs < 1:
        parser.error(f"--jobs: {options.jobs} must be at least 1")
    for name, file in (("--json", options.json), ("--figures", options.figures)):
        if file and (file.is_dir() or not file.parent.is_dir()):
            parser.error(f"{name}: {file} can't be written: it is a folder, or its folder doesn't exist")
    everything = all_mutants()
    try:
        mutants = chosen(everything, options.names, options.sample, options.seed)
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        print("\n".join(map(str, mutants)))
        return 0
    jobs = min(options.jobs, len(mutants) // WORTH_A_PROCESS)
    every_oracle = options.every_oracle or options.figures is not None
    verdicts = judge_all(mutants, jobs, every_oracle=every_oracle)
    report = Report(tqdm(verdicts, total=len(mutants), unit="mutant", disable=None))
    if options.json:
        options.json.write_text(json.dumps(report.rows(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if options.figures:
        options.figures.write_text(json.dumps(report.figures(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    gone = reasons().keys() - {mutant.identity for mutant in everything}
    print(report.tables(every_oracle=every_oracle), end="\n\n")
    for verdict in report.timed_out:
        print(f"never ended: {verdict.mutant}")
    for verdict in report.survivors:
        print(f"survived: {verdict.mutant}")
    for verdict in report.stale:
        print(f"listed as equivalent, but noticed: {verdict.mutant}")
    for identity in sorted(gone):
        print(f"listed as equivalent, but not there: {identity}")
    print(report.summary())
    return 0 if report.clean and not gone else 1


if __name__ == "__main__":
    sys.exit(main())
