"""How far a run has come: what is counted while it trains, and saved with its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol


class Settings(Protocol):
    """What the step and the loop ask of a run's settings."""

    @property
    def steps(self) -> int | None: ...
    @property
    def total(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def clip(self) -> float: ...
    @property
    def fixed(self) -> tuple[str, ...]: ...  # those that a resumed run can't change


class Counters:
    """Base of dataclasses whose fields are saved with a run's state and come back when it is resumed."""

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises ValueError where these aren't the fields, or not numbers."""
        mine = self.state_dict()
        for name in mine.keys() ^ state.keys():
            raise ValueError(f"{type(self).__name__}: {name!r} is on one side only")
        for name, value in state.items():
            if value is not None and not isinstance(value, int | float):
                raise ValueError(f"{type(self).__name__}: {name} (={value!r:.80}) must be a number")
        vars(self).update(state)


@dataclass
class Progress(Counters):
    """How far a run has come.

    Attributes:
        steps: optimizer steps done.
        seconds: wall-clock time of the run so far, validation included; `trained`: without it.
        reserve: seconds that the last validation took, kept free for the one at the end.
        validations: how many there were, but for the one before the first step.
        validated: the step of the last validation, −1 before the first.
        best: the lowest validation MSE.
        loss_sum, loss_count: of the steps since the last validation.
    """

    steps: int = 0
    seconds: float = 0.0
    trained: float = 0.0
    reserve: float = 0.0
    validations: int = 0
    validated: int = -1
    best: float = math.inf
    loss_sum: float = 0.0
    loss_count: int = 0

    def count(self, loss: float) -> None:
        """One more step, and its loss."""
        self.steps += 1
        self.loss_sum += loss
        self.loss_count += 1

    def seconds_left(self, config: Settings) -> float:
        """Of a run by the clock: what is left for training, the last validation apart."""
        return max(0.0, config.total - self.reserve - self.seconds)

    def fraction(self, config: Settings) -> float:
        """How much of its steps or minutes the run has used up, 0 to 1. By the clock it is the share of trained in
        trainable seconds, so it arrives at 1 exactly, however long the validations in between take."""
        if config.steps is not None:
            return min(1.0, self.steps / config.steps)
        left = self.seconds_left(config)
        return 1.0 if left == 0 else self.trained / (self.trained + left)
