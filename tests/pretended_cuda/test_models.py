"""Every model, the harmonic solver and the evaluation on the pretended device: the CPU's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from photomend import models
from photomend.core import Array
from photomend.data.evaluation_set import MaskedPhoto
from photomend.layers.convolution.choose import only
from photomend.models import HarmonicFill
from photomend.tests.models.holes import crops, photo
from photomend.tests.models.test_harmonic import HOLES, SIDE
from photomend.train.evaluation.evaluate import evaluate_models
from photomend.train.evaluation.summary import summarize

from .device import CUDA, CudaArray, numbers, pretended_cuda
from .expected import read_backs

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real CUDA device is there")

SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"width": 4},
    "attention": {"width": 16, "dilations": [1], "window": 48},
    "attention-report": {"width": 16, "window": 48},
    "gan": {"width": 16, "dilations": [1], "window": 48},
}


def model(name: str) -> Any:
    if name in ("telea", "ns"):
        pytest.importorskip("cv2")
    torch.manual_seed(0)
    made = models.build(name, **SMALL.get(name, {}))
    if name in SMALL:
        for parameter in made.parameters():  # those that start at zero would hide what comes before them
            parameter.data.add_(torch.randn(parameter.shape), alpha=0.02)
    return made.to(dtype=torch.float64) if name in models.TRAINED else made


@pytest.mark.parametrize("name", models.NAMES)
def test_a_model_gives_what_it_gives_on_the_cpu(name: str) -> None:
    pictures, masks = crops(2, 64)
    with only("taps"):
        expected = model(name).reconstruct(pictures * (1 - masks), masks)
    with pretended_cuda():
        there = model(name)
        there = there.to(CUDA) if name in models.TRAINED else there
        found = there.reconstruct((pictures * (1 - masks)).to(CUDA), masks.to(CUDA))
    assert isinstance(found, CudaArray)
    torch.testing.assert_close(numbers(found), expected, rtol=1e-9, atol=1e-9)


def filled(picture: Array, mask: Array) -> tuple[Array, int]:
    """The harmonic fill on the device, and how often the host asked for something."""
    with pretended_cuda() as events:
        known, there = picture.to(CUDA), mask.to(CUDA)
        events.clear()
        found = HarmonicFill().fill(known, there)
        return numbers(found), len(read_backs(events))


@pytest.mark.parametrize("hole", HOLES)
def test_the_harmonic_fill_is_the_cpus_to_the_bit(hole: str) -> None:
    """Though the device is not asked after each iteration whether it is done."""
    mask = torch.from_numpy(HOLES[hole](np.random.default_rng(0))).float()[None, None]
    picture = photo(SIDE, SIDE) * (1 - mask)
    found, asked = filled(picture, mask)
    assert torch.equal(found, HarmonicFill().fill(picture, mask))
    assert asked <= 3


def test_an_evaluation_finds_what_it_finds_on_the_cpu() -> None:
    pictures, masks = crops(3, 64, dtype=torch.float32)
    samples = [MaskedPhoto(f"{i}", "", pictures[i], masks[i]) for i in range(3)]
    names = ("harmonic", "border", "cnn")

    def summary(device: torch.device | str) -> dict[str, float]:
        chosen = {name: model(name) for name in names}
        chosen["cnn"].to(device, torch.float32)
        summaries = summarize(evaluate_models(chosen, samples, device=device))
        return {f"{s.model} {metric}": value.value for s in summaries for metric, value in s.metrics.items()}

    expected = summary("cpu")
    with pretended_cuda():
        found = summary(CUDA)
    assert found == pytest.approx(expected, rel=1e-5)
