"""Whole networks as ONNX files, which take photos with their masks and give the photos rebuilt.

What a network's layers compute is traced; what it does before and after them, with the photo and the mask alone, are
nodes of their own, which stand for functions that the file brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch

from ...core import Array
from ...models import AttentionModel, AttentionReportModel, BasicNetwork, LinearModel, RepairNetwork
from ...models import cnn as cnn_features
from ...models.cells import RING, ring_colours
from .functions import functions
from .graph import OWN, ExportError, Graph, image, same
from .trace import trace

PHOTO = "What is known of the photos, RGB from 0 to 1; what stands in missing pixels is ignored. {size}"
MASK = "1 where a pixel is missing, 0 where it is known."
REPAIRED = "The photos with their holes rebuilt, from 0 to 1; known pixels are those of the input."
#: Example runs: photos of other numbers, sizes and holes must give the same graph.
_EXAMPLES = ((1, 48, 64), (2, 64, 56))


def export(network: RepairNetwork, facts: Mapping[str, str]) -> onnx.ModelProto:
    """The ONNX file of a network, for any number of photos of any size that its stride divides.

    Args:
        network: with its weights; what it gives in one view, without test-time augmentation.
        facts: more metadata, by name.

    Raises:
        ExportError: a part has no form in ONNX, or there is none of this network.
    """
    network.to(device="cpu", dtype=torch.float32)
    graphs = [_graph(network, *example) for example in _EXAMPLES]
    (graph, result), (other, _) = graphs
    if not same(graph, other):
        raise ExportError(f"{network.name}: what its layers compute depends on more than their inputs, or on the size")
    size = f"Height and width must be divisible by {network.stride}." if network.stride > 1 else "Any height and width."
    own = functions(node.op for node in graph.nodes if node.domain == OWN)
    inputs = [image("photo", 3, PHOTO.format(size=size)), image("mask", 1, MASK)]
    known = {
        "network": type(network).__name__,
        "trained_window": f"{network.window} × {network.window} pixels",
        "trained_hole": f"up to {network.trained_hole} pixels a side",
        "input_photo": PHOTO.format(size=size),
        "input_mask": MASK,
        "output_repaired": REPAIRED,
    }
    return graph.model(inputs, image("repaired", 3, REPAIRED), result, own, {**known, **facts})


def _graph(network: RepairNetwork, count: int, height: int, width: int) -> tuple[Graph, str]:
    """The graph and its result's name, by an example of this many photos of this size."""
    generator = torch.Generator().manual_seed(height)
    mask = torch.zeros(count, 1, height, width)
    mask[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    photo = torch.rand(count, 3, height, width, generator=generator) * (1 - mask)
    graph = Graph()
    for kind, write in _WRITERS.items():
        if isinstance(network, kind):
            result = write(graph, network, photo, mask)
            return graph, graph.node("Clip", result, 0.0, 1.0)
    raise ExportError(f"{network.name}: of a {type(network).__name__} no ONNX file is made")


def _attention(g: Graph, network: AttentionModel, photo: Array, mask: Array) -> str:
    for part in ("fill", "mask"):
        if part in network.without:
            raise ExportError(f"{network.name}: without the {part}, which is an experiment, no ONNX file is made of it")
    [fill] = g.call("HarmonicFill", "photo", "mask")
    unit, seen = g.call("AttentionFeatures", fill, "mask", outputs=2)
    inputs = dict(zip((fill, unit, seen), network.prepare(photo, mask), strict=True))
    return trace(g, network, network.predict, inputs)


def _attention_report(g: Graph, network: AttentionReportModel, photo: Array, mask: Array) -> str:
    known = g.node("Where", g.node("Greater", "mask", 0.5), 0.0, "photo")
    inputs = dict(zip((known, "mask"), network.prepare(photo, mask), strict=True))
    return trace(g, network, network.predict, inputs)


def _linear(g: Graph, network: LinearModel, photo: Array, mask: Array) -> str:
    ring, mean = g.call("RingColours", "photo", "mask", *_ring_constants(g), outputs=2)
    change = trace(
        g, network, network.change, {g.node("Flatten", ring, axis=1): ring_colours(photo, mask)[0].flatten(1)}
    )
    return g.call("PaintCells", g.node("Add", change, g.node("Unsqueeze", mean, [3])), "photo", "mask")[0]


def _cnn(g: Graph, network: BasicNetwork, photo: Array, mask: Array) -> str:
    inner, margin = cnn_features.INNER, cnn_features.MARGIN
    fractions = g.constant(np.arange(-margin, inner + margin + 1) / inner, np.float64)
    seen, ring, mean, contrast = g.call("CellFeatures", "photo", "mask", fractions, *_ring_constants(g), outputs=4)
    inputs = dict(zip((seen, ring), cnn_features.features(photo, mask)[:2], strict=True))
    change = trace(g, network, network.change, inputs)
    colours = g.node("Add", g.node("Mul", change, contrast), mean)
    return g.call("PaintCells", colours, "photo", "mask")[0]


def _ring_constants(g: Graph) -> tuple[str, str]:
    """Where the pieces of the ring's sides end, and the numbers of the outermost of all tiles, in reading order."""
    sides = (RING - 4) // 4
    inside = np.zeros((sides + 2, sides + 2), np.bool_)
    inside[1:-1, 1:-1] = True
    return g.constant(np.arange(sides + 1) / sides, np.float64), g.constant(np.flatnonzero(~inside), np.int64)


_WRITERS: dict[type[RepairNetwork], Callable[[Graph, Any, Array, Array], str]] = {
    AttentionModel: _attention,
    AttentionReportModel: _attention_report,
    LinearModel: _linear,
    BasicNetwork: _cnn,
}
