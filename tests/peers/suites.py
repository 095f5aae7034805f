"""The suites by name."""

from __future__ import annotations

from collections.abc import Callable

from photomend.tests.peers import onnx_nodes, torch_modules, torch_ops, torch_optimizers
from photomend.tests.peers.outcome import Outcome

SUITES: dict[str, Callable[[int], Outcome]] = {
    "operators": torch_ops.run,
    "modules": torch_modules.run,
    "optimizers": torch_optimizers.run,
    "onnx": onnx_nodes.run,
}
