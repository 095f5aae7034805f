"""torch's own operator tests: every sample of `op_db` whose operation the engine has, forwards and backwards.

An adapter is the engine's way to write an operation, with torch's parameters as far as the engine has them; a sample
that gives others is out of scope.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from photomend.core import Array, Tensor
from photomend.tests.peers.adapters import OPS
from photomend.tests.peers.outcome import Outcome, OutOfScopeError, as_ours, call, compare, outputs
from torch.testing._internal.common_methods_invocations import op_db

DTYPE = torch.float64


def run(every: int = 1) -> Outcome:
    """All samples, or every n-th of each operation."""
    outcome = Outcome("torch's operators (op_db)")
    for info in op_db:
        if info.name not in OPS or DTYPE not in info.dtypes:
            continue
        label = info.name + (f".{info.variant_test_name}" if info.variant_test_name else "")
        torch.manual_seed(0)
        samples = info.sample_inputs("cpu", DTYPE, requires_grad=info.supports_autograd)
        for sample in islice(samples, None, None, every):
            outcome.judge(label, _case(OPS[info.name], info.op, sample))
    return outcome


def _case(ours: Callable[..., Any], theirs: Callable[..., Any], sample: Any) -> Callable[[], None]:
    def case() -> None:
        arguments = (sample.input, *sample.args)
        require_real(arguments, sample.kwargs)
        leaves: list[tuple[Tensor, Array]] = []
        mine = as_ours(arguments, leaves)
        options = {name: as_ours(value, leaves) for name, value in sample.kwargs.items()}
        found = outputs(call(ours, *mine, **options))
        compare(found, outputs(theirs(*arguments, **sample.kwargs)), leaves)

    return case


def require_real(arguments: Any, options: dict[str, Any]) -> None:
    """Raise OutOfScopeError for complex numbers and other kinds of arrays than dense ones."""
    for value in (*arguments, *options.values()):
        if isinstance(value, list | tuple):
            require_real(value, {})
        elif isinstance(value, Array) and (value.is_complex() or value.layout != torch.strided):
            raise OutOfScopeError(f"{value.dtype}, {value.layout}")
        elif isinstance(value, complex):
            raise OutOfScopeError("a complex number")
