"""The checker never refuses a right rule: random cases of every primitive, with seeds that stay the same."""

from __future__ import annotations

import pytest
from photomend.core import check
from photomend.tests.core.random_cases import drawn, names

SAMPLE, ALL = 100, 1000


def test_the_sample_visits_every_primitive() -> None:
    assert {drawn(seed)[0] for seed in range(SAMPLE)} == set(names())


@pytest.mark.parametrize("seed", range(SAMPLE))
def test_a_right_rule_passes(seed: int) -> None:
    _, function, inputs = drawn(seed)
    assert check(function, *inputs)


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(SAMPLE, ALL, SAMPLE))
def test_nine_hundred_more(first: int) -> None:
    for seed in range(first, first + SAMPLE):
        name, function, inputs = drawn(seed)
        try:
            check(function, *inputs)
        except Exception as error:
            raise AssertionError(f"seed {seed}, {name} of {[tuple(x.shape) for x in inputs]}: {error}") from error
