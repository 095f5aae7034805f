"""What a batch says: about each photo a line of text or of JSON on standard output, all else on standard error."""

from __future__ import annotations

import errno
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from tqdm import tqdm

from ...core.backend.ranks import ALONE, Ranks
from ..process import abandon_output, printable
from .outcome import Outcome


class Report:
    """Says what became of photos, and counts them.

    A reader that leaves, or a disk that is full, ends the report but not the work: one line says so.

    Args:
        total: how many photos there are, in this rank's share.
        as_json: whether each is an object of JSON.
        apart: whether standard output is the photo's, and all that is said goes to standard error.
        dry_run: whether nothing is written.
        place: which of several processes this is. Each counts its own photos; what concerns all is said by the first.
    """

    def __init__(
        self, total: int, as_json: bool = False, apart: bool = False, dry_run: bool = False, place: Ranks = ALONE
    ) -> None:
        self.total, self.as_json, self.apart, self.dry_run, self.place = total, as_json, apart, dry_run, place
        self.counts: Counter[str] = Counter()
        self.broken = False

    def about(self, outcome: Outcome) -> None:
        """A photo: its warnings, its error or what it lost, and its line."""
        self.counts[outcome.status] += 1
        for warning in (*outcome.warnings, *(f"{outcome.output}: {loss}" for loss in outcome.lost)):
            self._tell(f"warning: {warning}")
        if outcome.error is not None:
            self._tell(f"error: {outcome.error}")
        if self.as_json:
            self._say(outcome.as_json())
        elif outcome.status in ("repaired", "possible", "unchanged"):
            self._say(outcome.as_text())

    def end(self, notes: Sequence[str] = ()) -> int:
        """The last lines, counts among them where there are several photos; the command's exit status."""
        for note in notes if self.place.first else ():
            self._tell(note)
        if self.total > 1 or self.place.size > 1:
            (self._tell if self.as_json else self._say)(self.summary())
        return 1 if self.counts["failed"] or self.broken else 0

    def summary(self) -> str:
        """How many photos of how many came to which end."""
        done = self.counts["possible" if self.dry_run else "repaired"]
        share = f"{self.place}: " if self.place.size > 1 else ""
        words = [f"{share}{done} of {self.total} photos {'can be repaired' if self.dry_run else 'repaired'}"]
        for status, what in (("unchanged", "without damage"), ("skipped", "there already"), ("failed", "not")):
            if self.counts[status]:
                words.append(f"{self.counts[status]} {what}")
        if left := self.total - self.counts.total():
            words.append(f"{left} left")
        return ", ".join(words)

    def _say(self, line: str) -> None:
        stream = sys.stderr if self.apart else sys.stdout
        if stream is None or self.broken:
            return
        try:
            # Above a bar, if there is one; with its end in one piece, since other ranks may write there, too.
            tqdm.write(printable(line) + "\n", file=stream, end="")
            stream.flush()
        except OSError as error:
            self.broken = True
            abandon_output()
            why = "nobody reads it any more" if error.errno == errno.EPIPE else error.strerror or str(error)
            self._tell(f"error: standard output: {why}; the photos are repaired all the same")

    def _tell(self, message: str) -> None:
        """A line on standard error, as long as somebody reads that."""
        if sys.stderr is not None:
            with suppress(OSError):
                tqdm.write(printable(f"photomend: {' '.join(message.split())}") + "\n", file=sys.stderr, end="")
