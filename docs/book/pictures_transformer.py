"""What the page on a transformer's attention draws: the paths through a block, and where a pixel of a photo looks."""

from __future__ import annotations

import torch
from matplotlib import pyplot as plt
from photomend.core.drawing.svg import Box, Drawing, render
from photomend.core.tape import Array

BLUE = "#5aa0ff"


def block_picture() -> Drawing:
    """The two residual paths of a transformer's block."""

    def box(kind: str, name: str, line: str, *sources: Box) -> Box:
        return Box(kind, name, f"{name}: {line}", [line], list(sources))

    x = box("leaf", "x", "(N, L, E)")
    norm1 = box("operation", "LayerNorm", "each position by itself", x)
    attention = box("operation", "MultiheadAttention", "positions look at each other", norm1)
    first = box("operation", "+", "what was found, added", x, attention)
    norm2 = box("operation", "LayerNorm", "each position by itself", first)
    mlp = box("operation", "Linear, GELU, Linear", "each position by itself", norm2)
    second = box("operation", "+", "what was thought, added", first, mlp)
    return render([second, mlp, norm2, first, attention, norm1, x], "A block of a transformer")


def patches(image: Array, size: int) -> tuple[Array, Array]:
    """All size × size patches of an image (H, W) as rows, and the pixel in the middle of each, (patches, 1)."""
    edge = size // 2
    rows = image.unfold(0, size, 1).unfold(1, size, 1).reshape(-1, size * size)
    return rows, image[edge:-edge, edge:-edge].reshape(-1, 1)


def show_photos(**named: Array) -> None:
    """Grey images beside each other, on one scale from black to white."""
    _, axes = plt.subplots(1, len(named), figsize=(3.1 * len(named), 3.3), layout="constrained")
    for axis, (name, image) in zip(axes, named.items(), strict=True):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(title=name, xticks=[], yticks=[])
    plt.show()


def show_looks(photo: Array, weights: Array, places: list[tuple[int, int]]) -> None:
    """A photo, and for some of its pixels (row, column) how much weight each other pixel gets from it.

    Args:
        photo: (H, W).
        weights: (H W, H W), a row for each pixel that looks.
    """
    height, width = photo.shape
    _, axes = plt.subplots(1, len(places) + 1, figsize=(3.1 * (len(places) + 1), 3.3), layout="constrained")
    axes[0].imshow(photo, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for number, (axis, (row, column)) in enumerate(zip(axes[1:], places, strict=True), start=1):
        looked = weights[row * width + column].clone()
        looked[row * width + column] = 0  # its own weight would outshine the others
        axis.imshow(looked.reshape(height, width).sqrt(), cmap="magma", interpolation="nearest")
        for drawn in (axis, axes[0]):
            drawn.plot(column, row, "o", markersize=9, markeredgecolor=BLUE, markerfacecolor="none", markeredgewidth=2)
        axes[0].annotate(str(number), (column + 3, row - 3), color=BLUE, fontsize=14, fontweight="bold")
        axis.set(title=f"where pixel {number} looks")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    plt.show()


def show_waves(places: Array) -> None:
    """The sines and cosines of every place (L, E) as a picture, a row for each place."""
    _, axis = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
    axis.imshow(places, cmap="coolwarm", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axis.set(xlabel="feature", ylabel="place in the sequence")
    plt.show()


def waves(length: int, features: int) -> Array:
    """Vaswani et al. (2017), §3.5: place p has sin(p / 10000^(2i/E)) at feature 2i and the cosine at 2i + 1."""
    speed = 10_000.0 ** (-torch.arange(0, features, 2) / features)
    angle = torch.arange(length)[:, None] * speed
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(length, features)
