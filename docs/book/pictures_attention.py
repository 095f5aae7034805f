"""Pictures of attention: a square hole, gates of channels as bars, and gates of places as maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib import pyplot as plt
from photomend.core import Array

#: What the bars of several photos are drawn in.
COLOURS = ("#2f6fd0", "#b3541e", "#34734a")


def hole_in(photo: Array, top: int, left: int, size: int) -> Array:
    """A mask (1, 1, H, W) for a photo (1, 3, H, W), 1 in a square hole."""
    mask = torch.zeros(1, 1, *photo.shape[2:])
    mask[:, :, top : top + size, left : left + size] = 1
    return mask


def bars(gates: Mapping[str, Mapping[str, Array]]) -> None:
    """Channels' gates (C,) as bars: a picture for each layer, in it the gates for each photo, open ones first.

    The order is that of the first photo, in which the others' are drawn as points.
    """
    axes = plt.subplots(len(gates), 1, figsize=(8, 2 * len(gates)), layout="constrained", squeeze=False)[1][:, 0]
    for axis, (layer, photos) in zip(axes, gates.items(), strict=True):
        (first, values), *others = photos.items()
        order = values.argsort(descending=True)
        place = range(len(order))
        axis.bar(place, values[order], width=0.8, color=COLOURS[0], alpha=0.55, label=first)
        for (name, other), colour in zip(others, COLOURS[1:], strict=False):
            axis.plot(place, other[order], ".", markersize=4, color=colour, label=name)
        axis.set(title=layer, xlim=(-1, len(order)), ylim=(0, 1), ylabel="gate")
    axes[0].legend(frameon=False, ncols=3, loc="upper right")
    axes[-1].set_xlabel("channel, in the order of the first photo")
    plt.show()


def rows(pictures: Sequence[Mapping[str, Array]]) -> None:
    """Rows of photos (3, H, W) and of maps (h, w), all maps with one scale of brightness."""
    maps = [image for row in pictures for image in row.values() if image.ndim == 2]
    low, high = (getattr(torch.stack([getattr(m, kind)() for m in maps]), kind)() for kind in ("min", "max"))
    width = len(pictures[0])
    figure, axes = plt.subplots(
        len(pictures), width, figsize=(9, 9 / width * len(pictures)), layout="constrained", squeeze=False
    )
    for row, images in zip(axes, pictures, strict=True):
        for axis, (name, image) in zip(row, images.items(), strict=True):
            if image.ndim == 3:
                axis.imshow(image.permute(1, 2, 0).clamp(0, 1))
            else:
                shown = axis.imshow(image, cmap="inferno", vmin=low, vmax=high)
            axis.set(title=name, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes, shrink=0.6, label="gate")
    plt.show()
