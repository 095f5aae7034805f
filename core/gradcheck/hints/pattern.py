"""Mistakes that show in where the claimed Jacobian W has entries, beside the true one J.

Rows belong to entries of the value, columns to entries of the suspect.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch

from ...tape import Array
from .evidence import CLOSE, Evidence, Point, close


def pattern(e: Evidence) -> Iterator[str]:
    if not e.is_linear:
        return
    pairs = [(p.jacobian, p.claims) for p in e.points]
    if all(close(w, torch.diag(j.diagonal())) for j, w in pairs if j.shape[0] == j.shape[1]) and _square(pairs):
        yield "only the Jacobian's diagonal is there: the gradients between different entries are missing"
    elif _square(pairs) and all(close(w, j.mT) for j, w in pairs):
        yield "the Jacobian itself is applied, not its transpose: A where Aᵀ is due"
    else:
        yield from _subset(e) or _shift(e) or _superset(e) or _scaled(e)


def _square(pairs: list[tuple[Array, Array]]) -> bool:
    return all(j.shape[0] == j.shape[1] > 1 for j, _ in pairs)


def _equal(a: Array, b: Array) -> Array:
    return (a - b).abs() <= CLOSE * max(a.abs().max().item(), b.abs().max().item())


def _subset(e: Evidence) -> list[str]:
    """W has some of J's entries, and 0 for the others."""
    found = set()
    for p in e.points:
        j, w = p.jacobian, p.claims
        there = _equal(w, j)
        if not bool((there | (w == 0)).all()) or not w.any():
            return []
        found.add(_which(p, j, ~there))
    return list(found) if len(found) == 1 else []


def _which(p: Point, j: Array, lost: Array) -> str:
    """Which entries of J are lost."""
    columns = lost.any(0)
    keeps_last = keeps_first = True
    for c in torch.nonzero(columns).reshape(-1).tolist():
        rows = torch.nonzero(j[:, c]).reshape(-1)
        kept = torch.nonzero((j[:, c] != 0) & ~lost[:, c]).reshape(-1).tolist()
        keeps_last &= kept == rows[-1:].tolist()
        keeps_first &= kept == rows[:1].tolist()
    if bool((lost == (j != 0) & columns).all()):
        return f"some entries of the input receive nothing: {_entries(columns.reshape(p.x.shape))}"
    if keeps_last:
        return "overwritten, not added: where an entry is used several times, only the last of its gradients arrives"
    if keeps_first:
        return "where an entry is used several times, only the first of its gradients arrives: they must be added"
    return "overwritten, not added: of an entry that is used several times only some gradients arrive"


def _entries(lost: Array) -> str:
    if lost.ndim >= 2 and bool(lost.any(tuple(range(lost.ndim - 2))).any()):
        plane = lost.any(dim=0).reshape(-1, *lost.shape[-2:]).any(0) if lost.ndim > 2 else lost
        inner = plane[1:-1, 1:-1]
        if inner.numel() and not bool(inner.any()):
            return "those along the border"
    index = [int(i) for i in torch.nonzero(lost)[0]]
    return f"{index}" + (f" and {int(lost.sum()) - 1} more" if int(lost.sum()) > 1 else "")


def _superset(e: Evidence) -> list[str]:
    """W has entries where J has none: a selection (a maximum, a mask) is ignored or shared out."""
    everywhere = evenly = True
    for p in e.points:
        j, w = p.jacobian, p.claims
        extra = (j == 0) & (w != 0)
        if not bool(extra.any()) or not bool(((j != 0).sum(1) <= 1).all()):
            return []
        largest = j.abs().amax(1, keepdim=True)
        everywhere &= bool(_equal(w.abs()[w != 0], largest.expand_as(w)[w != 0]).all())
        counts = (w != 0).sum(1, keepdim=True)
        evenly &= bool(_equal(w.abs()[w != 0], (largest / counts).expand_as(w)[w != 0]).all())
    if everywhere and all(bool(((p.claims != 0).sum(1) <= 1).all()) for p in e.points):
        return ["the gradient goes to another entry than the one that was chosen: wrong index"]
    if everywhere:
        return [
            "entries that weren't chosen receive the gradient too: every element under a window gets it, "
            "not only the largest (the mask is missing)"
        ]
    if evenly:
        return ["the gradient is shared evenly, as a mean's is, but only the chosen entry (the largest) should get it"]
    return []


def _shift(e: Evidence) -> list[str]:
    """W is J with the input's pixels shifted along the last two axes."""
    n = len(e.shape)
    if not n >= 1 or max(e.shape[-2:]) < 3:
        return []
    reach = range(-2, 3)
    for rows, columns in sorted(product(reach if n > 1 else (0,), reach), key=lambda s: abs(s[0]) + abs(s[1])):
        if (rows or columns) and all(_is_shifted(p, rows, columns) for p in e.points):
            steps = f"({rows}, {columns})" if n > 1 else f"{columns}"
            return [
                f"the gradient is shifted by {steps} along the last axes: padding is kept, or an index is off by one"
            ]
    return []


def _is_shifted(p: Point, rows: int, columns: int) -> bool:
    j, w = (m.reshape(len(m), *(p.x.shape if p.x.ndim > 1 else (1, *p.x.shape))) for m in (p.jacobian, p.claims))
    a, b = _overlap(j, w, -1, columns)
    a, b = _overlap(a, b, -2, rows)
    return bool(a.any()) and 2 * int((b != 0).sum()) >= int((w != 0).sum()) and close(a, b)


def _overlap(j: Array, w: Array, dim: int, by: int) -> tuple[Array, Array]:
    """The parts of j and of w, which is j shifted by `by`, that lie over each other."""
    size = j.shape[dim] - abs(by)
    if size < 1:
        return j, w
    return j.narrow(dim, max(-by, 0), size), w.narrow(dim, max(by, 0), size)


def _scaled(e: Evidence) -> list[str]:
    """W is J with every row, or every column, scaled by a known quantity."""
    for name, quantity in [
        ("the value y", lambda p: p.y),
        (e.name, lambda p: p.x),
        *((name, lambda p, k=k: p.xs[k]) for k, name in enumerate(e.names) if k != e.k),
    ]:
        for power, words in ((-1, "is missing"), (1, "is there once too often")):
            for of, rows in (("value", True), ("input", False)):
                if all(_is_scaled(p, quantity(p), power, rows) for p in e.points):
                    return [f"a factor {name} {words} for each entry of the {of}"]
    return []


def _is_scaled(p: Point, q: Array, power: int, rows: bool) -> bool:
    target = p.y if rows else p.x
    if q.numel() < 2:
        return False
    shapes = [q.shape] + ([(-1, *[1] * (target.ndim - 2))] if q.ndim == 1 and target.ndim > 2 else [])
    for shape in shapes:
        try:
            scale = (q.reshape(shape).expand(target.shape) ** power).reshape(-1)
        except RuntimeError:
            continue
        if close(p.jacobian * (scale[:, None] if rows else scale), p.claims):
            return True
    return False
