"""The bootstrap against what is known of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from photomend.train.evaluation.bootstrap import (
    MIN_PHOTOS,
    bootstrap_intervals,
    bootstrap_ratios,
    resampled_means,
)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_intervals([rng.exponential(2.0, 60).tolist()], seed=trial, resamples=400)[0]
        covered += low <= 2.0 <= high
    assert 0.87 <= covered / 200 <= 0.985  # a percentile bootstrap of 60 skewed values covers about 93 %


def test_the_interval_is_that_of_the_normal_for_many_values() -> None:
    values = np.random.default_rng(0).normal(10, 3, 2000)
    low, high = bootstrap_intervals([values.tolist()])[0]
    half = 1.96 * values.std() / math.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    assert bootstrap_intervals([values.tolist()])[0] == (low, high)


def test_pairing_narrows_the_ratio() -> None:
    rng = np.random.default_rng(2)
    hard = rng.exponential(50, 100)
    ratio, (low, high) = bootstrap_ratios([((0.9 * hard).tolist(), hard.tolist())])[0]
    assert (ratio, low, high) == pytest.approx((0.9, 0.9, 0.9))
    noisy = 0.9 * hard * rng.uniform(0.9, 1.1, 100)
    ratio, (low, high) = bootstrap_ratios([(noisy.tolist(), hard.tolist())])[0]
    assert low < ratio < high < 1
    alone = bootstrap_intervals([noisy.tolist()])[0]
    assert (high - low) < (alone[1] - alone[0]) / hard.mean()


def test_bootstrap_edges() -> None:
    assert all(map(math.isnan, bootstrap_intervals([[4.0]])[0]))
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_intervals([[]])
    with pytest.raises(ValueError, match="not of the same photos"):
        bootstrap_ratios([([1.0, 2.0], [1.0])])


def test_rows_together_are_rows_alone() -> None:
    rng = np.random.default_rng(3)
    rows = rng.exponential(2, (3, 40)).tolist()
    for together, row in zip(bootstrap_intervals(rows), rows, strict=True):
        assert together == pytest.approx(bootstrap_intervals([row])[0])
    pairs = [(rows[0], rows[1]), (rows[1], rows[2])]
    for (ratio, ends), pair in zip(bootstrap_ratios(pairs), pairs, strict=True):
        assert (ratio, *ends) == pytest.approx((bootstrap_ratios([pair])[0][0], *bootstrap_ratios([pair])[0][1]))


def test_the_draws_do_not_depend_on_the_blocks() -> None:
    """Means of 3,000,000 numbers come from more than one block of draws; all are of the same 1,000 values."""
    means = resampled_means(np.arange(1000.0)[None], seed=0, resamples=3000)
    assert means.shape == (1, 3000)
    assert means.mean() == pytest.approx(499.5, abs=1)
    assert means.std() == pytest.approx(math.sqrt(1000**2 / 12 / 1000), rel=0.05)


@pytest.mark.parametrize("count", [1, 3, MIN_PHOTOS - 1, MIN_PHOTOS])
def test_few_photos_have_no_interval(count: int) -> None:
    values = np.random.default_rng(count).exponential(50, count).tolist()
    twice = [2 * value for value in values]
    ends = [*bootstrap_intervals([values])[0], *bootstrap_ratios([(values, twice)])[0][1]]
    assert [math.isnan(end) for end in ends] == [count < MIN_PHOTOS] * 4
    assert bootstrap_ratios([(values, twice)])[0][0] == pytest.approx(0.5)


def test_no_mean_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_intervals([[1.0, math.inf] * MIN_PHOTOS])[0]))
    ratio, ends = bootstrap_ratios([([1.0] * MIN_PHOTOS, [0.0] * MIN_PHOTOS)])[0]
    assert ratio == math.inf
    assert all(map(math.isnan, ends))
