"""torch's own module tests: every case of `module_db` whose module the engine has, with the module's weights.

Both compute from the same state dict, forwards and backwards, in training and in evaluation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from photomend import layers
from photomend.core import Array, Module, Tensor
from photomend.tests.peers.outcome import Outcome, OutOfScopeError, as_ours, compare, outputs
from torch.testing._internal.common_modules import module_db

DTYPE = torch.float64
#: Where the module runs and in what: the engine has `to` for it.
PLACE = ("device", "dtype")


def run(every: int = 1) -> Outcome:
    """All cases, or every n-th of each module."""
    outcome = Outcome("torch.nn's modules (module_db)")
    for info in module_db:
        name = info.module_cls.__name__
        ours = getattr(layers, name, None)
        if ours is None or not issubclass(ours, Module):
            continue
        for training in (True, False):
            torch.manual_seed(0)
            inputs = info.module_inputs_func(info, device="cpu", dtype=DTYPE, requires_grad=True, training=training)
            for case in inputs[::every]:
                label = f"{name} {case.desc}".strip()
                outcome.judge(label, _case(ours, info.module_cls, case, training))
    return outcome


def _case(ours: type[Module], theirs: type[torch.nn.Module], inputs: Any, training: bool) -> Callable[[], None]:
    def case() -> None:
        args, options = inputs.constructor_input.args, dict(inputs.constructor_input.kwargs)
        options = {name: value for name, value in options.items() if name not in PLACE}
        try:
            bound = inspect.signature(ours).bind(*args, **options)
        except TypeError as error:
            raise OutOfScopeError(str(error)) from None
        torch.manual_seed(0)
        peer = theirs(*args, **options).to(DTYPE).train(training)
        mine = _built(ours, bound).to(dtype=DTYPE).train(training)
        mine.load_state_dict(peer.state_dict())
        leaves: list[tuple[Tensor, Array]] = []
        forward, named = inputs.forward_input.args, dict(inputs.forward_input.kwargs)
        if "input" in named:  # the engine's layers call it x
            forward = (named.pop("input"), *forward)
        given = as_ours(tuple(forward), leaves)
        found = mine(*given, **{name: as_ours(value, leaves) for name, value in named.items()})
        parameters = dict(mine.named_parameters())
        weights = [(parameters[name], weight) for name, weight in peer.named_parameters()]
        compare(outputs(found), outputs(peer(*forward, **named)), [*leaves, *weights])

    return case


def _built(ours: type[Module], bound: inspect.BoundArguments) -> Module:
    """Our module of these arguments. A refusal that says that it isn't supported puts the case out of scope."""
    try:
        return ours(*bound.args, **bound.kwargs)
    except (ValueError, TypeError, NotImplementedError) as error:
        if "support" in str(error):
            raise OutOfScopeError(str(error)) from None
        raise
