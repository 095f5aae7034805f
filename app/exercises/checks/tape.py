"""Exercise 2: does a gradient find its way back over any tape, whatever its shape and length?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..failure import AnswerError

_NAME = "backward"
_LONG = 100_000
_LIMIT = 200  # how often a small tape's parents may be read for each of its nodes


class Spent(BaseException):
    """The tape was read too often; no learner's `except Exception` catches it."""


class Watched:
    """A node of the tape that counts how often its parents are read."""

    def __init__(self, name: str, parents: Sequence[Watched] = (), slopes: Sequence[float] = ()) -> None:
        self.name, self._parents, self.slopes, self.grad = name, tuple(parents), tuple(slopes), 0.0
        self.reads, self.limit = 0, _LIMIT

    def __repr__(self) -> str:
        return self.name

    @property
    def parents(self) -> tuple[Watched, ...]:
        self.reads += 1
        if self.reads > self.limit:
            raise Spent
        return self._parents


def check(given: Mapping[str, Any]) -> Iterator[str]:
    """Ask `backward` for gradients over a chain, diamonds, a ladder and a long chain."""
    solve = given[_NAME]
    a = Watched("a")
    b = Watched("b", [a], [2.0])
    c = Watched("c", [b], [5.0])
    _ask(solve, "a chain: b = 2 a, c = 5 b", [a, b, c], [10.0, 5.0, 1.0], "", "end.grad")
    yield "backward: a chain"

    a = Watched("a")
    b = Watched("b", [a, a], [1.0, 1.0])
    c = Watched("c", [b, b], [1.0, 1.0])
    _ask(solve, "b = a + a, c = b + b", [a, b, c], [4.0, 2.0, 1.0], "", "parent.grad")
    yield "backward: a node used twice by one other"

    # The leaf is also used by the end itself: who goes by depth, or in the order of visiting, passes it on too early.
    for swapped in (False, True):
        a = Watched("a")
        b = Watched("b", [a], [2.0])
        c = Watched("c", [a, b][:: -1 if swapped else 1], [3.0, 1.0][:: -1 if swapped else 1])
        d = Watched("d", [c, b][:: -1 if swapped else 1], [1.0, 5.0][:: -1 if swapped else 1])
        story = "b = 2 a, c = 3 a + b, d = c + 5 b"
        if swapped:
            story += " (its terms the other way round)"
        _ask(solve, story, [a, b, c, d], [15.0, 6.0, 1.0, 1.0], "early", "users[parent]")
    yield "backward: a diamond with a short cut, in either order"

    _ask_ladder(solve)
    yield "backward: 40 diamonds in a row, which have 2⁴⁰ ways through them"
    _ask_long(solve)
    yield f"backward: a chain of {_LONG:,} nodes"


def _ask(
    solve: Callable[[Any], Any], story: str, nodes: list[Watched], expected: list[float], case: str, target: str
) -> None:
    try:
        solve(nodes[-1])
    except Spent:
        raise AnswerError(_NAME, "behaviour", "users[parent]", f"backward: {story}: never ends") from None
    got = [node.grad for node in nodes]
    if got == expected:
        return
    mistake = _mistake(nodes, expected, case)
    if not any(got):
        target = "end.grad"
    elif "overwritten" in mistake:
        target = "parent.grad"
    pairs = zip(nodes, expected, got, strict=True)
    details = [
        "        expected  got",
        *(f"{n.name}.grad  {e:8g}  {g:g}" for n, e, g in pairs),
    ]
    raise AnswerError(_NAME, "value", target, f"backward: wrong gradients for {story}", mistake, details)


