"""ONNX's node tests: every model of one node whose operator the engine has, its inputs and its expected outputs.

ONNX's expectations are float32, so a value may be off by 10⁻⁵ of the largest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from photomend.core import Tensor
from photomend.tests.peers.onnx_adapters import NODES
from photomend.tests.peers.outcome import DifferentError, Outcome, OutOfScopeError

TOLERANCE = 1e-5
#: Its expected output was typed with four decimals; torch's own avg_pool2d is as far from it.
FOUR_DECIMALS = "test_averagepool_2d_ceil_last_window_starts_on_pad"


def run(every: int = 1) -> Outcome:
    """All cases, or every n-th."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some expectations are infinite on purpose
        cases = collect_testcases(None)
    outcome = Outcome("ONNX's nodes")
    models: list[tuple[Any, Any]] = [(case, case.model) for case in cases]
    known = [case for case, model in models if [node.op_type in NODES for node in model.graph.node] == [True]]
    for case in known[::every]:
        outcome.judge(case.name, _case(case))
    return outcome


def _case(case: Any) -> Callable[[], None]:
    def run_case() -> None:
        from onnx.helper import get_attribute_value

        node = case.model.graph.node[0]
        attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        for given, expected in case.data_sets:
            arrays = iter(given)
            inputs = [_array(next(arrays)) if name else None for name in node.input]
            if len(expected) > 1:
                raise OutOfScopeError(f"{len(expected)} outputs")
            found = NODES[node.op_type](*inputs, **attributes)
            values = found.data if isinstance(found, Tensor) else found
            tolerance = 1e-4 if case.name == FOUR_DECIMALS else TOLERANCE
            _require_close(values, np.asarray(expected[0]), tolerance)

    return run_case


def _array(value: Any) -> Any:
    """A model's input as a raw array.

    Raises:
        OutOfScopeError: torch has no such type, or it is half precision, whose rounding ONNX doesn't fix.
    """
    value = np.asarray(value)
    if value.dtype not in (np.float32, np.float64, np.int64, np.int32, np.bool_):
        raise OutOfScopeError(f"inputs of {value.dtype}")
    return torch.from_numpy(value.copy())


def _require_close(ours: Any, theirs: np.ndarray, tolerance: float) -> None:
    if tuple(ours.shape) != theirs.shape:
        raise DifferentError(f"shape {tuple(ours.shape)} for {theirs.shape}")
    finite = np.abs(theirs[np.isfinite(theirs)])
    scale = max(1.0, float(finite.max()) if finite.size else 1.0)
    if not np.allclose(ours.detach().numpy(), theirs, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
        raise DifferentError(f"off by {float(np.nanmax(np.abs(ours.detach().numpy() - theirs))):.1e}")
