"""Blocks of work shared among threads."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator

import pytest
import torch
from photomend.core.backend import threads as backend_threads
from photomend.core.backend.threads import parts, share


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_every_job_is_done_once(threads: int, count: int) -> None:
    done: list[tuple[int, int]] = []
    share(lambda *job: done.append(job), [(i, i * i) for i in range(count)])
    assert sorted(done) == [(i, i * i) for i in range(count)]
    assert torch.get_num_threads() == threads


def test_the_numbers_do_not_depend_on_who_did_which_block(threads: int) -> None:
    x = torch.randn(64, 200, generator=torch.Generator().manual_seed(0))
    y = torch.empty_like(x)

    def block(rows: slice) -> None:
        torch.mul(x[rows], x[rows].sum(dim=1, keepdim=True), out=y[rows])

    share(block, [(rows,) for rows in parts(64, 16)])
    assert torch.equal(y, torch.cat([part * part.sum(dim=1, keepdim=True) for part in x.split(4)]))


def test_a_block_computes_on_one_thread(threads: int) -> None:
    seen: list[int] = []
    share(lambda i: seen.append(torch.get_num_threads()), [(i,) for i in range(8)])
    assert seen == [1] * 8


def test_blocks_run_at_the_same_time(two_threads: None) -> None:
    together = threading.Barrier(2)

    def block(i: int) -> None:
        together.wait(timeout=60)

    share(block, [(0,), (1,)])


def test_an_exception_comes_through_and_ends_the_work(threads: int) -> None:
    done: list[int] = []

    def block(i: int) -> None:
        if i == 2:
            raise KeyError("block 2")
        time.sleep(0.001)
        done.append(i)

    with pytest.raises(KeyError, match="block 2"):
        share(block, [(i,) for i in range(2000)])
    assert len(done) < 2000
    assert torch.get_num_threads() == threads
    test_every_job_is_done_once(threads, 50)


def test_a_block_may_share_too(two_threads: None) -> None:
    done: list[tuple[int, int]] = []
    share(lambda i: share(lambda *job: done.append(job), [(i, j) for j in range(4)]), [(i,) for i in range(4)])
    assert sorted(done) == [(i, j) for i in range(4) for j in range(4)]
    assert torch.get_num_threads() == 2


def _share_in_a_child(sums: multiprocessing.SimpleQueue[int]) -> None:
    done: list[int] = []
    share(done.append, [(i,) for i in range(10)])
    sums.put(sum(done))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own(two_threads: None) -> None:
    share(lambda i: None, [(i,) for i in range(10)])
    forking = multiprocessing.get_context("fork")
    sums = forking.SimpleQueue()
    child = forking.Process(target=_share_in_a_child, args=(sums,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert sums.get() == sum(range(10))


@pytest.mark.parametrize(("length", "count", "sizes"), [(10, 3, [3, 3, 4]), (2, 5, [1, 1]), (4, 1, [4]), (0, 3, [0])])
def test_parts_cover_everything_and_differ_by_one_at_most(length: int, count: int, sizes: list[int]) -> None:
    found = parts(length, count)
    assert [p.stop - p.start for p in found] == sizes
    assert [i for p in found for i in range(length)[p]] == list(range(length))


def test_another_number_of_threads_takes_no_pool_away(two_threads: None) -> None:
    two = backend_threads._threads(2)
    backend_threads._threads(3)
    assert two.submit(lambda: 5).result() == 5
    assert backend_threads._threads(2) is two


def test_blocks_are_in_the_callers_inference_mode(two_threads: None) -> None:
    with torch.inference_mode():
        made = torch.zeros(8, 2)

        def block(i: int) -> None:
            made[i].fill_(i)

        share(block, [(i,) for i in range(8)])
        assert made.sum() == 2 * sum(range(8))
