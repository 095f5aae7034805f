"""What a network does with a hole: what it is shown, what it makes of that stage by stage, and what it adds.

The photo is repaired as `photomend repair --look faithful` does it, by a network that remembers what it was asked. The
first question about a hole, which shows all of it, is then asked again, and every part is listened to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...core import Array, Module, PhotomendError, Tensor, no_grad
from ...data.photos import Mask
from ...layers import ChannelAttention, SpatialAttention, SqueezeExcitation
from ...models import AttentionModel, HarmonicFill, RepairNetwork, build
from ...models.calibration import Calibration, Expected, features
from ...models.holes import Hole
from ...models.reconstructor import Reconstructor, fill_holes
from ..photo.canvas import Canvas
from ..repair import Repairer
from ..steps import OnStep
from .architecture import listening, parts_of

#: The classical fills that are shown, where they can be built.
CLASSICAL = ("border", "harmonic", "biharmonic", "telea", "ns")


class Remembering:
    """A network that does what it always does, and remembers what it was asked; several threads may ask.

    Attributes:
        first: the first photo (3, h, w) and mask (1, h, w) that it was shown.
    """

    def __init__(self, network: RepairNetwork) -> None:
        self.network, self.trained_hole = network, network.trained_hole
        self.forget()

    def forget(self) -> None:
        self.first: tuple[Array, Array] | None = None
        self._asked: list[int] = []  # in each batch; appending is safe among threads, and adding isn't

    @property
    def questions(self) -> int:
        """How many photos it was shown."""
        return sum(self._asked)

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        self._remember(list(masked), list(mask))
        return self.network.reconstruct(masked, mask)

    def reconstruct_each(self, masked: Sequence[Array], masks: Sequence[Array]) -> list[Array]:
        self._remember(masked, masks)
        return self.network.reconstruct_each(masked, masks)

    def window_side(self, hole: int) -> int:
        return self.network.window_side(hole)

    def _remember(self, masked: Sequence[Array], masks: Sequence[Array]) -> None:
        if self.first is None:
            self.first = masked[0], masks[0]
        self._asked.append(len(masked))


@dataclass
class Inside:
    """What a network did with a hole. Photos are (3, h, w), masks (1, h, w).

    Attributes:
        hole: its pixels in the photo.
        questions: how often the network was asked about it; 0 for a scratch, which others fill.
        crop, missing: the first question.
        fills: the crop as each classical fill, and at last the network, fills it.
        window, window_missing: what the network saw of it.
        guess, answer: where it started there (the harmonic fill), and what it made of that.
        stages: the results of its parts, (C, h, w) or (n,), in the order in which they ran.
        channels: the weights (C,) of each channel attention, by name.
        places: the weights (h, w) of each spatial attention.
        expected: the error to expect, where the weights know it and the hole was shown as it is.
    """

    hole: Hole
    questions: int = 0
    crop: Array | None = None
    missing: Array | None = None
    fills: dict[str, Array] = field(default_factory=dict)
    window: Array | None = None
    window_missing: Array | None = None
    guess: Array | None = None
    answer: Array | None = None
    stages: dict[str, Array] = field(default_factory=dict)
    channels: dict[str, Array] = field(default_factory=dict)
    places: dict[str, Array] = field(default_factory=dict)
    expected: Expected | None = None

    def change(self) -> Array:
        """What the network adds to where it started, grey levels (h, w), the mean over the colours.

        Nothing if it wasn't asked.
        """
        if self.answer is None or self.guess is None:
            return torch.zeros(1, 1)
        return 255 * (self.answer - self.guess).mean(dim=0)


def look_inside(
    network: RepairNetwork,
    calibration: Calibration | None,
    canvas: Canvas,
    mask: Mask,
    holes: Sequence[Hole],
    device: torch.device | str = "cpu",
    on_step: OnStep = lambda done, total: None,
) -> Iterator[Inside]:
    """What the network does with each of these holes of a photo, which are rebuilt on the canvas meanwhile.

    `on_step` is told after each step of a hole how many are done, and of how many; repairing it is half of them.
    """
    remembering = Remembering(network)
    repairer = Repairer(remembering, device)
    for hole in holes:
        remembering.forget()
        repairer.paint(canvas, mask, lambda done, total: on_step(done, 2 * total), holes=[hole])
        inside = Inside(hole, remembering.questions)
        if remembering.first is not None:
            crop, missing = remembering.first
            inside.crop, inside.missing = crop.cpu(), missing.cpu()
            inside.fills = fills(network, crop, missing)
            listen(network, crop[None], missing[None], inside)
            whole = max(side.stop - side.start for side in hole.window) <= network.trained_hole
            if calibration is not None and whole:
                [inside.expected] = calibration.expected(features(crop[None].cpu(), missing[None].cpu()))
        yield inside


def fills(network: RepairNetwork, crop: Array, missing: Array) -> dict[str, Array]:
    """A crop as each classical fill that can be built here, and the network, fills it."""
    models: dict[str, Reconstructor] = {}
    for name in CLASSICAL:
        try:
            models[name] = build(name)
        except PhotomendError:  # OpenCV isn't installed
            continue
    models[network.name] = network
    return {name: fill_holes(model, crop[None], missing[None])[0].cpu() for name, model in models.items()}


def listen(network: RepairNetwork, crop: Array, missing: Array, inside: Inside) -> None:
    """Ask the network about a crop, and write down what it saw, what its parts gave, and its answer."""
    attentions = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, ChannelAttention | SpatialAttention | SqueezeExcitation)
    }
    parts = dict(parts_of(network))
    # A part may be an attention, too: it is listened to once.
    modules: dict[str, Module] = {"": network, **attentions, **parts}

    def heard(name: str, arguments: tuple[Any, ...], result: Array | Tensor) -> None:
        if inside.answer is not None:
            return  # other views of test-time augmentation
        values = _plain(result)[0].cpu()
        if name == "":
            window, hole = (_plain(x) for x in arguments)
            inside.window, inside.window_missing = window[0].cpu(), hole[0].cpu()
            inside.guess = first_guess(network, window, hole)[0].cpu()
            inside.answer = values.clamp(0, 1)
            return
        if name in parts:
            inside.stages[name] = values
        if name in attentions:
            weights = attentions[name].weights(arguments[0]).data[0].cpu()
            if isinstance(attentions[name], SpatialAttention):
                inside.places[name] = weights[0]
            else:
                inside.channels[name] = weights.flatten()

    with no_grad(), listening(modules, heard):
        network.reconstruct(crop, missing)


def first_guess(network: RepairNetwork, window: Array, missing: Array) -> Array:
    """Where an attention model starts; of others, which start from nothing, the harmonic fill to compare with."""
    if isinstance(network, AttentionModel):
        return network.prepare(window, missing)[0]
    return HarmonicFill().reconstruct(window, missing)


def _plain(x: Array | Tensor) -> Array:
    return x.data if isinstance(x, Tensor) else x
