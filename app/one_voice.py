"""An error that several ranks have is one line: one of them says it, the others only end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..core import PhotomendError
from ..train.distributed import speaks


@contextmanager
def one_voice() -> Iterator[None]:
    """Let the first rank that fails, of those that have joined, report its error, and the others end in silence with
    exit status 1, or 130 where they were interrupted. Decorates a command."""
    try:
        yield
    except (PhotomendError, OSError, click.ClickException, KeyboardInterrupt) as error:
        if speaks():
            raise
        raise click.exceptions.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from error
