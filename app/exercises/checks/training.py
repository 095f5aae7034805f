"""Exercise 12: Adam against its formula, the loop against what it must do, and both on handwritten digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import numpy as np
import torch

from ....core import Array, Module, Parameter, Tensor
from ....layers import CrossEntropyLoss, Dropout, Linear, ReLU, Sequential
from ..failure import AnswerError

_SHARE = 0.95


def check(given: Mapping[str, Any]) -> Iterator[str]:
    """Ask the optimizer, the loop and the accuracy by themselves, and then all of them to learn."""
    _check_adam(given["Adam"])
    yield "Adam: 12 steps as in the paper"
    _check_loop(given["train"])
    yield "train: one step for each batch, gradients cleared, in training mode"
    _check_accuracy(given["accuracy"])
    yield "accuracy: right, and in evaluation mode"
    share = _learn(given)
    if not share >= _SHARE:
        raise AnswerError(
            "train", "behaviour", "model", f"digits: {share:.1%} of the test digits are read; 95 % is asked for"
        )
    yield f"digits: {share:.1%} of 360 test digits are read"


# Adam


def _adam(gradients: list[float], wrong: str = "", lr: float = 0.1, eps: float = 1e-2) -> list[float]:
    """Where a weight that begins at 1 is after each step, with one mistake or none."""
    x, m, v, way = 1.0, 0.0, 0.0, []
    for t, g in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * (g if wrong == "g for g²" else g * g)
        m̂, v̂ = m / (1 - 0.9**t), v / (1 - 0.99**t)
        if wrong == "no correction":
            m̂, v̂ = m, v
        elif wrong == "m only":
            v̂ = v
        elif wrong == "v only":
            m̂ = m
        elif wrong == "t from 0":
            m̂, v̂ = (m / (1 - 0.9 ** (t + 1)), v / (1 - 0.99 ** (t + 1)))
        root = {"ε inside": (v̂ + eps) ** 0.5, "no root": v̂ + eps, "no ε": v̂**0.5}.get(wrong, abs(v̂) ** 0.5 + eps)
        x += lr * m̂ / root * (1 if wrong == "uphill" else -1)
        way.append(x)
    return way


_ADAM_MISTAKES = {
    "no correction": ("no bias correction: m and v begin at 0, and are divided by 1 − βᵗ to make up for it", "m_hat"),
    "m only": ("no bias correction of v: only m is divided by 1 − β1ᵗ", "v_hat"),
    "v only": ("no bias correction of m: only v is divided by 1 − β2ᵗ", "m_hat"),
    "t from 0": ("t is one too large when it corrects the bias: it is 1 in the first step", "self.t"),
    "uphill": ("the sign is wrong: the step goes uphill, and a loss would grow", "p.data"),
    "ε inside": ("ε stands inside the root: √v̂ + ε where you have √(v̂ + ε)", "p.data"),
    "no root": ("the root of v̂ is missing", "p.data"),
    "no ε": ("ε is missing", "p.data"),
}


def _check_adam(make: Callable[..., Any]) -> None:
    gradients = [0.5, -0.2, 0.4, 1.5, 0.3, -0.6, 0.2, 0.7, -0.1, 0.25, 0.9, -0.4]
    weight, still = (Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    optimizer = make([weight, still], lr=0.1, betas=(0.9, 0.99), eps=1e-2)
    way = []
    for g in gradients:
        weight.grad = torch.tensor([g, 2 * g], dtype=torch.float64)
        optimizer.step()
        way.append(weight.data[0].item())
    expected = _adam(gradients)
    if not torch.equal(still.data, torch.ones(2, dtype=torch.float64)):
        raise AnswerError("Adam", "behaviour", "p.data", "Adam: a parameter whose grad is None was changed")
    if not np.allclose(way, expected, 1e-9, 1e-12):
        step = next(i for i, (a, b) in enumerate(zip(way, expected, strict=True)) if not np.isclose(a, b, 1e-9, 1e-12))
        mistake, target = next(
            (said for wrong, said in _ADAM_MISTAKES.items() if np.allclose(way, _adam(gradients, wrong), 1e-9, 1e-12)),
            ("", "p.data"),
        )
        if way[0] == 1.0:
            mistake = "the weight doesn't move: change p.data itself, in place"
        details = [
            "lr = 0.1, betas = (0.9, 0.99), eps = 0.01, a weight of 1, gradients " + str(gradients[: step + 1]),
            f"expected: 1 → {' → '.join(f'{x:.6f}' for x in expected[: step + 1])}",
            f"got:      1 → {' → '.join(f'{x:.6f}' for x in way[: step + 1])}",
        ]
        raise AnswerError(
            "Adam", "value", target, f"Adam: step {step + 1} goes elsewhere than the paper's", mistake, details
        )
    weight.grad = torch.ones(2, dtype=torch.float64)
    optimizer.zero_grad()
    if weight.grad is not None and bool(weight.grad.any()):
        raise AnswerError(
            "Adam", "behaviour", "p.grad", "Adam: zero_grad leaves the gradients", "zero_grad clears nothing"
        )


# The loop


class _Watched(Module):
    """A network of one weight that notes in which mode it is asked."""

    def __init__(self) -> None:
        self.weight = Parameter(torch.tensor([[1.0, -1.0]]))
        self.modes: list[bool] = []

    def forward(self, x: Array | Tensor) -> Tensor:
        self.modes.append(self.training)
        return x @ self.weight


class _Steps:
    """An optimizer that only notes what it is told, and what gradient it finds."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter, self.told, self.found = parameter, list[str](), list[Array | None]()

    def zero_grad(self) -> None:
        self.told.append("zero_grad")
        self.parameter.grad = None

    def step(self) -> None:
        self.told.append("step")
        self.found.append(None if self.parameter.grad is None else self.parameter.grad.clone())


