"""One worker, several people: turns, places in the line, cancelling, and errors in one line."""

from __future__ import annotations

import errno
import threading
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
