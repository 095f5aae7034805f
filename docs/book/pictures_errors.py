"""Error messages as the output of a cell, in lines that wrap."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from html import escape
from io import StringIO

from IPython.display import HTML, display
from photomend.app.cli import run


@contextmanager
def shown() -> Iterator[None]:
    """Print the error that is raised inside of this context, as Python would in its last line; there must be one."""
    try:
        yield
    except Exception as error:
        _display(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("no error was raised")


def refused(command: str) -> None:
    """Run `photomend …` as the console script does, and print its message and exit status; it must fail."""
    said = StringIO()
    with redirect_stderr(said):
        status = run(shlex.split(command)[1:])
    assert status, f"{command}: was not refused"
    _display(f"$ {command}\n{said.getvalue().strip()}\nexit status {status}")


def _display(message: str) -> None:
    display(HTML(f'<pre class="message">{escape(message)}</pre>'))