def _check_loop(train: Callable[..., Any]) -> None:
    model = _Watched().eval()
    steps = _Steps(model.weight)
    x, labels = torch.tensor([[1.0], [2.0]]), torch.tensor([0, 1])
    train(model, steps, CrossEntropyLoss(), [(x, labels)] * 3)

    def fail(what: str, mistake: str, target: str) -> AnswerError:
        return AnswerError("train", "behaviour", target, f"train: {what}", mistake)

    count = steps.told.count("step")
    if count != 3:
        why = (
            "a step for each batch: step stands inside the loop" if count == 1 else "step is never called" * (not count)
        )
        raise fail(f"{count} steps for 3 batches", why, "optimizer.step()")
    if not steps.found or steps.found[0] is None:
        why = "no gradient arrives: backward() is missing, or zero_grad stands between it and step"
        raise fail("there is no gradient at the step", why, "loss(model(images), labels).backward()")
    sums = [found is None or not torch.allclose(found, steps.found[0]) for found in steps.found]
    if "zero_grad" not in steps.told:
        why = "no zero_grad: backward() adds to the gradients, so that each step follows the sum of all batches so far"
        raise fail("the gradients of earlier batches are still there", why, "optimizer.zero_grad()")
    if any(sums):
        why = "zero_grad comes too late or too seldom: once for each batch, before backward()"
        raise fail("the gradients of earlier batches are still there", why, "optimizer.zero_grad()")
    if not all(model.modes):
        why = "training mode forgotten: evaluation switched dropout off, and nothing switches it on again"
        raise fail("the network is in evaluation mode", why, "model.train()")


def _check_accuracy(accuracy: Callable[..., Any]) -> None:
    model = _Watched()
    model.train()
    images, labels = torch.tensor([[1.0], [-1.0], [2.0], [3.0]]), torch.tensor([0, 1, 0, 1])
    got = accuracy(model, images, labels)
    if any(model.modes):
        why = "evaluation mode forgotten: dropout still blots out a part of every image"
        raise AnswerError("accuracy", "behaviour", "model.eval()", "accuracy: the network is in training mode", why)
    share = got.item() if isinstance(got, Array) and got.numel() == 1 else got
    if not isinstance(share, int | float) or abs(share - 0.75) > 1e-6:
        wrong = {3.0: "this is their number, not their share", 75.0: "a share, from 0 to 1, and no percentage"}
        why = wrong.get(float(share), "") if isinstance(share, int | float) else ""
        what = f"accuracy: 3 of 4 images are right, and it says {got!r}"
        raise AnswerError("accuracy", "value", "chosen", what, why)


# Digits


def _digits() -> tuple[Array, Array]:
    """1,797 handwritten digits as (N, 64) numbers from 0 to 1, and what they are.

    Source: Alpaydin & Kaynak, *Optical recognition of handwritten digits*, UCI Machine Learning Repository (1998),
    CC BY 4.0; https://doi.org/10.24432/C50P49, its test part, as scikit-learn ships it.
    """
    with (files(__package__.rpartition(".")[0]) / "digits.npz").open("rb") as file:
        kept = np.load(file)
        images, labels = kept["images"], kept["labels"]
    return torch.from_numpy(images.reshape(-1, 64)).float() / 16, torch.from_numpy(labels).long()


def _learn(given: Mapping[str, Any]) -> float:
    """The share of test digits that a network reads after 15 rounds of the learner's loop and optimizer."""
    torch.manual_seed(0)
    images, labels = _digits()
    order = torch.randperm(len(images))
    test, rest = order[:360], order[360:]
    model = Sequential(Linear(64, 64), ReLU(), Dropout(0.2), Linear(64, 10))
    optimizer = given["Adam"](model.parameters(), lr=3e-3)
    for _ in range(15):
        chosen = rest[torch.randperm(len(rest))].split(64)
        given["train"](model, optimizer, CrossEntropyLoss(), [(images[c], labels[c]) for c in chosen])
    return float(given["accuracy"](model, images[test], labels[test]))
