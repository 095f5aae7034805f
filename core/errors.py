"""The one family of errors that a user of photomend can cause and mend, and how a misspelt name is answered."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Characters of a message's beginning and end that are kept.
BEGINNING, END = 1500, 300


class PhotomendError(Exception):
    """A mistake in what was asked for: one line that names the argument, the file and the value.

    The command line prints it as ``photomend: error: …`` and exits with 1; library code may catch it.
    Errors of shape, dtype and device inside the engine stay ``ValueError`` and ``TypeError``, as in PyTorch.

    >>> len(str(PhotomendError("settings.json: no such model 'x" + "x" * 10**6 + "'")))
    1803
    """

    def __init__(self, *args: object) -> None:
        # A file may say something of any length, which the message repeats.
        super().__init__(*(_bounded(each) if isinstance(each, str) else each for each in args))


def _bounded(message: str) -> str:
    long = len(message) > BEGINNING + END + 3
    return f"{message[:BEGINNING]} … {message[-END:]}" if long else message


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest of the known names, or all of them where none is near: the end of an error message.

    >>> did_you_mean("harmonik", ["border", "harmonic"])
    "did you mean 'harmonic'?"
    >>> did_you_mean("xyz", ["border", "harmonic"])
    'there are border, harmonic'
    """
    names = list(dict.fromkeys(known))
    near = get_close_matches(word[:80], names, n=1)  # it takes the square of their lengths
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
