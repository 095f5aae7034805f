"""What a case is: one primitive, layer or model in one setting, and everything it is checked against.

A case builds our side and its torch.nn twin with the same weights, draws float64 inputs that stay clear of kinks (a
ReLU at 0, ties under a maximum) by far more than a difference step, and knows its NumPy loops and what it is linear in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from photomend import layers
from photomend.core import Array, Buffer, Module, Primitive, Tensor
from photomend.tests.reference import twins

State = dict[str, np.ndarray]
Draw = Callable[[torch.Generator], Array]
Device = torch.device | str
#: Groups of arguments in each of which something is linear.
Groups = tuple[tuple[int | str, ...], ...]


class Call(Module):
    """A primitive with its options as a Module: options that are arrays are buffers, and move and load like them."""

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        self.function = function
        self.options = {k: v for k, v in options.items() if not isinstance(v, Array)}
        for name, option in options.items():
            if name not in self.options:
                setattr(self, name, Buffer(option.clone()))

    def forward(self, *inputs: Array | Tensor) -> Tensor:
        arrays = {name: buffer.data for name, buffer in self.named_buffers()}
        return self.function(*inputs, **self.options, **arrays)

    def extra_repr(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


@dataclass(frozen=True)
class Case:
    """One setting of one primitive, layer or model.

    Args:
        name: ``subject/setting``; the subject is the primitive's, the layer's or the model's name.
        make: builds ours. Its weights are drawn afterwards, so that no scale is 1 and no bias 0.
        make_twin: builds the torch.nn twin, whose state dict has the same keys.
        draws: one for each input.
        loops: the NumPy reference, called with the state dict and the inputs as arrays.
        linear_in: groups of arguments in which the operation is linear (numbers: inputs; names: parameters), each group
            taken together with everything else held.
        training: the mode it runs in.
        settle: moves drawn weights to where hidden kinks are far away.
        step: of the central differences; smaller where hidden kinks are too many to keep all of them far away.
    """

    name: str
    make: Callable[[], Module]
    make_twin: Callable[[], torch.nn.Module]
    draws: tuple[Draw, ...]
    loops: Callable[..., np.ndarray]
    linear_in: Groups = ()
    training: bool = True
    settle: Callable[[Module], None] | None = None
    step: float = 1e-3

    @property
    def subject(self) -> str:
        return self.name.partition("/")[0]

    def ours(self, dtype: torch.dtype = torch.float64, device: Device = "cpu") -> Module:
        module = self.make().train(self.training).to(dtype=torch.float64)
        generator = torch.Generator().manual_seed(1)
        for _, parameter in module.named_parameters():
            parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if not isinstance(module, Call):
            for name, buffer in module.named_buffers():
                if name.endswith(("running_mean", "running_var")):
                    drawn = torch.rand(buffer.data.shape, generator=generator, dtype=torch.float64)
                    buffer.data = drawn + 0.5
        if self.settle is not None:
            self.settle(module)
        return module.to(device, dtype)

    def twin(self, ours: Module) -> torch.nn.Module:
        """The twin with the weights, dtype and device of `ours`."""
        state = ours.state_dict()
        twin = self.make_twin().train(self.training)
        if state:
            floating = (a.dtype for a in state.values() if a.is_floating_point())
            twin = twin.to(next(iter(state.values())).device, next(floating, None))
        twin.load_state_dict(state)
        return twin

    def inputs(self, dtype: torch.dtype = torch.float64, device: Device = "cpu") -> tuple[Array, ...]:
        generator = torch.Generator().manual_seed(2)
        return tuple(draw(generator).to(device, dtype) for draw in self.draws)


def op(
    name: str,
    function: Primitive | Callable[..., Tensor],
    *draws: Draw,
    twin: Callable[..., Array],
    loops: Callable[..., np.ndarray],
    linear_in: Groups = (),
    **options: Any,
) -> Case:
    """The case of a primitive, whose twin and loops take the same inputs and options."""

    def with_options(state: State, *inputs: np.ndarray) -> np.ndarray:
        plain = {k: v for k, v in options.items() if not isinstance(v, Array)}
        return loops(*inputs, **plain, **state)

    return Case(
        name,
        make=lambda: Call(function, **options),
        make_twin=lambda: twins.Call(twin, **options),
        draws=draws,
        loops=with_options,
        linear_in=linear_in,
    )


def of_one_image(loops: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The loops over images (N, C, H, W) for a single one (C, H, W)."""
    return lambda x, *others, **options: loops(x[None], *others, **options)[0]


def layer(
    name: str,
    arguments: tuple[Any, ...],
    twin: Callable[[], torch.nn.Module],
    draw: Draw,
    loops: Callable[[State, np.ndarray], np.ndarray],
    *,
    linear_in: Groups = (),
    training: bool = True,
    settle: Callable[[Module], None] | None = None,
    **options: Any,
) -> Case:
    """The case of a layer, made with `arguments` and `options`."""
    kind: type[Module] = getattr(layers, name.partition("/")[0])
    return Case(name, lambda: kind(*arguments, **options), twin, (draw,), loops, linear_in, training, settle)


def normal(*shape: int) -> Draw:
    """From N(0, 1)."""
    return lambda generator: torch.randn(shape, generator=generator, dtype=torch.float64)


def positive(*shape: int) -> Draw:
    """Evenly from [0.5, 2)."""
    return lambda generator: 0.5 + 1.5 * torch.rand(shape, generator=generator, dtype=torch.float64)


def away_from(kinks: tuple[float, ...], *shape: int) -> Draw:
    """From N(0, 1), at least 0.1 from each kink."""

    def draw(generator: torch.Generator) -> Array:
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        for kink in kinks:
            x = torch.where((x - kink).abs() < 0.1, x + 0.2 * torch.where(x < kink, -1.0, 1.0), x)
        return x

    return draw


def apart(*shape: int) -> Draw:
    """Evenly spaced from −3 to 3 in random order: no two are close, and none is close to 0 if their number is even."""

    def draw(generator: torch.Generator) -> Array:
        count = torch.Size(shape).numel()
        values = torch.linspace(-3, 3, count, dtype=torch.float64)
        return values[torch.randperm(count, generator=generator)].reshape(shape)

    return draw
