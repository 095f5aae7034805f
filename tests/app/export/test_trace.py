"""What is written down while modules compute, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from photomend.app.export.graph import ExportError, Graph, same
from photomend.app.export.trace import trace
from photomend.core import Array, Module, Parameter, Primitive, Tensor
from photomend.layers import Conv2d, Identity, ReLU, Residual, Sequential


def run(module: Module, x: Array) -> tuple[Graph, np.ndarray]:
    """The graph of a module, and what onnxruntime makes of x."""
    graph = Graph()
    result = trace(graph, module, lambda x: module(Tensor(x)), {"x": x})
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["?"] * 4) for name in ("x", "y")]
    model = graph.model(ends[:1], ends[1], result)
    return graph, onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x.numpy()})[0]


def test_a_shared_module_is_written_at_each_call_with_one_weight() -> None:
    shared = Conv2d(2, 2, 3, padding=1)
    module = Sequential(shared, ReLU(), Residual(shared))
    x = torch.randn(1, 2, 4, 5)
    graph, y = run(module, x)
    assert [(node.path, node.op) for node in graph.nodes] == [
        ("0", "Conv"), ("1", "Relu"), ("0", "Conv"), ("2", "Add")
    ]  # fmt: skip
    assert set(graph.arrays) == {"0.weight", "0.bias"}
    np.testing.assert_allclose(y, module(x).data.numpy(), atol=1e-6)


def test_nothing_but_the_input() -> None:
    x = torch.randn(1, 2, 3, 4)
    _, y = run(Sequential(Identity()), x)
    assert (y == x.numpy()).all()


def test_everything_is_as_before_afterwards() -> None:
    convolution = Conv2d(1, 1, 1)
    module = Sequential(convolution).train()
    run(module, torch.ones(1, 1, 2, 2))
    assert "forward" not in vars(module) | vars(convolution)
    assert module.training
    y = module(Tensor(torch.ones(1, 1, 2, 2)))
    y.sum().backward()
    assert convolution.weight.grad is not None


class Strange(Module):
    def __init__(self, function: Any) -> None:
        self.function = function
        self.scale = Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def test_an_operation_without_a_form_is_named_with_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def cube(x: Array) -> Any:
        return x**3, lambda ȳ: 3 * x**2 * ȳ

    from photomend.core import operators

    monkeypatch.setitem(operators.PRIMITIVES, "cube", Primitive(cube))
    module = Sequential(ReLU(), Sequential(Strange(operators.PRIMITIVES["cube"])))
    with pytest.raises(ExportError, match=r"^1\.0 \(Strange\): its operation 'cube' has no form in ONNX here$"):
        run(module, torch.ones(1, 1, 2, 2))


def test_a_result_of_other_computations_is_refused() -> None:
    module = Sequential(Strange(lambda x: x.data * 2))
    with pytest.raises(ExportError, match="its result isn't computed by its layers alone"):
        run(module, torch.ones(1, 1, 2, 2))


def test_what_is_computed_beside_the_layers_makes_another_graph() -> None:
    module = Strange(lambda x: x * (x.data.sum() * torch.ones(9)).sum())
    graphs = []
    for value in (1.0, 2.0):
        x = torch.full((1, 1, 2, 2), value)
        graphs.append(Graph())
        trace(graphs[-1], module, lambda x: module(Tensor(x)), {"x": x})
    assert not same(*graphs)
    assert same(graphs[0], graphs[0])
