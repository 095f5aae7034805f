"""Everything that can be asked of an operation of one's own, in the order in which mistakes are best mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module import Module
from ..primitive import Primitive
from ..tape import Array
from .contract import as_operation, require_contract
from .differences import compare, notes
from .example import gradient_example, value_example
from .forward import Reference, require_value
from .function import CheckedFunction, GradientError
from .kinks import outside_subgradient


def check(
    fn: Callable[..., Any],
    *inputs: Array,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    directions: int = 4,
    step: float = 1e-3,
    rtol: float = 1e-8,
) -> str:
    """Check an operation: its contract, value, gradients, and what it does at kinks; stop at the first mistake.

    1. Contract: a rule returns (value, pullback), and the pullback a gradient of the right number, shape and dtype;
       an argument that gets None is a constant.
    2. Value, if there is a reference.
    3. Gradients, by differences, as `gradcheck` does.
    4. Kinks, of a single rule: the inputs are rounded to whole numbers, which makes zeros and ties; there a gradient
       must lie between the derivatives to the left and right. Which of them it is, is the rule's convention. And those
       that tie may not get more together than the value changes by when all of them grow.

    Args:
        fn: a rule (raw arrays to value and pullback), a primitive, a function of Tensors, or a Module. Options are
            bound beforehand: ``lambda x: softmax(x, dim=1)``.
        inputs: arrays, as in `gradcheck`: integers are constants; float32 is converted to float64.
        reference: what the value should be: any function on arrays, of `torch.nn.functional` or NumPy. It is called
            with the inputs, and for a Module with its parameters by name as well if it takes them.
        seed, directions, step, rtol: as in `gradcheck`.

    Returns:
        What was checked, in a line.

    Raises:
        GradientError: the first mistake found, which one it is likely to be, and a small example in whole numbers.
        TypeError, ValueError: as in `gradcheck`; or the reference can't be called with the inputs.

    >>> import torch
    >>> print(check(lambda x: x * x, torch.tensor([1.0, 2.0, 3.0]), reference=torch.square))
    <lambda>: value as square's; gradient of x (3,) correct to 1e-08; 0 kinks met (x converted to float64)
    """
    for i, x in enumerate(inputs):
        if not isinstance(x, Array):
            raise TypeError(f"check: input {i} is a {type(x).__name__}; give an array (torch.Tensor)")
    operation = as_operation(fn, inputs)
    constant = require_contract(operation, inputs) if isinstance(operation, Primitive) else frozenset[int]()
    function = CheckedFunction(operation, inputs, step, constant)
    told = []
    with function.unchanged():
        _require_runs(function)
        if reference is not None:
            expected = Reference(reference, operation if isinstance(operation, Module) else None)
            require_value(function, expected, lambda: value_example(function, expected, inputs))
            told.append(f"value as {expected.name}'s")
        largest, failure = compare(function, seed, directions, rtol)
        if failure is not None:
            why = failure.explanation()
            example = [] if failure.kink else gradient_example(function, failure.k, inputs)
            raise GradientError("\n  ".join([*failure.lines, *why, *example, *notes(function)]))
        told.append(
            f"{_variables(function)} correct to {rtol:g}" if largest or _has_entries(function) else _empty(function)
        )
        wrong, met = outside_subgradient(function, seed)
        if wrong:
            raise GradientError("\n  ".join([f"{function.name}: {wrong}", *notes(function)]))
        told.append(f"{met} kink{'' if met == 1 else 's'} met")
    if constant:
        told.append(f"no gradient of {', '.join(function.input_names[i] for i in sorted(constant))}")
    return f"{function.name}: {'; '.join(told)}" + (f" ({function.note})" if function.note else "")


def _require_runs(function: CheckedFunction) -> None:
    """One forward and backward pass, where the tape refuses gradients that break the contract."""
    y = function()
    try:
        y.backward(y.data.new_ones(y.shape))
    except (TypeError, ValueError) as broken:
        raise GradientError(f"{function.name}: {broken}") from None
    finally:
        for t in function.variables:
            t.grad = None


def _variables(function: CheckedFunction) -> str:
    shapes = [f"{n} {tuple(t.shape)}" for n, t in zip(function.names, function.variables, strict=True)]
    return f"gradient{'' if len(shapes) == 1 else 's'} of {', '.join(shapes)}"


def _has_entries(function: CheckedFunction) -> bool:
    return any(t.data.numel() for t in function.variables) and bool(function.value().numel())


def _empty(function: CheckedFunction) -> str:
    return f"{_variables(function)} empty, so only their shapes were checked"
