"""An exponential moving average of a module's weights, which validates better than the weights of the last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from ..core import Array, Module


class EMA:
    """Averaged weights θ̄ ← d θ̄ + (1 − d) θ, after every optimizer step.

    Sources: Polyak & Juditsky, *Acceleration of stochastic approximation by averaging* (1992); Tarvainen & Valpola,
    *Mean teachers are better role models* (2017).

    d = min(decay, (1 + t) / (10 + t)) at update t = 1, 2, …: a short run must not keep averaging in the weights it
    started from. Running statistics (floating-point buffers) are averaged too; counters are copied.

        ema = EMA(model, decay=0.999)
        ...                      # one optimizer step
        ema.update()
        with ema.averaged():     # the model holds θ̄ in here, and θ again afterwards
            validate(model)

    Raises ValueError for a decay outside [0, 1).
    """

    def __init__(self, module: Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay (={decay}) must lie in [0, 1)")
        self.module = module
        self.decay = decay
        self.updates = 0
        self.weights: dict[str, Array] = {name: value.clone() for name, value in module.state_dict().items()}

    def update(self) -> None:
        """Take in the module's weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - decay)
            else:
                self.weights[name].copy_(value)

    @contextmanager
    def averaged(self) -> Iterator[Module]:
        """The module with the averaged weights in it; its own return at the end, also after an exception."""
        own = {name: value.clone() for name, value in self.module.state_dict().items()}
        try:
            self.module.load_state_dict(self.weights)
            yield self.module
        finally:
            self.module.load_state_dict(own)

    def state_dict(self) -> dict[str, Array | float]:
        """The number of updates and the averaged weights under `weights.<name>`; arrays are not copied."""
        return {"updates": self.updates, **{f"weights.{name}": array for name, array in self.weights.items()}}

    def load_state_dict(self, state: Mapping[str, Array | float]) -> None:
        """Continue an average that `state_dict` gave. Raises ValueError when its names are not this module's."""
        if unlike := sorted(self.state_dict().keys() ^ state.keys()):
            raise ValueError(f"average of another module: {unlike[0]!r} is on one side only")
        self.updates = int(state["updates"])
        for name, array in self.weights.items():
            array.copy_(torch.as_tensor(state[f"weights.{name}"]).detach())
