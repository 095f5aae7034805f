"""Networks as ONNX files: onnxruntime gives what they give, at any size and number of photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from photomend import models
from photomend.app.export.graph import ExportError
from photomend.app.export.models import export
from photomend.core import Array, Tensor, no_grad

pytestmark = pytest.mark.slow  # whole networks

NETWORKS: dict[str, dict[str, Any]] = {
    "linear": {"splits": 3},
    "cnn": {"width": 2},
    "attention": {"width": 8, "dilations": (1, 2)},
    "gan": {"width": 8, "dilations": (1,), "without": ("channel", "spatial")},
    "attention-report": {"width": 16},
}
SIZES = [(1, 48, 64), (3, 72, 40)]


def trained(name: str) -> models.RepairNetwork:
    """A network with random weights, none of which is 0 as at the start of a training."""
    network: models.RepairNetwork = models.build(name, **NETWORKS[name])
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    for key, buffer in network.named_buffers():
        if "running" in key:
            buffer.data = 0.5 + torch.rand(buffer.data.shape, generator=generator)
    return network.eval()


def photos(count: int, height: int, width: int, holes: str) -> tuple[Array, Array]:
    """Photos of noise, and masks with holes in the middle, at the edges, or several of odd shapes."""
    generator = torch.Generator().manual_seed(2)
    mask = torch.zeros(count, 1, height, width)
    if holes == "middle":
        mask[:, :, 11:30, 9:28] = 1
    elif holes == "corner":
        mask[:, :, :17, width - 13 :] = 1
    else:
        mask[:, :, 5:8, :] = 1
        mask[:, :, 20:33, 14:20] = torch.rand(count, 1, 13, 6, generator=generator).round()
        mask[-1, :, height - 3 :, 4:7] = 1
    return torch.rand(count, 3, height, width, generator=generator), mask


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_agrees(name: str) -> None:
    network = trained(name)
    session = onnxruntime.InferenceSession(export(network, {}).SerializeToString())
    for size in SIZES:
        for holes in ("middle", "corner", "odd"):
            photo, mask = photos(*size, holes)
            with no_grad():
                ours = network(photo * (1 - mask), mask).data.clamp(0, 1).numpy()
            [theirs] = session.run(None, {"photo": photo.numpy(), "mask": mask.numpy()})
            assert np.abs(theirs - ours).max() < 1e-5, (size, holes)
            known = np.broadcast_to(mask.numpy() == 0, ours.shape)
            assert (theirs[known] == photo.numpy()[known]).all()


def test_nodes_are_called_like_modules_and_weights_as_in_the_state_dict() -> None:
    network = trained("attention")
    model = export(network, {"licence": "free"})
    nodes = {node.name: node.op_type for node in model.graph.node}
    assert len(nodes) == len(model.graph.node)
    assert nodes["stem/1"] == "Conv"
    assert nodes["encoder2/body/0"] == "GroupNormalization"
    assert nodes["skip2/conv"] == "Conv"
    assert nodes["HarmonicFill"] == "HarmonicFill"
    initializers = {array.name for array in model.graph.initializer}
    assert set(network.state_dict()) <= initializers
    assert {p.key: p.value for p in model.metadata_props}["licence"] == "free"
    dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["N", 3, "H", "W"]
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21), ("photomend", 1)]


def test_experiments_and_unknown_networks_are_refused() -> None:
    with pytest.raises(ExportError, match="without the fill"):
        export(models.build("attention", width=8, without=("fill",)), {})

    class Own(models.RepairNetwork):
        name = "own"
        window = 32

        def __init__(self) -> None:
            self.inside = models.build("linear")

    with pytest.raises(ExportError, match="own: of a Own no ONNX file is made"):
        export(Own(), {})


def test_what_depends_on_the_size_is_refused() -> None:
    class Sized(models.AttentionReportModel):
        def predict(self, known: Array, mask: Array) -> Tensor:
            return Tensor(known) * float(known.shape[2])

    with pytest.raises(ExportError, match="depends on more than their inputs, or on the size"):
        export(Sized(width=16), {})
