"""A bar on the terminal, for work of more than a second: photos or holes, what is done of one, and the time left."""

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
    """Counts photos, or other units, each in as many steps as it tells.

    Args:
        bar: tqdm's, whose total is how many there are.
        unit: what one of them is called.
    """

    def __init__(self, bar: tqdm[Any], unit: str) -> None:
        self.bar, self.unit, self.finished = bar, unit, 0

    def step(self, done: int, total: int) -> None:
        """So much of the present one is done."""
        number = f"{self.unit} {self.finished + 1}/{self.bar.total}, " if self.bar.total > 1 else ""
        self._show(f"{number}step {done}/{total}", self.finished + done / total)

    def next(self) -> None:
        """The present one is done."""
        self.finished += 1
        self._show(f"{self.unit} {min(self.finished + 1, self.bar.total)}/{self.bar.total}", self.finished)

    def _show(self, words: str, now: float) -> None:
        self.bar.set_description_str(words, refresh=False)
        self.bar.update(now - self.bar.n)


@contextmanager
def bar_over(count: int, unit: str = "photo", shown: bool = True) -> Iterator[Bar]:
    """A bar over so many photos, or other units, on standard error, if that is a terminal and it is `shown`.

    Nothing of it stays. Its clock goes on where a step takes long.
    """
    hidden = None if shown else True  # None asks whether there is a terminal
    options: dict[str, Any] = {"delay": DELAY, "leave": False, "disable": hidden, "dynamic_ncols": True}
    with tqdm(total=count, bar_format=LOOK, smoothing=0.1, **options) as bar:
        ended = threading.Event()
        clock = threading.Thread(target=_tick, args=(bar, ended), daemon=True)
        if not bar.disable:
            clock.start()
        try:
            yield Bar(bar, unit)
        finally:
            ended.set()
            if not bar.disable:
                clock.join()


def _tick(bar: tqdm[Any], ended: threading.Event) -> None:
    while not ended.wait(DELAY):
        bar.refresh()
