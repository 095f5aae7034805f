"""What came of a peer's cases: how many are in scope, equal, different, crashed, and why others are out of scope."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from photomend.core import Array, Tensor

#: Relative to the largest number of the array that is compared, in float64.
TOLERANCE = 1e-9


class OutOfScopeError(Exception):
    """The case asks for what the engine doesn't offer; the message says what."""


class DifferentError(Exception):
    """Ours and the peer's differ; the message says where and by how much."""


@dataclass
class Outcome:
    """The cases of one suite.

    Attributes:
        cases: all of those whose operation the engine has.
        equal: of these, how many gave the peer's value and gradients.
        out_of_scope: how many ask for something else, by what it is.
        different, crashed: a line for each such case.
    """

    suite: str
    cases: int = 0
    equal: int = 0
    out_of_scope: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    @property
    def in_scope(self) -> int:
        return self.cases - self.out_of_scope.total()

    def judge(self, name: str, case: Callable[[], None]) -> None:
        """Run a case, which raises OutOfScopeError or DifferentError, or any other error where ours crashes."""
        self.cases += 1
        try:
            case()
        except OutOfScopeError as reason:
            self.out_of_scope[f"{name}: {reason}"] += 1
        except DifferentError as difference:
            self.different.append(f"{name}: {difference}")
        except Exception as error:  # whatever it is, a crash is what is looked for
            message = str(error).splitlines() or [""]
            self.crashed.append(f"{name}: {type(error).__name__}: {message[0]}")
        else:
            self.equal += 1

    def lines(self) -> Iterator[str]:
        """The outcome as text: the counts, then a line for each case that isn't equal."""
        yield (
            f"{self.suite}: {self.cases} cases, {self.in_scope} in scope, {self.equal} equal, "
            f"{len(self.different)} different, {len(self.crashed)} crashed"
        )
        yield from (f"  different: {line}" for line in self.different)
        yield from (f"  crashed: {line}" for line in self.crashed)


def call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """`function` of these arguments, if it has parameters of such names.

    Raises:
        OutOfScopeError: it hasn't.
    """
    try:
        inspect.signature(function).bind(*args, **options)
    except TypeError as error:
        raise OutOfScopeError(str(error)) from None
    return function(*args, **options)


def as_ours(value: Any, leaves: list[tuple[Tensor, Array]]) -> Any:
    """A peer's argument as the engine takes it: an array that requires gradients becomes a leaf, entered in `leaves`
    beside it, and any other array a constant."""
    if isinstance(value, Array):
        if not value.requires_grad:
            return value.detach()
        leaf = Tensor(value.detach().clone())
        leaves.append((leaf, value))
        return leaf
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(as_ours(item, leaves) for item in value)
    return value


def outputs(found: Any) -> list[Any]:
    """The arrays among what a function returned."""
    many = found if isinstance(found, list | tuple) else [found]
    return [each for each in many if isinstance(each, Array | Tensor)]


def compare(ours: Sequence[Any], theirs: Sequence[Array], leaves: Sequence[tuple[Any, Array]]) -> None:
    """Compare values, and gradients under a random cotangent for each output.

    Raises:
        DifferentError: they differ.
    """
    if len(ours) != len(theirs):
        raise DifferentError(f"{len(ours)} outputs for {len(theirs)}")
    ours_sum: Any = 0.0
    theirs_sum: Any = 0.0
    generator = torch.Generator().manual_seed(0)
    for mine, other in zip(ours, theirs, strict=True):
        require_equal("value", mine.data if isinstance(mine, Tensor) else mine, other)
        if isinstance(mine, Tensor) and mine.tracked and other.requires_grad:
            ȳ = torch.randn(other.shape, generator=generator, dtype=other.dtype)
            ours_sum, theirs_sum = ours_sum + (mine * ȳ).sum(), theirs_sum + (other * ȳ).sum()
    if not isinstance(ours_sum, Tensor):
        return
    ours_sum.backward()
    gradients = torch.autograd.grad(theirs_sum, [theirs for _, theirs in leaves], allow_unused=True)
    for position, ((leaf, other), gradient) in enumerate(zip(leaves, gradients, strict=True)):
        found = torch.zeros_like(other) if leaf.grad is None else leaf.grad
        require_equal(f"gradient {position + 1}", found, torch.zeros_like(other) if gradient is None else gradient)


def require_equal(what: str, ours: Array, theirs: Array) -> None:
    """Raise DifferentError unless shape, dtype and numbers agree (NaN equals NaN)."""
    theirs = theirs.detach()
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise DifferentError(f"{what} is {tuple(ours.shape)} {ours.dtype} for {tuple(theirs.shape)} {theirs.dtype}")
    if not theirs.is_floating_point():
        if not ours.equal(theirs):
            raise DifferentError(f"{what} differs")
        return
    finite = theirs[theirs.isfinite()]
    scale = max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
    if not torch.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True):
        apart = (ours - theirs).abs().nan_to_num(nan=float("inf"))
        raise DifferentError(f"{what} is off by {float(apart.max()):.1e}")
