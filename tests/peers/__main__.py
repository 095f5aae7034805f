"""`python -m photomend.tests.peers [SUITE …]`: the engine on the test cases of torch and ONNX.

Prints for each suite how many cases the engine has the operation for, how many of these are in its scope, equal,
different and crashed, and with `--scope` what the others ask for. Exit code 1 if one is different or crashed.
"""

from __future__ import annotations

import argparse
import sys
import warnings

from photomend.tests.peers.suites import SUITES


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m photomend.tests.peers", description=__doc__.split("\n\n")[0])
    parser.add_argument("suites", metavar="SUITE", nargs="*", help=", ".join(SUITES))
    parser.add_argument("--scope", action="store_true", help="also list what is out of scope, and how often")
    parser.add_argument("--every", metavar="N", type=int, default=1, help="only every N-th case")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.suites if name not in SUITES]:
        parser.error(f"suite {unknown[0]!r} is unknown; choose from {', '.join(SUITES)}")
    warnings.simplefilter("ignore")
    failed = False
    for name in options.suites or SUITES:
        outcome = SUITES[name](options.every)
        print("\n".join(outcome.lines()))
        if options.scope:
            for reason, count in sorted(outcome.out_of_scope.items()):
                print(f"  out of scope: {count:4} × {reason}")
        failed = failed or bool(outcome.different or outcome.crashed)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
