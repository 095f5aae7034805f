"""A sample of all mutants is noticed, and the runner can tell a mistake from a harmless change."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from photomend.core import all_primitives
from photomend.tests.mutation import __main__ as command
from photomend.tests.mutation import runner
from photomend.tests.mutation.equivalents import reasons
from photomend.tests.mutation.mutants import Mutant, all_mutants, mutants_of
from photomend.tests.mutation.report import Report
from photomend.tests.mutation.runner import judge
from photomend.tests.mutation.sites import HELPERS, regions, sites
from photomend.tests.verification.replacing import find_function

SIGMOID = next(site for site in sites() if site.function == "sigmoid")


def edited(old: str, new: str) -> Mutant:
    """`sigmoid` with one piece of its text replaced."""
    rule = find_function(SIGMOID.module, SIGMOID.function)
    source = inspect.getsource(sys.modules[SIGMOID.module])
    assert old in source
    tree, changed = ast.parse(source), ast.parse(source.replace(old, new))
    number = next(i for i, node in enumerate(tree.body) if getattr(node, "name", "") == rule.__name__)
    return dataclasses.replace(mutants_of(SIGMOID)[0], place=("body", number), replacement=changed.body[number])


def unexplained(mutants: Iterable[Mutant]) -> list[str]:
    """Those that nothing notices and that aren't listed as equivalent, and those that are listed but noticed."""
    report = Report(map(judge, mutants))
    return [str(v.mutant) for v in (*report.survivors, *report.stale)]


@pytest.mark.slow  # each subject's cases are run once to learn what they call
def test_a_sample_is_noticed() -> None:
    assert unexplained(command.chosen(all_mutants(), [], sample=60, seed=0)) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("file", sorted({site.file for site in sites()}))
def test_every_mutant_is_noticed(file: str) -> None:
    """But for the listed equivalents: that nothing notices one takes all oracles and ten times as long as to notice
    another, and `make mutation` asks for it."""
    tried = (mutant for mutant in all_mutants() if mutant.site.file == file and mutant.identity not in reasons())
    assert unexplained(tried) == []


def test_listed_equivalents_exist() -> None:
    """One that doesn't any more has to go from the list."""
    assert [str(identity) for identity in reasons().keys() - {mutant.identity for mutant in all_mutants()}] == []


def test_identities_are_unique() -> None:
    assert len({mutant.identity for mutant in all_mutants()}) == len(all_mutants())


def test_every_primitive_and_helper_is_tried() -> None:
    tried = {(mutant.site.module, mutant.site.function) for mutant in all_mutants()}
    ours = ("photomend.core.", "photomend.layers.", "photomend.train.")
    rules = {(p.rule.__module__, name) for name, p in all_primitives().items() if p.rule.__module__.startswith(ours)}
    untried = (rules | {(site.module, site.function) for site in HELPERS}) - tried
    # These two pass on the pullback that a helper makes, and have nothing of their own in which to be wrong.
    assert tried - rules <= {(site.module, site.function) for site in HELPERS}
    assert untried == {("photomend.layers.norm", name) for name in ("batch_norm", "group_norm")}


def test_a_wrong_rule_is_noticed_by_differences_and_torch() -> None:
    verdict = judge(edited("addcmul(y, y, y, value=-1)", "addcmul(y, y, y, value=1)"), every_oracle=True)
    assert {"torch", "differences"} <= verdict.noticed.keys()
    assert not verdict.crashed


def test_a_harmless_change_survives() -> None:
    assert judge(edited("torch.addcmul(y, y, y, value=-1)", "(y - y * y)")).survived


def test_an_error_is_told_from_a_wrong_number() -> None:
    verdict = judge(edited("addcmul(y, y, y, value=-1)", "addcmul(y, y, nothing, value=-1)"))
    assert verdict.crashed
    assert "NameError" in verdict.noticed["torch"]


def test_an_endless_loop_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TIME_LIMIT", 0.2)
    code = find_function(SIGMOID.module, SIGMOID.function).__code__
    endless = edited("return torch.addcmul(y, y, y, value=-1).mul_(ȳ)", "while True: pass")
    verdict = judge(endless)
    assert verdict.noticed == {"time limit": "no end"}
    assert find_function(SIGMOID.module, SIGMOID.function).__code__ is code
    report = Report([verdict])
    assert (report.timed_out, report.killed, report.survivors) == ([verdict], [], [])
    assert report.summary() == "1 mutants, 0 killed, 1 out of time, 0 equivalent (listed), 0 survivors"


def test_time_that_others_take_does_not_count() -> None:
    with runner.time_limit(0.05):
        time.sleep(0.1)


def test_only_what_serves_the_pullback_is_tried() -> None:
    source = """
def rule(x, *, axes):
    n = len(axes)
    size, kept = x.size, x.kept
    inverse = [0] * len(axes)
    for to, source in enumerate(axes):
        inverse[source] = to
    for axis in axes:
        x = x.move(axis)
        last = axis
    def rule_pullback(g):
        return g.permute(inverse, n, kept, last)
    return x.permute(axes, size), rule_pullback
"""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    tried = {ast.unparse(region).splitlines()[0] for region in regions(function, whole=False)}
    assert tried == {
        "n = len(axes)",
        "x.kept",
        "inverse = [0] * len(axes)",
        "for to, source in enumerate(axes):",
        "last = axis",
        "def rule_pullback(g):",
    }


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "rows.json", tmp_path / "figures.json"]
    assert command.main(["tanh", "--json", str(files[0]), "--figures", str(files[1])]) == 0
    rows, figures = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    assert figures["mutants"] == figures["killed"] == len(rows)
    assert sum(row["killed"] for row in figures["operators"]) == len(rows)
    assert max(row["noticed"] for row in figures["oracles"]) == figures["killed"] - figures["crashed"]
    assert {row["function"] for row in rows} == {"tanh"}
    assert capsys.readouterr().out.endswith(
        f"\n{len(rows)} mutants, {len(rows)} killed, 0 out of time, 0 equivalent (listed), 0 survivors\n"
    )


def test_a_survivor_ends_in_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("photomend.tests.mutation.report.reasons", dict)
    assert command.main(["permute"]) == 1
    assert "survived: core/ops/shaping.py" in capsys.readouterr().out


def test_an_entry_that_is_noticed_ends_in_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = reasons() | {mutants_of(SIGMOID)[0].identity: "wrongly"}
    monkeypatch.setattr("photomend.tests.mutation.report.reasons", lambda: known)
    assert command.main(["sigmoid"]) == 1
    assert "listed as equivalent, but noticed: layers/activation.py" in capsys.readouterr().out


def test_the_command_lists_without_running(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["layers/standardise.py", "--list", "--sample", "5", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("layers/standardise.py:") and " -> " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "'nothing'"),
        (["--sample", "0"], "--sample: 0"),
        (["--jobs", "0"], "--jobs: 0"),
        (["--json", "missing/rows.json"], "--json: missing/rows.json"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert message in capsys.readouterr().err
