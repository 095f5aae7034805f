"""What a network attends to: the weights of its channel and spatial attentions on some photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ...core import Array, Tensor, no_grad
from ...data.evaluation_set import MaskedPhoto
from ...layers import ChannelAttention, SpatialAttention, SqueezeExcitation
from ...models import RepairNetwork
from ..figures import to_photo
from .architecture import listening
from .images import Image, Pixels, colour, jpeg, png


@dataclass(frozen=True)
class Attended:
    """What the network saw of a photo, and the weights of each of its spatial attentions, by name."""

    window: Image
    spatial: dict[str, Image]


@dataclass(frozen=True)
class AttentionMaps:
    """A network's attention: its spatial weights by photo, its channel weights by module.

    `channels` are pictures with a row for each photo and a column for each channel; `spans` are the lowest and the
    highest spatial weight of each module, black and white in its maps.
    """

    model: str
    photos: list[Attended]
    spans: dict[str, tuple[float, float]]
    channels: dict[str, Image]


def attention_maps(
    model: str, network: RepairNetwork, photos: Iterable[MaskedPhoto], device: torch.device
) -> AttentionMaps | None:
    """The weights that the attentions of a network give on some photos; None if it has none."""
    attentions = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, ChannelAttention | SpatialAttention | SqueezeExcitation)
    }
    if not attentions:
        return None
    windows: list[Array] = []
    weights: dict[str, list[Array]] = {name: [] for name in attentions}

    def heard(name: str, arguments: tuple[Array | Tensor, ...], result: Tensor) -> None:
        x = arguments[0]
        if name == "":
            windows.append((x.data if isinstance(x, Tensor) else x)[0])
        else:
            weights[name].append(attentions[name].weights(x).data[0].cpu())

    with no_grad(), listening({"": network, **attentions}, heard):
        for shown in photos:
            photo, mask = shown.photo[None].to(device), shown.mask[None].to(device)
            network.reconstruct(photo * (1 - mask), mask)
    spatial = {name: own for name, own in weights.items() if isinstance(attentions[name], SpatialAttention)}
    spans = {
        name: (min(w.min().item() for w in own), max(w.max().item() for w in own)) for name, own in spatial.items()
    }

    def spatial_map(name: str, index: int) -> Image:
        low, high = spans[name]
        values = (spatial[name][index][0].double() - low) / max(high - low, 1e-12)
        return png(colour(values.numpy()), f"spatial weights of {name} on photo {index + 1}")

    attended = [
        Attended(
            jpeg(to_photo(window), f"photo {index + 1} as {model} sees it"),
            {name: spatial_map(name, index) for name in spatial},
        )
        for index, window in enumerate(windows)
    ]
    channels = {
        name: png(channel_strip(own), f"channel weights of {name}, a row for each of {len(own)} photos")
        for name, own in weights.items()
        if name not in spatial
    }
    return AttentionMaps(model, attended, spans, channels)


def channel_strip(weights: list[Array]) -> Pixels:
    """Weights (C, 1, 1) of each photo, from 0 (black) to 1, as a picture with a row of 4 pixels for each photo."""
    rows = torch.stack([w[:, 0, 0] for w in weights]).repeat_interleave(4, dim=0)
    return colour(rows.double().numpy())
