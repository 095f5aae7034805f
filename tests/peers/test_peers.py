"""The engine on the test cases of torch and ONNX: a sample of each suite, and all of them in the exhaustive part.

`python -m photomend.tests.peers` prints the counts, and what is out of scope.
"""

from __future__ import annotations

import pytest
from photomend.tests.peers import adapters
from photomend.tests.peers.outcome import DifferentError, Outcome, OutOfScopeError
from photomend.tests.peers.suites import SUITES

#: Every n-th case of a suite is run in the short form.
SAMPLE = 7
#: How many cases each suite has at least in scope, so that none falls out unnoticed.
IN_SCOPE = {"operators": 1650, "modules": 450, "optimizers": 32, "onnx": 250}


@pytest.mark.parametrize("suite", SUITES)
def test_a_sample_of_each_suite(suite: str) -> None:
    outcome = SUITES[suite](SAMPLE)
    assert outcome.equal > 0
    assert [*outcome.different, *outcome.crashed] == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("suite", SUITES)
def test_all_of_each_suite(suite: str) -> None:
    outcome = SUITES[suite](1)
    assert [*outcome.different, *outcome.crashed] == []
    assert outcome.equal == outcome.in_scope >= IN_SCOPE[suite]


def test_a_wrong_operation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(adapters.OPS, "neg", lambda input: -1.000001 * input)
    monkeypatch.setitem(adapters.OPS, "exp", lambda input: input / 0 if input.nothing else input)
    outcome = SUITES["operators"](50)
    assert {line.split(":")[0] for line in outcome.different} == {"neg"}
    assert {line.split(":")[0] for line in outcome.crashed} == {"exp"}


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
