"""The loop over a batch's photos: one after another, whatever becomes of each."""

from __future__ import annotations

from collections.abc import Sequence

from .bar import bar_over
from .jobs import Job
from .report import Report
from .work import Plan, attempt


def run(jobs: Sequence[Job], plan: Plan, report: Report) -> None:
    """Do all jobs and report them. Ctrl-C and other signals pass through, with how far it came."""
    try:
        with bar_over(len(jobs), shown=report.place.first) as bar:
            for job in jobs:
                report.about(attempt(job, plan, bar.step, alone=len(jobs) == 1))
                bar.next()
    except KeyboardInterrupt as stop:
        if report.total > 1:
            stop.args = (f"{report.summary()}; --skip-existing goes on from here",)
        raise
