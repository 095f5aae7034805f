"""Activation recomputation (also called gradient checkpointing): keep a block's inputs and not what it computes.

The forward pass runs without a tape. When the gradient comes back, the block runs once more with a tape of its own,
which is walked at once: about a third more time for the memory of all that the block's pullbacks would have kept.

Source: Chen, Xu, Zhang & Guestrin, *Training deep nets with sublinear memory cost* (2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from .mode import is_recording, no_grad, recording
from .module import Module
from .primitive import Primitive
from .tape import Array
from .tensor import Tensor


def recompute(function: Callable[..., Any], *inputs: Array | Tensor) -> Any:
    """``function(*inputs)``, whose inner results are computed a second time for the gradient instead of kept.

    The second run draws the random numbers of the first, if that drew any, so that dropout drops the same elements. It
    begins with a module's parameters, buffers (running statistics) and mode as the first run found them, and leaves
    them as they are now; a parameter whose array was changed in place since, frozen or not, is an error.

    Args:
        function: a Module or a method of one, whose parameters receive gradients too, or a function of its inputs
            alone. Returns one array, the same one when it is called again.
        inputs: arrays or Tensors.
    """
    owner = getattr(function, "__self__", function)
    module = owner if isinstance(owner, Module) else Module()
    parameters = module.parameters()
    wanted = [isinstance(x, Tensor) and x.tracked for x in (*inputs, *parameters)]
    if not is_recording() or not any(wanted):
        return function(*inputs)
    count = len(inputs)

    def recomputed(*arrays: Array):
        devices = [x.device for x in arrays if x.is_cuda][:1]  # that draws random numbers, beside the CPU
        again, states = rerun(module), _random_states(devices)
        with no_grad():
            value = function(*arrays[:count])
        drew = not all(map(torch.equal, states, _random_states(devices)))

        def recomputed_pullback(ȳ: Array):
            leaves = [Tensor(x) if want else x for x, want in zip(arrays[:count], wanted, strict=False)]
            with (
                _drawing_from(states, devices) if drew else nullcontext(),
                again,
                having(parameters, "data", arrays[count:]),
                having(parameters, "tracked", wanted[count:]),
                recording(True),
            ):
                y = function(*leaves)
                if y.tracked:
                    y.backward(ȳ)
                sources = (*leaves, *parameters)
                return [_gradient(x) if want else None for x, want in zip(sources, wanted, strict=True)]

        return (value.data if isinstance(value, Tensor) else value), recomputed_pullback

    recomputed.__name__ = f"recomputed {type(owner).__name__}"
    return Primitive(recomputed)(*inputs, *parameters)


def _gradient(tensor: Any) -> Array:
    """What arrived at a leaf; nothing is a gradient of 0."""
    return torch.zeros_like(tensor.data) if tensor.grad is None else tensor.grad


def rerun(module: Module) -> Any:
    """A context for the second run, made before the first: inside, buffers and modes are as they are now, and
    parameters have no gradients; afterwards all of these are restored."""
    buffers, modules = [b for _, b in module.named_buffers()], [m for _, m in module.named_modules()]
    found, modes = [b.data.clone() for b in buffers], [m.training for m in modules]

    @contextmanager
    def again() -> Iterator[None]:
        with (
            having(module.parameters(), "grad", [None] * len(module.parameters())),
            having(buffers, "data", found),
            having(modules, "training", modes),
        ):
            yield

    return again()


def _random_states(devices: list[torch.device]) -> list[Array]:
    """Where the random numbers of the CPU, and of these CUDA devices, have got to."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]


@contextmanager
def _drawing_from(states: list[Array], devices: list[torch.device]) -> Iterator[None]:
    """Inside, random numbers go on from these states; afterwards from where they were before."""
    with torch.random.fork_rng(devices):
        torch.set_rng_state(states[0])
        for device, state in zip(devices, states[1:], strict=True):
            torch.cuda.set_rng_state(state, device)
        yield


@contextmanager
def having(things: Iterable[Any], attribute: str, values: Sequence[Any]) -> Iterator[None]:
    """Inside, an attribute of some objects has these values; afterwards those that it had before."""
    things = list(things)
    before = [getattr(thing, attribute) for thing in things]
    try:
        for thing, value in zip(things, values, strict=True):
            setattr(thing, attribute, value)
        yield
    finally:
        for thing, value in zip(things, before, strict=True):
            setattr(thing, attribute, value)