def _mistake(nodes: list[Watched], expected: list[float], case: str) -> str:
    got = [node.grad for node in nodes]
    if not any(got):
        return "every gradient is 0: the end's own, dc/dc = 1, is missing, from which all others come"
    if got == [0.0] * (len(got) - 1) + [1.0]:
        return "only the end has a gradient: it is passed on to no parent"
    if got[-1] != 1.0:
        return f"the end's own gradient is 1, and here it is {got[-1]:g}"
    if got == _overwritten(nodes):
        return "overwritten: a node that is used several times gets the sum of what arrives, so += and not ="
    if _is_early(nodes, got):
        return (
            "passed on too early: a node may hand on its gradient only when all that use it have handed on theirs "
            "(reverse topological order)"
        )
    if any(g > e for g, e in zip(got, expected, strict=True)):
        return (
            "counted several times: a node is visited more than once, and hands on again what it has handed on before"
        )
    if case != "early" and got == _without_slopes(nodes):
        return "the slopes are missing: what arrives is the gradient times the slope"
    if any(g < e for g, e in zip(got, expected, strict=True)):
        return "something doesn't arrive: a gradient is overwritten, or passed on too early, before all users are done"
    return ""


def _orders(nodes: list[Watched]) -> list[list[Watched]]:
    """The orders in which a walk may visit: the right one, breadth first, and depth first."""
    end = nodes[-1]
    breadth, queue = [], [end]
    while queue:
        node = queue.pop(0)
        if node not in breadth:
            breadth.append(node)
            queue += node._parents
    depth, stack = [], [end]
    while stack:
        node = stack.pop()
        if node not in depth:
            depth.append(node)
            stack += node._parents
    first, stack = [], [end]
    while stack:
        node = stack.pop()
        if node not in first:
            first.append(node)
            stack += reversed(node._parents)
    return [nodes[::-1], breadth, depth, first]


def _walk(nodes: list[Watched], order: list[Watched], add: bool, slopes: bool = True) -> list[float]:
    grads = dict.fromkeys(nodes, 0.0)
    grads[nodes[-1]] = 1.0
    for node in order:
        for parent, slope in zip(node._parents, node.slopes, strict=True):
            share = grads[node] * (slope if slopes else 1.0)
            grads[parent] = grads[parent] + share if add else share
    return [grads[node] for node in nodes]


def _overwritten(nodes: list[Watched]) -> list[float]:
    return _walk(nodes, nodes[::-1], add=False)


def _without_slopes(nodes: list[Watched]) -> list[float]:
    return _walk(nodes, nodes[::-1], add=True, slopes=False)


def _is_early(nodes: list[Watched], got: list[float]) -> bool:
    return any(got == _walk(nodes, order, add=True) for order in _orders(nodes)[1:])


def _ask_ladder(solve: Callable[[Any], Any]) -> None:
    nodes = [Watched("x0")]
    for i in range(40):
        nodes.append(Watched(f"x{i + 1}", [nodes[-1], nodes[-1]], [0.5, 0.5]))
    try:
        solve(nodes[-1])
    except Spent:
        why = "every way through the tape is walked by itself, 2⁴⁰ of them; visit each node once, its gradient complete"
        raise AnswerError(
            _NAME, "behaviour", "users[parent]", "backward: 40 diamonds in a row take forever", why
        ) from None
    if nodes[0].grad != 1.0:
        what = f"backward: 40 diamonds in a row: the first gradient is {nodes[0].grad:g}, not 1"
        raise AnswerError(_NAME, "value", "parent.grad", what)


def _ask_long(solve: Callable[[Any], Any]) -> None:
    node = first = Watched("x0")
    for i in range(_LONG):
        node = Watched(f"x{i + 1}", [node], [1.0])
    try:
        solve(node)
    except RecursionError:
        what = f"backward: RecursionError on a chain of {_LONG:,} nodes"
        why = "recursion: Python's stack ends after 1,000 calls; keep what is still to visit in a list of your own"
        raise AnswerError(_NAME, "behaviour", "to_visit", what, why) from None
    finally:
        _unlink(node)
    if first.grad != 1.0:
        what = f"backward: a chain of {_LONG:,} nodes: the first gradient is {first.grad:g}, not 1"
        raise AnswerError(_NAME, "value", "parent.grad", what)


def _unlink(node: Watched) -> None:
    """Let go of a long chain link by link: Python's own way of freeing it goes deep."""
    while node._parents:
        parents, node._parents = node._parents, ()
        node = parents[0]
