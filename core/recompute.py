"""Recomputation, also called gradient checkpointing: keep a block's inputs and not what it computes on the way.

The forward pass runs without a tape. When the gradient comes back, the block runs once more with a tape of its own,
which is walked at once: about a third more time for the memory of all that the block's pullbacks would have kept.

Source: Chen, Xu, Zhang & Guestrin, *Training deep nets with sublinear memory cost* (2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .module import Module
from .primitive import Primitive
from .tape import Array, is_recording, no_grad, recording
from .tensor import Tensor


def checkpoint(function: Callable[..., Any], *inputs: Array | Tensor) -> Any:
    """``function(*inputs)``, whose inner results are computed a second time for the gradient instead of kept.

    The second run draws the random numbers of the first, so that dropout forgets the same elements. It begins with a
    module's buffers (running statistics) and mode as the first run found them, and leaves them as they are now.

    Args:
        function: a Module or a method of one, whose parameters receive gradients too, or a function of its inputs
            alone. Returns one array, whatever it is asked a second time.
        inputs: arrays or Tensors.
    """
    owner = getattr(function, "__self__", function)
    module = owner if isinstance(owner, Module) else Module()
    parameters = [p for p in module.parameters() if p.tracked]
    wanted = [isinstance(x, Tensor) and x.tracked for x in inputs]
    if not is_recording() or not (parameters or any(wanted)):
        return function(*inputs)

    def recomputed(*arrays: Array):
        arrays = arrays[: len(inputs)]
        device = next((x.device for x in arrays if x.is_cuda), None)
        numbers, found = _random_state(device), _state_of(module)
        with no_grad():
            value = function(*arrays)

        def recomputed_pullback(ȳ: Array):
            leaves = [Tensor(x) if want else x for x, want in zip(arrays, wanted, strict=True)]
            with _random_numbers(numbers, device), _in_state(module, found), _gradients_of(parameters), recording(True):
                y = function(*leaves)
                if y.tracked:
                    y.backward(ȳ)
                return [_gradient(x) if isinstance(x, Tensor) else None for x in (*leaves, *parameters)]

        return (value.data if isinstance(value, Tensor) else value), recomputed_pullback

    recomputed.__name__ = f"checkpoint of {type(owner).__name__}"
    return Primitive(recomputed)(*inputs, *parameters)


def _gradient(tensor: Tensor) -> Array:
    """What arrived at a leaf; nothing is a gradient of 0."""
    return torch.zeros_like(tensor.data) if tensor.grad is None else tensor.grad


@contextmanager
def _gradients_of(parameters: list[Any]) -> Iterator[None]:
    """Inside, the parameters have no gradients; afterwards those that they had before."""
    before = [parameter.grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.grad = None
        yield
    finally:
        for parameter, grad in zip(parameters, before, strict=True):
            parameter.grad = grad


#: A module's buffers, and in which mode its parts are.
_State = tuple[list[Array], list[bool]]


def _state_of(module: Module) -> _State:
    return [b.data.clone() for _, b in module.named_buffers()], [part.training for _, part in module.named_modules()]


def _put(module: Module, state: _State) -> None:
    buffers, modes = state
    for (_, buffer), data in zip(module.named_buffers(), buffers, strict=True):
        buffer.data.copy_(data)
    for (_, part), training in zip(module.named_modules(), modes, strict=True):
        part.training = training


@contextmanager
def _in_state(module: Module, state: _State) -> Iterator[None]:
    """Inside, a module's buffers and modes are as in `state`; afterwards as they were before."""
    before = _state_of(module)
    try:
        _put(module, state)
        yield
    finally:
        _put(module, before)


def _random_state(device: torch.device | None) -> tuple[Array, Array | None]:
    """Where torch's random numbers stand: the CPU's and, if one is given, a CUDA device's."""
    return torch.get_rng_state(), None if device is None else torch.cuda.get_rng_state(device)


@contextmanager
def _random_numbers(state: tuple[Array, Array | None], device: torch.device | None) -> Iterator[None]:
    """Inside, random numbers go on from `state`; afterwards from where they stood before."""
    before = _random_state(device)
    try:
        _set_random_state(state, device)
        yield
    finally:
        _set_random_state(before, device)


def _set_random_state(state: tuple[Array, Array | None], device: torch.device | None) -> None:
    on_cpu, on_cuda = state
    torch.set_rng_state(on_cpu)
    if device is not None and on_cuda is not None:
        torch.cuda.set_rng_state(on_cuda, device)
