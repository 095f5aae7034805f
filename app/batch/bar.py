"""A bar on the terminal, for work of more than a second: photos, what is done of the present one, and the time left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

#: Seconds before which no bar is shown.
DELAY = 1.0
LOOK = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"


class Bar:
    """Counts photos, each in as many steps as it tells.

    Args:
        bar: tqdm's, whose total is how many photos there are.
    """

    def __init__(self, bar: tqdm[Any]) -> None:
        self.bar, self.photos = bar, 0

    def step(self, done: int, total: int) -> None:
        """So much of the present photo is done."""
        photos = f"photo {self.photos + 1}/{self.bar.total}, " if self.bar.total > 1 else ""
        self._show(f"{photos}step {done}/{total}", self.photos + done / total)

    def next(self) -> None:
        """The present photo is done."""
        self.photos += 1
        self._show(f"photo {min(self.photos + 1, self.bar.total)}/{self.bar.total}", self.photos)

    def _show(self, words: str, now: float) -> None:
        self.bar.set_description_str(words, refresh=False)
        self.bar.update(now - self.bar.n)


@contextmanager
def bar_over(photos: int) -> Iterator[Bar]:
    """A bar over so many photos, on standard error, if that is a terminal; nothing of it stays.

    Its clock goes on where a step takes long.
    """
    options: dict[str, Any] = {"delay": DELAY, "leave": False, "disable": None, "dynamic_ncols": True}
    with tqdm(total=photos, bar_format=LOOK, smoothing=0.1, **options) as bar:
        ended = threading.Event()
        clock = threading.Thread(target=_tick, args=(bar, ended), daemon=True)
        if not bar.disable:
            clock.start()
        try:
            yield Bar(bar)
        finally:
            ended.set()
            if not bar.disable:
                clock.join()


def _tick(bar: tqdm[Any], ended: threading.Event) -> None:
    while not ended.wait(DELAY):
        bar.refresh()
