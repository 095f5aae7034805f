"""How far the repair of a photo is, in steps: crops that a model fills. Most holes take one, large ones take many."""

from __future__ import annotations

from collections.abc import Callable, Iterable

OnStep = Callable[[int, int], object]


def halves(tell: OnStep) -> tuple[OnStep, OnStep]:
    """What two tasks tell that follow each other and count as half of the work each."""

    def first(done: int, total: int) -> None:
        tell(done, 2 * total)

    def second(done: int, total: int) -> None:
        tell(total + done, 2 * total)

    return first, second


class Steps:
    """Counts steps, and tells how many of how many are done after each.

    Args:
        planned: how many there are, in parts; a part that turns out to need fewer is done all the same.
        tell: told both numbers.
    """

    def __init__(self, planned: Iterable[int], tell: OnStep) -> None:
        self.tell, self.done = tell, 0
        self.left = list(planned)
        self.total = sum(self.left)

    def part(self, number: int) -> Callable[[int], None]:
        """What a part of the work calls with how many more steps are done."""

        def advance(steps: int = 1) -> None:
            steps = min(steps, self.left[number])
            self.left[number] -= steps
            self.done += steps
            if steps:
                self.tell(self.done, self.total)

        return advance

    def end(self, number: int) -> None:
        """A part is done."""
        self.part(number)(self.left[number])
