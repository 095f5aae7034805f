"""Exercise 1: is a gradient by differences right to 8 digits, and if not, from where was the function asked?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch

from ....core import Array
from ..failure import AnswerError

_NAME = "numeric_gradient"
#: Functions with their gradients: curved, so that a one-sided difference shows, and of several entries.
_CASES: list[tuple[str, Callable[[Array], Array], Callable[[Array], Array], Array]] = [
    ("x³ at 2", lambda x: x**3, lambda x: 3 * x**2, torch.tensor(2.0, dtype=torch.float64)),
    (
        "Σ sin(x) at [0.3, 1, 2]",
        lambda x: x.sin().sum(),
        lambda x: x.cos(),
        torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64),
    ),
    (
        "Σ eˣ over a (2, 3) array",
        lambda x: x.exp().sum(),
        lambda x: x.exp(),
        torch.tensor([[0.1, -0.4, 1.0], [0.7, 0.0, -1.5]], dtype=torch.float64),
    ),
]


def check(given: Mapping[str, Any]) -> Iterator[str]:
    """Ask `numeric_gradient` for gradients that are known."""
    for name, f, gradient, x in _CASES:
        yield _ask(given[_NAME], name, f, gradient(x), x)


def _ask(solve: Callable[..., Any], name: str, f: Callable[[Array], Array], expected: Array, x: Array) -> str:
    asked: list[Array] = []

    def watched(point: Any) -> float:
        asked.append(torch.as_tensor(point, dtype=torch.float64).clone())
        return f(torch.as_tensor(point)).item()

    mine = x.clone()
    got = solve(watched, mine)
    if got is None:
        raise AnswerError(_NAME, "contract", "gradient", f"{_NAME} returns nothing", "return is missing")
    if not isinstance(got, Array):
        raise AnswerError(_NAME, "contract", "gradient", f"{_NAME} returns a {type(got).__name__}, not an array like x")
    if got.shape != x.shape:
        what = f"{_NAME}: the gradient of {name} has the shape {tuple(got.shape)}, and x has {tuple(x.shape)}"
        raise AnswerError(_NAME, "contract", "gradient", what, "a gradient has one entry for each entry of x")
    error = ((got - expected).abs() / (1 + expected.abs())).max().item()
    details = [f"expected: {_shown(expected)}", f"got:      {_shown(got)}"]
    if not error < 1e-8:
        mistake = _mistake(asked, x, got, expected)
        target = "step.view(-1)[i]" if "only entry" in mistake or "entries move" in mistake else "gradient.view(-1)[i]"
        target = "h" if "one-sided" in mistake or "rounding" in mistake or "too long" in mistake else target
        what = f"{_NAME}: the gradient of {name} is off by {error:.0e}; 1e-08 is asked for"
        raise AnswerError(_NAME, "value", target, what, mistake, details)
    if not torch.equal(mine, x):
        off = (mine - x).abs().max().item()
        what = f"{_NAME}: x was changed, by {off:.0e}"
        why = (
            "adding h and taking it away again rounds; move a copy" if off < 1e-9 else "x isn't moved back; move a copy"
        )
        raise AnswerError(_NAME, "contract", "step", what, why)
    return f"{_NAME}: {name} is right to {-math.log10(max(error, 1e-16)):.0f} digits"


def _shown(x: Array) -> str:
    return ", ".join(f"{entry:.10f}" for entry in x.reshape(-1).tolist())


def _mistake(asked: list[Array], x: Array, got: Array, expected: Array) -> str:
    """What went wrong, from the points at which the function was asked."""
    offsets = [point - x for point in asked if point.shape == x.shape]
    moves = [offset for offset in offsets if offset.any()]
    if not moves:
        return "the function is never asked anywhere but at x: move one entry by h"
    if _accumulates(moves):
        return "x isn't moved back: each entry's differences are taken where the last ones ended"
    if any(int((move != 0).sum()) > 1 for move in moves):
        return "several entries move at once, but each has a derivative of its own: move one at a time"
    h = min(move.abs().max().item() for move in moves)
    signs = {bool(move.sum() > 0) for move in moves}
    if x.numel() > 1 and len({int(move.reshape(-1).abs().argmax()) for move in moves}) == 1:
        return "only entry 0 is moved: every entry of x has a derivative"
    if len(signs) == 1:
        side = "x + h" if True in signs else "x − h"
        return (
            f"one-sided: the function is asked at x and {side} only, which leaves an error of h f″/2; "
            "ask on both sides, and it is h² f‴/6"
        )
    ratio = (got / expected).reshape(-1)
    factor = ratio.mean().item()
    if bool(((ratio - factor).abs() < 1e-4).all()) and abs(factor - 1) > 0.01:
        if abs(factor - 2) < 1e-3:
            return "divided by h, but the two points are 2h apart: every entry is twice too large"
        return f"every entry is {factor:.4g} times what it should be: the two points are 2h apart"
    if h < 3e-8:
        return (
            f"h = {h:.0e} is so small that rounding is all that is left: f has about 16 digits, and the difference "
            "of two nearly equal numbers loses most of them"
        )
    return f"h = {h:.0e} is too long a step: the error is h² f‴/6" if h > 1e-4 else ""


def _accumulates(moves: list[Array]) -> bool:
    """Whether entries that were moved stay moved while others are."""
    if moves[0].numel() < 2:
        return False
    touched = [set(move.reshape(-1).nonzero().reshape(-1).tolist()) for move in moves]
    return all(len(t) <= len(u) for t, u in pairwise(touched)) and len(touched[-1]) > len(touched[0])
