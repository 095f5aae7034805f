"""Activations that aren't one ONNX operator with the same arguments; see `operators.py`."""

from __future__ import annotations

from .graph import Graph, Value
from .operators import operator


@operator
def silu(g: Graph, x: Value) -> str:
    return g.node("Mul", x, g.node("Sigmoid", x))


@operator
def leaky_relu(g: Graph, x: Value, *, negative_slope: float) -> str:
    return g.node("LeakyRelu", x, alpha=float(negative_slope))


@operator
def gelu(g: Graph, x: Value, *, approximate: str) -> str:
    return g.node("Gelu", x, approximate=approximate)


@operator
def glu(g: Graph, x: Value, *, dim: int) -> str:
    features, gates = g.nodes_of("Split", x, outputs=2, axis=dim % x.ndim, num_outputs=2)
    return g.node("Mul", features, g.node("Sigmoid", gates))


@operator
def elu(g: Graph, x: Value, *, alpha: float, scale: float, input_scale: float) -> str:
    """s x where x > 0, else s α (eᵏˣ − 1): one of ONNX's three, or else put together of both halves."""
    if input_scale == 1:
        return g.node("Elu", x, alpha=alpha) if scale == 1 else g.node("Selu", x, alpha=alpha, gamma=scale)
    if scale == 1 and input_scale == 1 / alpha:
        return g.node("Celu", x, alpha=alpha)
    below = g.node("Elu", g.node("Mul", g.node("Min", x, 0.0), input_scale), alpha=alpha)
    return g.node("Mul", g.node("Add", g.node("Relu", x), below), scale)


@operator
def hardtanh(g: Graph, x: Value, *, min_val: float, max_val: float) -> str:
    return g.node("Clip", x, min_val, max_val)


@operator
def prelu(g: Graph, x: Value, weight: Value) -> str:
    """ONNX's slopes are broadcast from the last axis."""
    slopes = g.node("Unsqueeze", weight, list(range(1, x.ndim - 1))) if x.ndim > 2 else weight
    return g.node("PRelu", x, slopes)


@operator
def logsigmoid(g: Graph, x: Value) -> str:
    return g.node("Neg", g.node("Softplus", g.node("Neg", x)))
