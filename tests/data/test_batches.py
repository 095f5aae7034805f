"""Batches of any arrays: what comes, in which order, from which step on; and what is no data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import PhotomendError, Tensor
from photomend.data.batches import Batches
from torch.utils.data import DataLoader, TensorDataset

X, Y = torch.arange(20.0).reshape(10, 2), torch.arange(10)


class Samples:
    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return X[index].double().numpy(), int(Y[index])


class Endless:
    """An iterable without a length that draws its order from torch's generator; an epoch has four batches."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(8)
        return iter([(X[i], Y[i]) for i in order.split(2)])


KINDS = {
    "arrays": lambda: Batches((X, Y), 3, seed=1),
    "lists": lambda: Batches((X.tolist(), Y.tolist()), 3, seed=1),
    "numpy": lambda: Batches((X.double().numpy(), Y.int().numpy()), 3, seed=1),
    "dataset": lambda: Batches(Samples(), 3, seed=1),
    "loader": lambda: Batches(DataLoader(TensorDataset(X, Y), 3, shuffle=True), seed=1),
    "endless": lambda: Batches(Endless(), seed=1),
}


def flat(batches: Iterator[tuple[torch.Tensor, ...]], count: int) -> list[list[int]]:
    taken = list(islice(batches, count))
    for x, y in taken:
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert torch.equal(x, X[y])
    return [y.tolist() for _, y in taken]


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(kind: str) -> None:
    batches = KINDS[kind]()
    steps = batches.steps_per_epoch
    assert steps == (None if kind == "endless" else 4)
    taken = flat(batches.stream(), 8)
    first, second = ([label for batch in epoch for label in batch] for epoch in (taken[:4], taken[4:]))
    samples = list(range(8 if kind == "endless" else 10))
    assert sorted(first) == sorted(second) == samples
    assert first != second
    assert first != samples


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [0, 1, 3, 4, 9])
def test_a_stream_from_step_n_gives_what_another_gives_from_there(kind: str, start: int) -> None:
    whole = flat(KINDS[kind]().stream(), 14)
    torch.rand(5)  # what others draw changes nothing
    assert flat(KINDS[kind]().stream(start), 14 - start) == whole[start:]


def test_the_same_order_for_arrays_and_datasets() -> None:
    assert flat(KINDS["arrays"]().stream(), 8) == flat(KINDS["dataset"]().stream(), 8)


def test_without_shuffling_samples_come_in_order() -> None:
    assert flat(Batches((X, Y), 4, shuffle=False).stream(), 4) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3]]


def test_torchs_generator_stays_as_it_was() -> None:
    batches = KINDS["loader"]()
    before = torch.get_rng_state()
    list(islice(batches.stream(2), 5))
    assert torch.equal(before, torch.get_rng_state())


def test_floating_point_comes_in_the_dtype_that_was_asked_for() -> None:
    x, y = next(Batches((X, X[:, :1] > 3), dtype=torch.float64).stream())
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    x, y = next(Batches((Tensor(X), Y)).stream())
    assert (type(x), y.dtype) == (torch.Tensor, torch.int64)


def test_several_inputs() -> None:
    x, x2, y = next(Batches((X, 2 * X, Y), 10, seed=0).stream())
    assert torch.equal(x2, 2 * x)
    assert torch.equal(x, X[y])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, Y[:9]), "x has 10 samples, but y has 9"),
        ((X, X, Y[:9]), "x has 10 samples, but y has 9"),
        ((X[:0], Y[:0]), "is empty"),
        ((torch.zeros(0, 0), Y[:0]), "is empty"),
        (DataLoader(TensorDataset(X[:0], Y[:0])), "is empty"),
        (3, "must be arrays (x, y), a dataset or batches, not int"),
        ((X,), "must be a tuple (x, y), not a tuple of 1"),
        ((X, torch.tensor(1)), "y is a single number"),
        ((X, ["a"] * 10), "y can't be made a tensor"),
        (([[1.0], [2.0, 3.0]], [0, 1]), "x can't be made a tensor"),
        ((torch.where(X == 7, torch.nan, X), Y), "x holds ∞ or NaN, first in sample 3"),
    ],
)
def test_what_is_no_data(data: Any, message: str) -> None:
    with pytest.raises(PhotomendError) as error:
        Batches(data)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X, "a sample or batch must be a tuple (x, y), not Tensor"),
        ([X, Y], "a sample or batch must be a tuple (x, y), not Tensor"),
        ([(X, 1), (X[:3], 2)], "its samples differ in shape"),
        ([(X, 1), (X, X, 2)], "its samples differ in shape"),
        (iter([X, Y]), "a sample or batch must be a tuple (x, y), not Tensor"),
        (iter([]), "gives no batches in epoch 1"),
    ],
)
def test_what_turns_out_to_be_no_data(data: Any, message: str) -> None:
    with pytest.raises(PhotomendError) as error:
        next(Batches(data).stream())
    assert message in str(error.value)


def test_an_iterator_is_gone_through_once() -> None:
    stream = Batches(iter([(X, Y)])).stream()
    next(stream)
    with pytest.raises(PhotomendError, match="no batches in epoch 2; an iterator can be gone through once"):
        next(stream)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_wrong_batch_size(size: Any) -> None:
    with pytest.raises(PhotomendError, match="must be a whole number above 0"):
        Batches((X, Y), size)
