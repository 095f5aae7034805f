"""Learning-rate schedules: pure functions of the step, so resuming needs nothing but the step's number."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True)
class StepLR:
    """lr(t) = base_lr · gamma^⌊t / step_size⌋: a drop by `gamma` every `step_size` steps.

    >>> schedule = StepLR(base_lr=0.1, step_size=10, gamma=0.5)
    >>> schedule(0), schedule(9), schedule(10), schedule(25)
    (0.1, 0.1, 0.05, 0.025)
    """

    base_lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if self.step_size < 1:
            raise ValueError(f"step_size (={self.step_size}) must be at least 1")

    def __call__(self, step: int) -> float:
        return self.base_lr * self.gamma ** (step // self.step_size)


@dataclass(frozen=True)
class WarmupCosine:
    """A linear rise to `base_lr`, then half a cosine down to `final_lr` (Loshchilov & Hutter 2017, SGDR, equation 5).

    With w = warmup_steps and T = total_steps:

        lr(t) = base_lr · (t + 1) / (w + 1)                                              t < w
        lr(t) = final_lr + (base_lr − final_lr) · (1 + cos(π (t − w) / (T − w))) / 2     w ≤ t ≤ T

    and `final_lr` from there on. The first step is never one of rate zero, and step w is the first at `base_lr`.

    >>> schedule = WarmupCosine(base_lr=1.0, warmup_steps=3, total_steps=7)
    >>> [round(schedule(step), 3) for step in range(9)]
    [0.25, 0.5, 0.75, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    base_lr: float
    warmup_steps: int
    total_steps: int
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_steps < self.total_steps:
            raise ValueError(
                f"warmup_steps (={self.warmup_steps}) must be below total_steps (={self.total_steps}), from 0"
            )

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.base_lr * (step + 1) / (self.warmup_steps + 1)
        progress = min(1.0, (step - self.warmup_steps) / (self.total_steps - self.warmup_steps))
        return self.final_lr + (self.base_lr - self.final_lr) * (1 + cos(pi * progress)) / 2
