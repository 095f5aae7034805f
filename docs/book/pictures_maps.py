"""Where a network looks: its spatial attentions over a photo, stage by stage, as pictures to step through.

    from photomend.app.reconstructors import load_reconstructor
    from photomend.data.masks import Box
    from pictures_maps import hole, map_stepper
    from skimage import data

    photo = torch.tensor(data.astronaut()[::2, ::2].copy(), dtype=torch.float32).permute(2, 0, 1)[None] / 255
    map_stepper(load_reconstructor("attention"), photo, hole(photo, Box(x=90, y=50, width=44, height=40)))

The network is any of ours with a `SpatialAttention` in it, such as the shipped ones. It runs once, in evaluation mode.
The first frame shows its window, then each attention has a frame in the order in which it ran (the mean and the largest
value over the channels, which it looks at, and the weights that it makes of them), and the last one has all weights.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any

import torch
from IPython.display import HTML
from matplotlib import colormaps
from photomend.app.report.architecture import listening
from photomend.core import Array, Tensor
from photomend.data.masks import Box, box_mask
from photomend.layers import SpatialAttention
from photomend.models import RepairNetwork
from photomend.models.reconstructor import fill_holes
from pictures import number, stepper
from PIL import Image

COLOURS = "inferno"
#: What the outline of the hole is drawn in: both colours, so that it is seen on any background.
OUTLINE = "#fff", "#000"


@dataclass(frozen=True)
class Attended:
    """What one spatial attention was given and gave, at its own resolution."""

    name: str
    channels: int
    mean: Array
    largest: Array
    weights: Array


def hole(photo: Array, box: Box) -> Array:
    """The mask (1, 1, H, W) of a rectangle in a photo (1, 3, H, W)."""
    return torch.from_numpy(box_mask(box, *photo.shape[2:])).to(photo.dtype)[None, None]


def map_stepper(network: RepairNetwork, photo: Array, mask: Array) -> HTML:
    """What the network's spatial attentions weigh, of a photo (1, 3, H, W) in [0, 1] with a mask (1, 1, H, W).

    Raises ValueError where the network has no spatial attention.
    """
    window, missing, attended = watch(network, photo, mask)
    if not attended:
        raise ValueError(f"network: {type(network).__name__} has no spatial attention")
    rows, columns = (int(missing.any(dim=axis).sum()) for axis in (1, 0))
    size = f"{window.shape[1]} × {window.shape[2]}"
    seen = _picture(window.permute(1, 2, 0), f"the window that the network sees, {size} pixels with a hole", missing)
    frames = [
        (
            _row((seen, "what the network sees")),
            f"The network looks through a window of {size} pixels around the hole of {rows} × {columns}.",
        )
    ]
    for stage in attended:
        frames.append((_row(*_looked_at(stage, missing)), _words(stage, window, missing)))
    maps = [(_map(stage.weights, f"weights of {stage.name}", missing), stage.name) for stage in attended]
    frames.append((_row((seen, "window"), *maps), "The window, and the weights of all spatial attentions."))
    return stepper("Where the network looks: its spatial attentions, stage by stage", frames)


def watch(network: RepairNetwork, photo: Array, mask: Array) -> tuple[Array, Array, list[Attended]]:
    """Run the network: the window it saw (3, h, w), what is missing there (h, w), and its spatial attentions."""
    modules: dict[str, Any] = {name: m for name, m in network.named_modules() if isinstance(m, SpatialAttention)}
    seen: list[tuple[Array, Array]] = []
    attended: dict[str, Attended] = {}

    def heard(name: str, arguments: tuple[Any, ...], result: Any) -> None:
        if name == "":
            seen.append((arguments[0][0], arguments[1][0, 0] > 0.5))
        elif name not in attended:  # further views of the same window aren't shown
            x = arguments[0].data if isinstance(arguments[0], Tensor) else arguments[0]
            weights = modules[name].weights(x).data[0, 0]
            attended[name] = Attended(name, x.shape[1], x[0].mean(dim=0), x[0].amax(dim=0), weights)

    with listening({"": network, **modules}, heard):
        fill_holes(network, photo, mask)
    return *seen[0], list(attended.values())


def _looked_at(stage: Attended, missing: Array) -> list[tuple[str, str]]:
    channels = f"{stage.channels} channels"
    return [
        (_map(stage.mean, f"mean over the channels before {stage.name}", missing), f"mean of {channels}"),
        (_map(stage.largest, f"largest of the channels before {stage.name}", missing), f"largest of {channels}"),
        (_map(stage.weights, f"weights of {stage.name}", missing), "weights"),
    ]


def _words(stage: Attended, window: Array, missing: Array) -> str:
    w = stage.weights
    pixels = window.shape[1] // w.shape[0]
    hidden = missing.unfold(0, pixels, pixels).unfold(1, pixels, pixels).all(dim=-1).all(dim=-1)
    return (
        f"{escape(stage.name)}: {w.shape[0]} × {w.shape[1]} weights, one for {pixels} × {pixels} pixels each, from "
        f"{number(w.min().item())} (dark) to {number(w.max().item())} (bright). Their mean is "
        f"{number(w[hidden].mean().item())} in the hole and {number(w[~hidden].mean().item())} around it."
    )


def _row(*pictures: tuple[str, str]) -> str:
    figures = "".join(f"<figure>{image}<figcaption>{escape(text)}</figcaption></figure>" for image, text in pictures)
    return f'<div class="maps">{figures}</div>'


def _map(values: Array, words: str, missing: Array) -> str:
    """Values (h, w) in colours, their lowest dark and their highest bright."""
    low, high = values.min(), values.max()
    coloured = colormaps[COLOURS](((values - low) / (high - low).clamp_min(1e-12)).double().numpy())[..., :3]
    return _picture(torch.from_numpy(coloured), words, missing)


def _picture(pixels: Array, words: str, missing: Array) -> str:
    """Pixels (h, w, 3) in [0, 1] as an SVG picture as large as the window, with an outline around what is missing."""
    buffer = BytesIO()
    Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().numpy()).save(buffer, "png", optimize=True)
    uri = f"data:image/png;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
    height, width = missing.shape
    where = missing.nonzero()
    (top, left), (bottom, right) = where.min(dim=0).values.tolist(), (where.max(dim=0).values + 1).tolist()
    outline = "".join(
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="{colour}" '
        f'stroke-width="{stroke}"/>'
        for colour, stroke in zip(OUTLINE, (1.6, 0.6), strict=True)
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}"><image href="{uri}" '
        f'width="{width}" height="{height}"/>{outline}</svg>'
    )
