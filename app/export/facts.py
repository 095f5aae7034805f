"""What an ONNX file says about its weights: where they come from, what the model card says, under which licence."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from ... import __version__
from ...models import RepairNetwork
from ...models.weights import find_checkpoint, load_checkpoint, weights_digest
from .. import reconstructors
from ..reconstructors import find_weights, shipped

CARD = "README.md"


def facts(name: str, network: RepairNetwork) -> dict[str, str]:
    """Metadata about the network that is called `name` on the command line."""
    path = find_checkpoint(find_weights(name))
    checkpoint = load_checkpoint(path)
    own = path.parent == reconstructors.WEIGHTS_FOLDER and path.stem in shipped()
    found = {
        "model": path.stem if own else name,
        "step": str(checkpoint.step),
        "parameters": str(network.parameter_count()),
        "weights_digest": weights_digest(checkpoint.weights),
        "photomend": __version__,
    }
    if network.views > 1:
        found["views"] = f"1; `photomend repair` averages {network.views}"
    if own:
        found["model_card"] = card_line(path)
        licence = metadata.metadata("photomend")["License-Expression"]
        found["license"] = f"{licence}; on the photos that it was trained on see the model card, weights/{CARD}"
    else:
        found["license"] = "that of the photos it was trained on, and of whoever trained it; photomend doesn't know it"
    return found


def card_line(weights: Path) -> str:
    """What the model card's table says about a file, without links."""
    card = (weights.parent / CARD).read_text(encoding="utf-8")
    [row] = [line for line in card.splitlines() if line.startswith(f"| `{weights.name}` |")]
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", row.strip("| ").rpartition(" | ")[2])
