"""`photomend bench step`: a whole training step: forward, loss, backward, clipping, AdamW, averaged weights.

Ours is `photomend.train.trainer.Trainer.step`. The peer is the torch.nn twin with autograd, torch's clipping, torch's
AdamW at its faster setting, and an average over all weights at once; eager or with forward, loss and backward compiled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

import torch
from photomend.train.config import TrainConfig
from photomend.train.ema import EMA
from photomend.train.trainer import Trainer

from .conv import LAYOUTS
from .machine import compiler
from .measure import OURS, Comparison, as_arrays
from .networks import Twin, build_ours
from .photos import photos_with_holes
from .workload import Array, Peer, Side


@dataclass(frozen=True)
class Training:
    """Training steps of the network called `model` on `batch` photos of `side` pixels; ours with its blocks recomputed,
    or not."""

    model: str
    batch: int
    side: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    recompute: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}-recomputed" if self.recompute else self.model

    @property
    def what(self) -> str:
        how = ", ours with its blocks recomputed" if self.recompute else ""
        return f"a training step on {self.batch} photos of {self.side}×{self.side}{how}"

    @property
    def config(self) -> TrainConfig:
        """A constant learning rate, from the first step on: a rate near 0 would hide what the optimizer does."""
        return TrainConfig(
            self.model,
            self.settings,
            steps=10**6,
            batch_size=self.batch,
            lr=1e-3,
            schedule="step",
            gamma=1.0,
            recompute=self.recompute,
        )


class Ours:
    """A training step of the engine."""

    def __init__(self, training: Training, device: torch.device) -> None:
        self.trainer = Trainer(training.config, device)
        network = self.trainer.network
        network.load_state_dict(build_ours(training.model, training.settings).state_dict())
        self.trainer.ema = EMA(network, training.config.ema)
        self.photo, self.mask = photos_with_holes(training.batch, training.side, device)

    def run(self) -> tuple[float, float]:
        return self.trainer.step(self.photo, self.mask)

    def results(self, outcome: tuple[float, float]) -> dict[str, Array]:
        network = self.trainer.network
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        return step_results(outcome, gradients, network.state_dict(), self.trainer.ema.weights)


class TwinStep:
    """A training step in torch.nn, as it is written where speed matters."""

    def __init__(self, training: Training, layout: torch.memory_format, compiled: bool, device: torch.device) -> None:
        self.config = training.config
        self.photo, self.mask = photos_with_holes(training.batch, training.side, device)
        self.twin = Twin(training.model, training.settings, layout, device).train()
        self.parameters = list(self.twin.parameters())
        self.optimizer = faster_adamw(self.parameters, self.config)
        state = self.twin.network.state_dict()
        self.average = {name: value.clone() for name, value in state.items()}
        self.floating = [name for name, value in state.items() if value.is_floating_point()]
        self.updates = 0
        self.loss = torch.compile(self.twin_loss) if compiled else self.twin_loss

    def twin_loss(self, photo: Array, mask: Array, *prepared: Array) -> Array:
        d = (self.twin(*prepared) - photo) * mask
        squares, absolutes = d.square().sum(), d.abs().sum()
        return (self.config.mse_weight * squares + self.config.mae_weight * absolutes) / (3 * mask.sum())

    def run(self) -> tuple[float, float]:
        self.optimizer.zero_grad(set_to_none=True)
        prepared = self.twin.prepare(self.photo * (1 - self.mask), self.mask)
        loss = self.loss(self.photo, self.mask, *prepared)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        self.follow()
        return loss.item(), norm.item()

    def follow(self) -> None:
        """The averaged weights, as `photomend.train.ema` has them."""
        self.updates += 1
        decay = min(self.config.ema, (1 + self.updates) / (10 + self.updates))
        state = self.twin.network.state_dict()
        torch._foreach_lerp_(
            [self.average[name] for name in self.floating], [state[name] for name in self.floating], 1 - decay
        )
        for name in state.keys() - set(self.floating):
            self.average[name].copy_(state[name])

    def results(self, outcome: tuple[float, float]) -> dict[str, Array]:
        network = self.twin.network
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        return step_results(outcome, gradients, network.state_dict(), self.average)


def step_results(
    outcome: tuple[float, float],
    gradients: Mapping[str, Array | None],
    weights: Mapping[str, Array],
    average: Mapping[str, Array],
) -> dict[str, Array]:
    """What two sides must agree in after a step: loss, norm, gradients, weights and their average."""
    groups = {"gradient": gradients, "weight": weights, "average": average}
    arrays = {f"{kind} {name}": value for kind, group in groups.items() for name, value in group.items()}
    return as_arrays(loss=outcome[0], norm=outcome[1], **arrays)


def faster_adamw(parameters: Sequence[Array], config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all parameters at once, in one fused loop or one operation after the other: what is faster here."""

    def make(weights: Sequence[Array], choice: str) -> torch.optim.AdamW:
        chosen: dict[str, Any] = {choice: True}
        return torch.optim.AdamW(weights, config.lr, weight_decay=config.weight_decay, **chosen)

    seconds = {}
    for choice in ("fused", "foreach"):
        copies = [p.detach().clone().requires_grad_() for p in parameters]
        for p in copies:
            p.grad = torch.ones_like(p)
        optimizer = make(copies, choice)
        seconds[choice] = median(_seconds(optimizer, copies[0].device) for _ in range(7))
    return make(parameters, min(seconds, key=seconds.__getitem__))


def _seconds(optimizer: torch.optim.Optimizer, device: torch.device) -> float:
    start = time.perf_counter()
    optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def compile_missing() -> str:
    """Why torch.compile can't be the peer, or nothing."""
    if compiler() is None:
        return f"no C++ compiler ({os.environ.get('CXX', 'g++')})"
    return ""


def twin_peers(make: Any) -> tuple[Peer, ...]:
    """torch.nn eager and under torch.compile, each in both layouts; `make(layout, compiled)` is the side's function."""
    kinds = (("torch.nn", False, ""), ("torch.compile", True, compile_missing()))
    return tuple(
        Peer(kind, tuple(Side(f"{kind} {name}", make(layout, compiled)) for name, layout in LAYOUTS.items()), missing)
        for kind, compiled, missing in kinds
    )


#: For the report's network, which is full of ReLUs: a rounding error of ε in front of them flips a share of about ε of
#: their gates and changes a gradient by about √ε. Some of torch's own gradients, channels last, are 8e-3 off float64's;
#: with SiLUs instead of the ReLUs it is 3e-4.
LOOSE = {"norm": 1e-3, "gradient": 5e-2, "weight": 5e-2, "average": 5e-2}


def comparison(training: Training) -> Comparison:
    peers = twin_peers(lambda layout, compiled: partial(TwinStep, training, layout, compiled))
    ours = Side(OURS, partial(Ours, training))
    loose = LOOSE if training.model == "attention-report" else {}
    return Comparison("step", training.name, training.what, ours, peers, loose)


CASES = (
    comparison(Training("attention", 8, 96)),
    comparison(Training("attention", 8, 96, recompute=True)),
    comparison(Training("attention-report", 4, 224)),
)
