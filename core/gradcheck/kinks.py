"""Where a function has no derivative: is an entry near a kink, and is what the pullback says at one a subgradient?

At a kink the derivatives to the left and to the right differ. Any number between them is a subgradient, and which one a
rule returns is its convention (0 for ReLU at 0, equal shares among ties); a number outside of them is a mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..tape import Array
from .function import CheckedFunction, normal

_SIDES = 1e-6  # the step of a one-sided difference: far below any distance between kinks
_MOST = 48  # entries of each variable at which subgradients are tried
_MOST_SEARCHED = 256  # entries of each variable among which the one near a kink is looked for


def is_near_kink(function: CheckedFunction, us: list[Array], v: Array, reach: float = 1.0) -> bool:
    """Whether a kink lies within `reach` of the differences' way along `us`: slopes from one point to the next jump.

    A smooth function's slopes over so short a way change in proportion to its second derivative; a kink's jump in
    one of them, however short the way is.
    """
    step = reach * function.step / 8
    values = torch.stack([(y * v).sum() for y in function.along(us, [i * step for i in range(-17, 18)])])
    slopes = values.diff() / step
    bends = slopes.diff().abs()
    largest = bends.max()
    typical = bends.median() + 1e-9 * slopes.abs().max() + 64 * torch.finfo(v.dtype).eps / step * values.abs().max()
    return bool(largest > 20 * typical) and bool(largest > 1e-4 * slopes.abs().max())


def single(function: CheckedFunction, k: int, index: tuple[int, ...]) -> list[Array]:
    """The direction in which one entry of variable k moves by itself."""
    us = [torch.zeros_like(t.data) for t in function.variables]
    us[k][index] = 1.0
    return us


def entry_near_kink(function: CheckedFunction, us: list[Array], v: Array) -> str:
    """An entry from which a kink is not much farther than differences reach, as ``x[3]``; "" if none is found."""
    for k, u in enumerate(us):
        for flat in torch.nonzero(u.reshape(-1)).reshape(-1)[:_MOST_SEARCHED].tolist():
            index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), u.shape))
            if is_near_kink(function, single(function, k, index), v, reach=4.0):
                return f"{function.names[k]}{list(index)}"
    return ""


def outside_subgradient(function: CheckedFunction, seed: int) -> tuple[str, int]:
    """What a pullback does wrong at kinks ("" if nothing), and how many kinks were met.

    The inputs are rounded to whole numbers, which makes zeros and ties. There every entry moves by itself to either
    side, and its gradient must lie between the two derivatives, wherever those are well defined. Then all entries of a
    variable move alike, which ties survive: of two that tie under a maximum each may have ȳ, but not both. Of a
    composition that can't be asked: at 0, relu(x) − 2 relu(−x) has the slopes 2 and 1, and by the rules' conventions
    the gradient 0.
    """
    parents = function().node.parents
    if any(parent is not None and parent.leaf is None for parent in parents):
        return "", 0
    rounded = [t.data.round().clamp(-2, 2) for t in function.variables]
    generator = torch.Generator().manual_seed(seed)
    with function.at(rounded):
        y = function.value()
        if not y.numel() or not bool(y.isfinite().all()):
            return "", 0  # outside of the function's domain, as log at 0
        v = normal(y, generator)
        analytic = function.gradients(v)
        met = 0
        for k, g in enumerate(analytic):
            before = met
            for flat in torch.randperm(g.numel(), generator=generator)[:_MOST].tolist():
                index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), g.shape))
                sides = _one_sided(function, single(function, k, index), v)
                if sides is None or not sides.kink:
                    continue
                met += 1
                if not sides.allow(g[index].item()):
                    point = f"{function.names[k]}{list(index)} = {rounded[k][index].item():g}"
                    between = f"between its one-sided derivatives {sides.low:.6g} and {sides.high:.6g}"
                    return f"at the kink {point} the gradient is {g[index].item():.6g}, which isn't {between}", met
            if met > before and (wrong := _together(function, k, g, v)):
                return wrong, met
    return "", met


def _together(function: CheckedFunction, k: int, g: Array, v: Array) -> str:
    """What is wrong if all entries of variable k grow alike; "" if nothing is, or it can't be told."""
    us = [torch.ones_like(t.data) if i == k else torch.zeros_like(t.data) for i, t in enumerate(function.variables)]
    sides, claimed = _one_sided(function, us, v), g.sum().item()
    if sides is None or sides.allow(claimed):
        return ""
    name, measured = function.names[k], (sides.low + sides.high) / 2
    return (
        f"at the kink {name} where entries tie or are 0, the gradient adds up to {claimed:.6g}, but with all of {name} "
        f"growing alike the value's derivative is {measured:.6g}: those that tie must share ȳ, not get it each"
    )


@dataclass(frozen=True)
class _Sides:
    """The least and the largest subgradient along a direction, their size, and whether there is a kink."""

    low: float
    high: float
    scale: float
    kink: bool

    def allow(self, claimed: float) -> bool:
        slack = 1e-2 * (self.high - self.low) + (0.0 if self.kink else 1e-3 * self.scale)
        return self.low - slack <= claimed <= self.high + slack


def _one_sided(function: CheckedFunction, us: list[Array], v: Array) -> _Sides | None:
    """The subgradients along `us`; None if they can't be told.

    The derivatives to the left and right must not depend on the step; at a kink they differ. Each entry of the value
    may choose between its own two, as each window of a pooling layer may break its ties.
    """
    h = _SIDES
    values = [y * v for y in function.along(us, [-2 * h, -h, 0, h, 2 * h])]
    far_left, left, here, right, far_right = values
    sides = torch.stack([(here - left) / h, (right - here) / h])
    wide = torch.stack([(here - far_left) / (2 * h), (far_right - here) / (2 * h)])
    scale = sides.abs().max().item() + 1e-300
    noise = 16 * torch.finfo(v.dtype).eps / h * max(value.abs().max().item() for value in values)
    if not bool(((sides - wide).abs() <= 1e-4 * scale + noise).all()):
        return None
    low, high = sides.amin(0).sum().item(), sides.amax(0).sum().item()
    unsure = 10 * noise * v.numel()
    return _Sides(low, high, scale + unsure, kink=high - low > 1e-3 * scale + unsure)
