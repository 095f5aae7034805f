"""Work that takes a while: one worker does it, for several people in turn.

A repair uses all cores and the memory of its photo, so two at a time would only make both slow. Whoever asks most
often must not keep the others waiting: people, told apart by their addresses, take turns, and each person's jobs are
done in the order in which they came.
"""

from __future__ import annotations

import ctypes
import errno
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from itertools import zip_longest
from time import monotonic

from ...core import PhotomendError


class CancelledError(BaseException):
    """Nobody wants the result any more. No `except Exception` of a library's takes it for a fault of its own."""


class Job:
    """Something to be done.

    Attributes:
        owner: for whom, as far as turns are concerned.
        kind: what it is called.
        state: waiting, running, done, failed or cancelled.
        problem: one line, once it has failed.
        done, total: how far it is; a total of 0 where that isn't known.
    """

    def __init__(self, owner: str, kind: str, work: Callable[[Job], object]) -> None:
        self.owner, self.kind, self.work = owner, kind, work
        self.state, self.problem, self.done, self.total = "waiting", "", 0, 0
        self.unwanted = threading.Event()
        self.started: float | None = None
        self.over = threading.Event()
        self._thread: int | None = None  # that may be interrupted
        self._gate = threading.Lock()

    def progress(self, done: int, total: int) -> None:
        """How far the work is. Raises CancelledError if there is no need to go on."""
        self.done, self.total = done, total
        self.check()

    def check(self) -> None:
        """Raise CancelledError if there is no need to go on."""
        if self.unwanted.is_set():
            raise CancelledError

    @property
    def seconds(self) -> float:
        """For how long it has been running."""
        return 0.0 if self.started is None else monotonic() - self.started

    def run(self) -> None:
        self.state, self.started = "running", monotonic()
        try:
            self._work()
            self.check()  # who cancelled it has been told that there will be no result
            self.state = "done"
        except CancelledError:
            self.state = "cancelled"
        except Exception as error:
            if self.unwanted.is_set():  # whoever was interrupted may call it something else
                self.state = "cancelled"
            else:
                self.problem, self.state = in_one_line(error), "failed"
        finally:
            self.over.set()

    def _work(self) -> None:
        """Do the work, during which the thread may be interrupted, and not after that."""
        self._thread = threading.get_ident()
        try:
            self.check()
            self.work(self)
        finally:
            with self._gate:
                interrupted, self._thread = self._thread is None, None
            if interrupted:
                _let_arrive(CancelledError)

    def interrupt(self) -> None:
        """End the work, at once if it runs: a network's answer or a patch search can take seconds between two signs of
        progress. Python raises CancelledError in its thread as soon as the operation that it is in has returned.
        """
        self.unwanted.set()
        with self._gate:
            thread, self._thread = self._thread, None  # once: what is raised may be on its way to the end already
            if thread is not None:
                _raise_in(thread, CancelledError)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Let Python raise an error in another of its threads, instead of one that has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _let_arrive(error: type[BaseException]) -> None:
    """Wait for an error that another thread may have sent to this one, and drop it.

    Whether it has been raised already can't be told, so it is sent once more: of two that wait, one is raised. Python
    can also be told to forget one that waits. But then it goes on looking for it, at every call, and Python 3.11
    never comes to the end of that where a profiler or debugger is at work.
    """
    try:
        _raise_in(threading.get_ident(), error)
        while True:
            pass
    except error:
        pass


def in_one_line(error: Exception) -> str:
    """What a person is told about an error. One that nobody foresaw is shown in full to who runs the server."""
    if isinstance(error, PhotomendError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "there is not enough memory for this photo"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the server's disk is full"
    traceback.print_exception(error, file=sys.stderr)
    return "photomend made a mistake; its terminal says which"


class Jobs:
    """The jobs that wait, and the thread that does them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Job]] = {}  # by owner, whose turn is next first
        self._running: Job | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="photomend-worker", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> Job:
        with self._changed:
            self._waiting.setdefault(job.owner, deque()).append(job)
            self._changed.notify()
        return job

    def cancel(self, job: Job) -> None:
        """One that waits is never begun; one that runs is interrupted."""
        with self._changed:
            job.interrupt()
            own = self._waiting.get(job.owner)
            if own is not None and job in own:
                own.remove(job)
                if not own:
                    del self._waiting[job.owner]
                job.state = "cancelled"
                job.over.set()

    def ahead(self, job: Job) -> int:
        """How many jobs are done before this one: 0 once it is running, or over."""
        with self._changed:
            order = self._order()
            return order.index(job) + (self._running is not None) if job in order else 0

    def close(self, timeout: float = 10) -> None:
        """Cancel everything, and wait for the worker to end."""
        with self._changed:
            self._closing = True
            for job in [*self._order(), *([self._running] if self._running else [])]:
                job.interrupt()
            self._changed.notify()
        self._thread.join(timeout)

    def _order(self) -> list[Job]:
        """All that wait, in the order in which they will be done."""
        rounds = zip_longest(*self._waiting.values())
        return [job for each in rounds for job in each if job is not None]

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return None
            owner, own = next(iter(self._waiting.items()))
            job = self._running = own.popleft()
            del self._waiting[owner]
            if own:  # to the end of the line
                self._waiting[owner] = own
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()
            with self._changed:
                self._running = None
