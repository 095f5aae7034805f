"""A learner's rule: its contract, value, gradients and kinks, asked of `core.check`, and its mistakes named.

`core.check` finds most mistakes from the numbers alone. What only one exercise can get wrong is told by `variants`:
wrong rules, each with its sentence. One that gives the learner's numbers on random arrays is the mistake.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from ....core import Array, GradientError, Pullback, check
from ....core.gradcheck.function import argument_names
from ..failure import AnswerError
from ..text import barred
from .contract import require_contract

Rule = Callable[..., tuple[Array, Pullback]]


def draw(*shape: int, seed: int = 0) -> Array:
    """Random numbers in float64, well away from 0 and from each other: no ties, no kinks."""
    generator = torch.Generator().manual_seed(77 + seed)
    count = torch.Size(shape).numel()
    spread = torch.linspace(-1.9, 2.1, count + 1, dtype=torch.float64)[:count] if count > 1 else torch.ones(1)
    spread = torch.where(spread.abs() < 0.02, 0.05, spread)
    return spread[torch.randperm(count, generator=generator)].double().reshape(shape)


def bind(rule: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`rule` with options filled in, under its own name and with its arguments' names."""

    @functools.wraps(rule)
    def bound(*arrays: Array) -> Any:
        return rule(*arrays, **options)

    return bound


def check_rule(
    rule: Callable[..., Any],
    *inputs: Array,
    value: Callable[..., Array],
    variants: Mapping[str, Rule] | None = None,
    **options: Any,
) -> str:
    """Ask a rule everything; a line of what is right.

    Args:
        rule: as the learner wrote it; options: its keyword arguments.
        value: what it should compute, from the same arrays and options.
        variants: typical mistakes of this rule: a sentence, and a rule that makes it.

    Raises:
        AnswerError: the first mistake.
    """
    name = getattr(rule, "__name__", "rule")
    bound = bind(rule, **options)
    require_contract(name, bound, inputs)

    def textbook(*arrays: Array) -> Array:
        return value(*arrays, **options)

    textbook.__name__ = "the textbook"
    try:
        said = check(bound, *inputs, reference=textbook)
    except GradientError as error:
        raise explained(name, str(error), bound, inputs, variants or {}, options) from None
    kinks = re.search(r"(\d+) kinks? met", said)
    met = f", and at {kinks[0].removesuffix(' met')}" if kinks and kinks[1] != "0" else ""
    shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
    return f"{name}: value and gradients are right for {shapes}{met}"


def explained(
    name: str,
    message: str,
    bound: Callable[..., Any],
    inputs: tuple[Array, ...],
    variants: Mapping[str, Rule],
    options: Mapping[str, Any],
) -> AnswerError:
    """The message of `core.check` as a failure: its stage, its target, and the mistake."""
    title, *lines = message.split("\n  ")
    hint = next((line.removeprefix("hint:").strip() for line in lines if line.startswith("hint:")), "")
    details = [line for line in lines if not line.startswith("hint:")]
    if "a small example:" in details:  # what stands before it is of arrays that a learner doesn't see
        details = details[details.index("a small example:") :]
    if "the value isn't that of" in title:
        stage, target, index = "value", "y", None
    else:
        found = re.search(r"gradient of (\S+) is|kink ([^\[\s]+)|worst at  ([^\[\s]+)", message)
        argument = next((group for group in found.groups() if group), "") if found else ""
        names = argument_names(bound, len(inputs))
        index = names.index(argument) if argument in names else None
        broken = "relative error" not in title and "kink" not in title
        stage = "contract" if broken else "kink" if "at the kink" in title else "gradient"
        target = barred(argument) if argument else "return"
    for sentence, wrong in variants.items():
        if same(bound, bind(wrong, **options), inputs, index, stage):
            hint = sentence
            break
    what = title
    if stage == "gradient":
        what = f"{name}: the gradient of {argument} isn't what differences measure"
    return AnswerError(name, stage, target, what, hint, details)


def same(
    one: Callable[..., Any], other: Callable[..., Any], inputs: Iterable[Array], index: int | None, stage: str
) -> bool:
    """Whether two rules give the same value or, for an index, the same gradient of that argument."""
    try:
        (y, pullback), (z, other_pullback) = one(*inputs), other(*inputs)
        if stage == "value":
            return close(y, z)
        if index is None:
            return False
        ȳ = draw(*y.shape, seed=5) if y.ndim else torch.full((), 0.7, dtype=torch.float64)
        return close(gradient_of(pullback, ȳ, index), gradient_of(other_pullback, ȳ, index))
    except Exception:  # a mistake of another kind than the variant's
        return False


def gradient_of(pullback: Callable[[Array], Any], ȳ: Array, index: int) -> Any:
    """One of a pullback's gradients; some are functions that make it on demand."""
    gradients = pullback(ȳ.clone())
    gradient = gradients[index] if isinstance(gradients, tuple | list) else gradients
    return gradient() if callable(gradient) else gradient


def close(a: Any, b: Any) -> bool:
    """Whether two arrays agree in shape and entries."""
    return isinstance(a, Array) and a.shape == b.shape and bool(torch.allclose(a.double(), b.double(), 1e-9, 1e-12))
