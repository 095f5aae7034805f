"""A small example of a mistake: whole numbers that fit on a line, what was expected of them, and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, product

import torch

from ..tape import Array
from .contract import as_operation
from .forward import Reference, compare_value, differs
from .function import CheckedFunction

_MOST_TRIED = 40  # shapes
_LARGEST = 36  # entries that are shown of one array


def smaller_inputs(inputs: tuple[Array, ...]) -> Iterator[tuple[Array, ...]]:
    """Whole-number inputs of ever larger shapes that may fit together: axes of one size stay of one size."""
    sizes = sorted({s for x in inputs for s in x.shape if s > 1})
    choices = [sorted({s for s in (1, 2, 3) if s < size} | {size}) for size in sizes]
    maps = [dict(zip(sizes, chosen, strict=True)) for chosen in islice(product(*choices), 4000)]

    def entries(to: dict[int, int]) -> int:
        return sum(torch.Size([to.get(s, s) for s in x.shape]).numel() for x in inputs)

    # A size of 1 hides sums and transposes, so that sizes of 2 come first among equals.
    for to in sorted(maps, key=lambda to: (sum(s == 1 for s in to.values()), entries(to)))[:_MOST_TRIED]:
        yield tuple(_whole(x, [to.get(s, s) for s in x.shape], i) for i, x in enumerate(inputs))


def _whole(x: Array, shape: list[int], seed: int) -> Array:
    """Distinct whole numbers but 0, so that no maximum ties and no ReLU is at its kink; of x's sign if it has one."""
    count = torch.Size(shape).numel()
    if not x.is_floating_point():
        flat = x.reshape(-1)
        small = flat[:count] if x.dtype == torch.bool else flat[:count] % max(2, min(shape, default=2))
        return small.reshape(shape) if len(small) == count else x
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    if x.numel() and bool((x > 0).all()):
        return (1 + order).double().reshape(shape)
    return torch.where(order % 2 == 0, order // 2 + 1, -(order // 2) - 1).double().reshape(shape)


def value_example(function: CheckedFunction, reference: Reference, inputs: tuple[Array, ...]) -> list[str]:
    """The smallest input tried for which the value is wrong, side by side; nothing if there is none."""

    def wrong(small: CheckedFunction) -> list[str] | None:
        got, expected = compare_value(small, reference)
        if got.shape != expected.shape or not differs(got, expected):
            return None
        return side_by_side(expected, got)

    return _first(function, inputs, wrong)


def gradient_example(function: CheckedFunction, k: int, inputs: tuple[Array, ...]) -> list[str]:
    """The smallest input tried for which the gradient of variable k is wrong, side by side."""
    from .hints.evidence import Point, close  # here, because only a wrong gradient needs it

    def wrong(small: CheckedFunction) -> list[str] | None:
        # A gradient that is nearly 0 everywhere, as a norm's over two entries is, says little; there is nearly always
        # another example.
        y = small.value()
        xs = [t.data for t in small.variables]
        if y.numel() * max(x.numel() for x in xs) > 4096:
            return None
        v = _whole(-torch.ones(1), list(y.shape), 7)
        point = Point(small, k, xs, v)
        expected, got = point.pull(v), point.claimed[0][k]
        if not bool(expected.isfinite().all()) or close(expected, got) or not expected.abs().max() > 0.05:
            return None
        clean = torch.where((expected - expected.round()).abs() < 1e-7, expected.round(), expected)
        return [f"ȳ = {_numbers(v)}", f"gradient of {small.names[k]}:", *side_by_side(clean, got)]

    return _first(function, inputs, wrong)


def _first(
    function: CheckedFunction, inputs: tuple[Array, ...], wrong: Callable[[CheckedFunction], list[str] | None]
) -> list[str]:
    for tried in smaller_inputs(inputs):
        if any(x.numel() > _LARGEST for x in tried):
            continue
        try:
            small = CheckedFunction(as_operation(function.fn, tried), tried, function.step, function.constant)
            with small.unchanged():
                shown = wrong(small)
        except Exception:  # shapes that don't fit, values outside of the domain
            continue
        if shown is not None:
            given = [f"{n} = {_numbers(x)}" for n, x in zip(small.input_names, tried, strict=True)]
            return ["a small example:", *("  " + line for line in [*given, *shown])]
    return []


def _numbers(x: Array) -> str:
    """An array as Python would write it, on one line."""
    if x.ndim == 0:
        return _number(x.item())
    return "[" + ", ".join(_numbers(row) for row in x) + "]"


def _number(x: float) -> str:
    return str(x) if isinstance(x, bool) else f"{x + 0.0:.4g}"  # + 0.0: no −0


def side_by_side(expected: Array, got: Array) -> list[str]:
    """Three arrays beside each other, a row of their last axis a line: expected, got, and the difference."""
    columns = []
    for title, x in (("expected", expected), ("got", got), ("difference", got - expected)):
        rows = x.reshape(-1, x.shape[-1] if x.ndim else 1).tolist()
        cells = [[_number(entry if abs(entry) > 1e-9 else 0.0) for entry in row] for row in rows]
        width = max((len(c) for row in cells for c in row), default=1)
        lines = [title, *("  ".join(c.rjust(width) for c in row) for row in cells)]
        across = max(map(len, lines))
        columns.append([line.ljust(across) for line in lines])
    return ["   ".join(parts).rstrip() for parts in zip(*columns, strict=True)]
