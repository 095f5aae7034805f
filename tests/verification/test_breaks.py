"""Every classic mistake is one edit that fits, and is caught: by two oracles, or by one with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from photomend.tests.verification.breaks import BREAKS, broken, diff, edited, source_of, told, try_break
from photomend.tests.verification.mistake import Break
from photomend.tests.verification.mistakes import MISTAKES
from photomend.tests.verification.replacing import find_function
from photomend.tests.verification.rows import subjects

every_break = pytest.mark.parametrize("wrong", MISTAKES, ids=[wrong.name for wrong in MISTAKES])

#: What docs/book/gallery.md says of each.
CAUGHT_BY = json.loads((Path(__file__).parents[2] / "docs" / "data" / "breaks.json").read_text(encoding="utf-8"))

HARMLESS = Break(
    "harmless",
    "ReLU's mask is asked for in another way.",
    "photomend.layers.activation",
    "relu",
    "where_not_zero(ȳ, y)",
    "where_not_zero(ȳ, y.clone())",
    ("relu",),
)


def test_they_are_many_and_have_names_of_their_own() -> None:
    assert len(BREAKS) == len(MISTAKES) >= 12
    for wrong in MISTAKES:
        assert wrong.name == wrong.name.lower().strip()
        assert wrong.mistake.endswith(".")
        assert "\n" not in wrong.mistake


@every_break
def test_the_edit_stands_once_and_in_its_function(wrong: Break) -> None:
    function = find_function(wrong.module, wrong.function)
    assert edited(wrong) != source_of(wrong)
    before = function.__code__
    with broken(wrong):
        assert function.__code__ != before
    assert function.__code__ is before
    assert set(wrong.subjects) <= {subject.name for subject in subjects()}


@pytest.mark.slow  # every oracle in every case of the subject
@every_break
def test_two_oracles_catch_it_or_a_reason_says_why_not(wrong: Break) -> None:
    caught = [verdict for verdict in try_break(wrong) if verdict.caught]
    if wrong.only:
        assert len(caught) == 1
    else:
        assert len(caught) >= 2
    assert any(verdict.by_a_number for verdict in caught) is not wrong.raises
    assert [verdict.oracle for verdict in caught] == CAUGHT_BY[wrong.name]


def test_what_is_told() -> None:
    wrong = BREAKS["batch-norm-mean-term"]
    lines = told(wrong, try_break(wrong))
    assert lines[0] == wrong.mistake
    assert lines[2] == "layers/standardise.py, standardise"
    assert [line[0] for line in lines[3:5]] == ["-", "+"]
    assert "average(scale * ȳ_mean)" in lines[3]
    assert "average(scale * ȳ_mean)" not in lines[4]
    verdicts = {line.split()[0]: line for line in lines[6:10]}
    assert list(verdicts) == ["differences", "adjoint", "torch", "loops"]
    assert " caught " in verdicts["differences"]
    assert " not caught " in verdicts["loops"]
    assert "the forward pass only" in verdicts["loops"]
    assert "analytic:" in "\n".join(lines)
    assert lines[-1] == "caught by differences, torch"


def test_an_oracle_that_is_not_asked_is_not_counted() -> None:
    verdicts = {verdict.oracle: verdict for verdict in try_break(BREAKS["relu-mask"])}
    assert verdicts["adjoint"].worst is None
    assert not verdicts["adjoint"].caught


def test_the_reason_is_told_where_one_oracle_is_alone() -> None:
    wrong = BREAKS["view-of-rows"]
    assert wrong.only
    assert f"Only one oracle can see it: {wrong.only}" in told(wrong, try_break(wrong))


def test_an_edit_that_changes_nothing_survives() -> None:
    verdicts = try_break(HARMLESS)
    assert not any(verdict.caught for verdict in verdicts)
    assert told(HARMLESS, verdicts)[-1] == "survived: no oracle noticed"
    assert len(diff(HARMLESS)) == 3


@pytest.mark.parametrize("old", ["no such words", "return ȳ"])
def test_an_edit_that_fits_nowhere_or_twice_is_refused(old: str) -> None:
    wrong = Break("misfit", "Nothing.", HARMLESS.module, HARMLESS.function, old, "", ())
    times = source_of(wrong).count(old)
    assert times != 1
    with pytest.raises(ValueError, match=f"stands {times} times"):
        edited(wrong)
