"""One worker, several people: turns, places in the line, cancelling, and errors in one line."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from photomend.app.web.jobs import Job, Jobs
from photomend.core import PhotomendError


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


class Gate:
    """Work that begins and then waits until it may go on."""

    def __init__(self) -> None:
        self.begun, self.opened = threading.Event(), threading.Event()

    def __call__(self, job: Job) -> None:
        self.begun.set()
        assert self.opened.wait(10)
        job.progress(1, 1)


def note(order: list[str], name: str, job: Job) -> None:
    order.append(name)


def test_people_take_turns_and_know_their_place(jobs: Jobs) -> None:
    gate, order = Gate(), list[str]()
    first = jobs.add(Job("ann", "repair", gate))
    assert gate.begun.wait(10)
    names = ["ann 1", "ann 2", "ann 3", "ben 1", "cleo 1", "cleo 2"]
    later = {name: jobs.add(Job(name.split()[0], "repair", partial(note, order, name))) for name in names}
    assert jobs.ahead(first) == 0
    ahead = {name: jobs.ahead(job) for name, job in later.items()}
    assert ahead == {"ann 1": 1, "ben 1": 2, "cleo 1": 3, "ann 2": 4, "cleo 2": 5, "ann 3": 6}
    gate.opened.set()
    for job in later.values():
        assert job.over.wait(10)
    assert order == sorted(ahead, key=lambda name: ahead[name])
    assert [jobs.ahead(job) for job in later.values()] == [0] * 6


def test_what_nobody_wants_is_not_begun_or_not_finished(jobs: Jobs) -> None:
    gate, done = Gate(), list[str]()
    running = jobs.add(Job("ann", "repair", gate))
    assert gate.begun.wait(10)
    waiting = jobs.add(Job("ben", "repair", lambda job: done.append("never")))
    jobs.cancel(waiting)
    assert (waiting.state, waiting.over.is_set()) == ("cancelled", True)
    jobs.cancel(running)
    gate.opened.set()
    assert running.over.wait(10)
    assert running.state == "cancelled"
    last = jobs.add(Job("ben", "repair", lambda job: done.append("last")))
    assert last.over.wait(10)
    assert done == ["last"]


def test_work_without_a_sign_of_progress_is_interrupted(jobs: Jobs) -> None:
    begun, cleaned, tries = threading.Event(), threading.Event(), list[int]()

    def work(job: Job) -> None:
        try:
            while True:
                begun.set()
                try:
                    time.sleep(0.01)
                except Exception:  # a library that takes everything for a fault of its own
                    tries.append(1)
        finally:
            cleaned.set()

    running = jobs.add(Job("ann", "repair", work))
    assert begun.wait(10)
    jobs.cancel(running)
    assert running.over.wait(5)
    assert (running.state, running.problem, cleaned.is_set(), tries) == ("cancelled", "", True, [])
    jobs.cancel(running)  # once more, of one that is over


def test_an_interrupted_job_is_cancelled_whatever_it_raises(jobs: Jobs) -> None:
    begun = threading.Event()

    def work(job: Job) -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except BaseException as error:
            raise PhotomendError("the photo can't be read") from error

    running = jobs.add(Job("ann", "open", work))
    assert begun.wait(10)
    jobs.cancel(running)
    assert running.over.wait(5)
    assert (running.state, running.problem) == ("cancelled", "")


def test_cancelling_at_any_moment_hurts_no_other_job(jobs: Jobs) -> None:
    """The worker is interrupted in the job that is cancelled, or not at all."""

    def work(job: Job) -> None:
        for _ in range(200):
            sum(range(20))

    done = list[str]()
    for number in range(300):
        job = jobs.add(Job("ann", "repair", work))
        after = jobs.add(Job("ann", "repair", partial(note, done, str(number))))
        while job.state == "waiting" and number % 3:
            time.sleep(0)
        time.sleep(number % 7 * 1e-5)
        jobs.cancel(job)
        assert after.over.wait(10)
        assert after.state == "done"
        assert job.state in ("cancelled", "done")
    assert done == [str(number) for number in range(300)]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PhotomendError("the mask is\nempty"), "the mask is empty"),
        (MemoryError(), "there is not enough memory for this photo"),
        (OSError(errno.ENOSPC, "No space left on device"), "the server's disk is full"),
    ],
)
def test_errors_are_one_line(jobs: Jobs, error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(job: Job) -> None:
        raise error

    job = jobs.add(Job("ann", "repair", fail))
    assert job.over.wait(10)
    assert (job.state, job.problem) == ("failed", line)
    assert capsys.readouterr().err == ""


def test_a_mistake_of_ours_is_shown_to_who_runs_the_server(jobs: Jobs, capsys: pytest.CaptureFixture[str]) -> None:
    job = jobs.add(Job("ann", "repair", lambda job: [][1]))
    assert job.over.wait(10)
    assert job.problem == "photomend made a mistake; its terminal says which"
    assert "IndexError" in capsys.readouterr().err


def test_a_process_can_be_profiled_after_jobs_were_cancelled() -> None:
    """An error that one thread sends another and that is never raised makes Python 3.11 hang under a profiler."""
    program = """
import sys, time
from photomend.app.web.jobs import Job, Jobs

def busy(job):
    while not job.unwanted.is_set():
        pass

jobs = Jobs()
ended = [jobs.add(Job("a", "work", busy if n % 2 else str)) for n in range(40)]
for job in ended:
    time.sleep(0.002)
    jobs.cancel(job)
assert all(job.over.wait(20) for job in ended)
jobs.close()
sys.setprofile(lambda *event: None)
print(sorted([2, 1], key=lambda x: x))
sys.setprofile(None)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("[1, 2]\n", 0), done.stderr
