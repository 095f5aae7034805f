"""The cases of the networks, small versions of them, each as a function of its weights alone.

The photos and masks are given, and so is the fill that a network starts from: it is solved for, carries no gradient,
and has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from photomend import models
from photomend.core import Array, Buffer, Module, Tensor
from photomend.models import cnn
from photomend.models.attention import features
from photomend.models.cells import ring_colours
from photomend.models.discriminator import PatchDiscriminator
from photomend.tests.reference import cell_twins, gan_twins, model_twins
from photomend.tests.reference.loops import gan
from photomend.tests.reference.loops import models as loops
from photomend.tests.reference.loops.attention import under
from photomend.tests.verification.case import Case, State, normal
from photomend.tests.verification.cases_gan import start_power_iteration
from torch import nn


class OnPhotos(Module):
    """A network on given photos."""

    def __init__(self, network: Module, masked: Array, mask: Array) -> None:
        self.network = network
        self.masked, self.mask = Buffer(masked), Buffer(mask)

    def forward(self) -> Tensor:
        return self.network(self.masked.data, self.mask.data)


class AttentionResidual(Module):
    """What the attention model adds to the fill, as a function of what it sees as well."""

    def __init__(self, network: models.AttentionModel) -> None:
        self.network = network

    def forward(self, seen: Array | Tensor) -> Tensor:
        return self.network.residual(seen)  # type: ignore[arg-type]


class Scores(Module):
    """What a discriminator makes of a photo whose mask is given."""

    def __init__(self, network: PatchDiscriminator, mask: Array) -> None:
        self.network = network
        self.mask = Buffer(mask)

    def forward(self, photo: Array | Tensor) -> Tensor:
        return self.network(photo, self.mask.data)


def photos(height: int, width: int) -> tuple[Array, Array]:
    """Two masked photos of noise, and their masks: a hole in the middle, and one at the edge."""
    mask = torch.zeros(2, 1, height, width, dtype=torch.float64)
    mask[0, :, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    mask[1, :, : height // 2, width // 2 :] = 1
    generator = torch.Generator().manual_seed(4)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64) * (1 - mask), mask


def model(
    name: str,
    twin: Callable[[], nn.Module],
    size: tuple[int, int],
    loops: Callable[[State, np.ndarray, np.ndarray], np.ndarray],
    *,
    training: bool = True,
    **config: Any,
) -> Case:
    """The case of the network ``name``, built with `config`, on two photos of `size`."""

    def on_photos(state: State) -> np.ndarray:
        return loops(under(state, "network"), state["masked"], state["mask"])

    return Case(
        name,
        make=lambda: OnPhotos(models.build(name.partition("/")[0], **config), *photos(*size)),
        make_twin=lambda: model_twins.OnPhotos(twin(), *photos(*size)),
        draws=(),
        loops=on_photos,
        training=training,
        settle=_settle,
        step=3e-7,
    )


def discriminator(
    name: str, widths: tuple[int, int, int], size: tuple[int, int], loops: Callable[..., np.ndarray], training: bool
) -> Case:
    """The case of the discriminator with these `widths`, on two photos of `size`."""
    mask = photos(*size)[1]
    return Case(
        name,
        make=lambda: Scores(PatchDiscriminator(widths), mask),
        make_twin=lambda: gan_twins.Scores(gan_twins.PatchDiscriminator(widths), mask),
        draws=(normal(2, 3, *size),),
        loops=loops,
        training=training,
        settle=start_power_iteration,
        step=1e-5,
    )


def _settle(module: Module) -> None:
    """Scale each weight by its fan-in, or values would grow layer by layer until every gate is shut; and put the hidden
    units of channel attentions well to either side of ReLU's kink, the first of them to the side that isn't flat."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            parameter.data *= 2 / parameter.data[0].numel() ** 0.5
        if name.endswith("mlp.0.bias"):
            parameter.data = torch.where(torch.arange(len(parameter)) % 3 == 1, -3.0, 3.0).double()


def _linear(state: State, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    ring, mean = (a.numpy() for a in ring_colours(torch.from_numpy(masked), torch.from_numpy(mask)))
    return loops.paint(loops.linear_regression(state, ring, 2) + mean[..., None], masked, mask)


def _cnn(training: bool) -> Callable[[State, np.ndarray, np.ndarray], np.ndarray]:
    def on_photos(state: State, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
        seen = cnn.features(torch.from_numpy(masked), torch.from_numpy(mask))
        tiles, ring, mean, contrast = (a.numpy() for a in seen)
        cells = loops.basic_network(state, tiles, ring, training) * contrast + mean
        return loops.paint(cells, masked, mask)

    return on_photos


def _attention(*without: str) -> Callable[[State, np.ndarray, np.ndarray], np.ndarray]:
    def on_photos(state: State, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
        found = features(torch.from_numpy(masked), torch.from_numpy(mask), without)
        fill, contrast, seen = (a.numpy() for a in found)
        return fill + loops.attention_residual(state, seen, (1, 2)) * contrast * mask

    return on_photos


def _scores(training: bool) -> Callable[[State, np.ndarray], np.ndarray]:
    return lambda state, photo: gan.patch_discriminator(under(state, "network"), photo, state["mask"], training)


def _report(training: bool) -> Callable[[State, np.ndarray, np.ndarray], np.ndarray]:
    return lambda state, masked, mask: loops.attention_report(state, masked, mask, training)


MODEL_CASES: list[Case] = [
    model("linear", lambda: cell_twins.LinearModel(2), (8, 12), _linear, splits=2),
    *(
        model(
            f"cnn/{'training' if training else 'eval'}",
            lambda: cell_twins.BasicNetwork(2),
            (8, 12),
            _cnn(training),
            training=training,
            width=2,
        )
        for training in (True, False)
    ),
    # Without spatial attention, whose maxima tie within any step that is above so deep a network's rounding.
    Case(
        "attention/residual",
        make=lambda: AttentionResidual(models.AttentionModel(16, (1, 2), without=("spatial",))),
        make_twin=lambda: model_twins.AttentionResidual(model_twins.AttentionModel(16, (1, 2), ("spatial",))),
        draws=(normal(1, 5, 8, 8),),
        loops=lambda state, seen: loops.attention_residual(under(state, "network"), seen, (1, 2)),
        linear_in=(("network.head.2.weight", "network.head.2.bias"),),
        settle=_settle,
        step=3e-4,  # below it rounding is the larger error, above it the fourth-order difference itself
    ),
    *(
        model(
            f"{name}/photos",
            lambda: model_twins.AttentionModel(16, (1, 2)),
            (8, 16),
            _attention(),
            width=16,
            dilations=[1, 2],
        )
        for name in ("attention", "gan")  # the same network, trained otherwise
    ),
    *(
        model(
            f"attention/without {', '.join(without)}",
            partial(model_twins.AttentionModel, 16, (1, 2), without),
            (8, 16),
            _attention(*without),
            width=16,
            dilations=[1, 2],
            without=without,
        )
        for without in (("fill", "channel"), ("mask", "spatial"), ("skips",))
    ),
    *(
        model(
            f"attention-report/{'training' if training else 'eval'}",
            lambda: model_twins.AttentionReportModel(16),
            (8, 16),
            _report(training),
            training=training,
            width=16,
        )
        for training in (True, False)
    ),
    discriminator("PatchDiscriminator/eval", (2, 3, 2), (8, 12), _scores(training=False), training=False),
    # With one output each the power iteration finds σ at once; see the cases of SpectralConv2d.
    discriminator("PatchDiscriminator/training, one output", (1, 1, 1), (8, 12), _scores(training=True), training=True),
]
