"""The engine on the test cases of torch and ONNX: a sample of each suite, and all of them in the exhaustive part.

Each runs in a process of its own, because torch's test modules change settings of the process that imports them.
`python -m photomend.tests.peers` prints the same, and on request what is out of scope.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from photomend.tests.peers.outcome import DifferentError, Outcome, OutOfScopeError

#: Every n-th case of a suite is run in the short form.
SAMPLE = 7
#: How many cases each suite has at least in scope, so that none falls out unnoticed.
IN_SCOPE = {"operators": 1650, "modules": 756, "optimizers": 32, "onnx": 250}
COUNTS = re.compile(r"(\d+) cases, (\d+) in scope, (\d+) equal, (\d+) different, (\d+) crashed")
#: Two rules are replaced, one by a slightly wrong one and one by one that fails.
WRONG = """
from photomend.tests.peers import __main__, adapters
adapters.OPS["neg"] = lambda input: -1.000001 * input
adapters.OPS["exp"] = lambda input: input.nothing
raise SystemExit(__main__.main(["operators", "--every", "50"]))
"""


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of Python with these arguments."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout


def counts(output: str) -> list[int]:
    found = COUNTS.search(output)
    assert found is not None, output
    return [int(number) for number in found.groups()]


@pytest.mark.slow
@pytest.mark.parametrize("suite", IN_SCOPE)
def test_a_sample_of_each_suite(suite: str) -> None:
    status, output = run("-m", "photomend.tests.peers", suite, "--every", str(SAMPLE))
    assert status == 0, output
    assert counts(output)[2] > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("suite", IN_SCOPE)
def test_all_of_each_suite(suite: str) -> None:
    status, output = run("-m", "photomend.tests.peers", suite)
    assert status == 0, output
    _, in_scope, equal, different, crashed = counts(output)
    assert (equal, different, crashed) == (in_scope, 0, 0)
    assert in_scope >= IN_SCOPE[suite]


@pytest.mark.slow
def test_a_wrong_operation_is_noticed() -> None:
    status, output = run("-c", WRONG)
    assert status == 1
    assert set(re.findall(r"different: (\w+)", output)) == {"neg"}
    assert set(re.findall(r"crashed: (\w+)", output)) == {"exp"}


def test_cases_are_counted() -> None:
    outcome = Outcome("a suite")

    def raises(error: Exception) -> None:
        raise error

    outcome.judge("a", lambda: None)
    outcome.judge("b", lambda: raises(OutOfScopeError("no such option")))
    outcome.judge("c", lambda: raises(DifferentError("value is off by 1")))
    outcome.judge("d", lambda: raises(KeyError("k")))
    assert (outcome.cases, outcome.in_scope, outcome.equal) == (4, 3, 1)
    assert list(outcome.lines()) == [
        "a suite: 4 cases, 3 in scope, 1 equal, 1 different, 1 crashed",
        "  different: c: value is off by 1",
        "  crashed: d: KeyError: 'k'",
    ]
