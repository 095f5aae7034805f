"""Every textbook answer passes, every typical wrong answer is told what is wrong with it, and so is an empty file."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from photomend.app.exercises.catalogue import EXERCISES, Exercise
from photomend.app.exercises.checks import checker
from photomend.app.exercises.failure import AnswerError
from photomend.app.exercises.text import derivation, start_text
from photomend.tests.app.exercises.wrong_answers import WRONG, Wrong

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}


def names_in(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "answer"}
    exec(compile(source, "answer.py", "exec"), names)
    return names


def failure(exercise: Exercise, source: str) -> AnswerError:
    with pytest.raises(AnswerError) as caught:
        list(checker(exercise)(names_in(source)))
    return caught.value


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_textbook_answer_passes(exercise: Exercise) -> None:
    lines = list(checker(exercise)(names_in(exercise.solution)))
    assert lines
    for function in exercise.functions:
        assert any(line.startswith(f"{function}:") for line in lines)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.exercise}: {w.name}")
def test_a_wrong_answer_is_told_what_is_wrong(wrong: Wrong) -> None:
    exercise = BY_NAME[wrong.exercise]
    failed = failure(exercise, wrong.source)
    assert wrong.phrase in str(failed)
    assert failed.function in exercise.functions
    reason, line = derivation(exercise, failed.function, failed.target)
    assert reason, failed.target
    assert line, failed.target
    assert line not in str(failed)


def test_gradients_may_also_be_cleared_after_the_step() -> None:
    exercise = BY_NAME["adam-loop"]
    source = exercise.solution.replace("        optimizer.zero_grad()\n", "")
    source = source.replace("optimizer.step()\n", "optimizer.step()\n        optimizer.zero_grad()\n")
    assert any("test digits are read" in line for line in checker(exercise)(names_in(source)))


def test_there_are_more_than_35_wrong_answers_and_some_of_each_exercise() -> None:
    assert len(WRONG) > 35
    counts = Counter(wrong.exercise for wrong in WRONG)
    assert min(counts[exercise.name] for exercise in EXERCISES) >= 4


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_file_to_start_with_says_what_is_to_be_written(exercise: Exercise) -> None:
    text = start_text(exercise)
    assert text.startswith(f"# photomend exercise: {exercise.name}\n")
    names = names_in(text)
    for function in exercise.functions:
        assert names[function].__doc__
    with pytest.raises(NotImplementedError, match="yours to write"):
        list(checker(exercise)(names))
