"""Evaluation: what a model is shown, and what is measured."""

from __future__ import annotations

import math

import pytest
import torch
from photomend.data.evaluation_set import MaskedPhoto
from photomend.models.reconstructor import Reconstructor
from photomend.train.evaluation.evaluate import Evaluation, evaluate_models


class Constant:
    """Fills with one value and, to be caught at it, paints over the known pixels too."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.batches: list[tuple[int, ...]] = []

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert bool((masked[mask.expand_as(masked) > 0] == 0).all()), "the model must not see the hole"
        self.batches.append(tuple(masked.shape))
        return torch.full_like(masked, self.value)


def photos(sizes: list[tuple[int, int]]) -> list[MaskedPhoto]:
    generator = torch.Generator().manual_seed(1)
    result = []
    for index, (height, width) in enumerate(sizes):
        mask = torch.zeros(1, height, width)
        mask[:, 2:7, 3:9] = 1
        photo = torch.rand(3, height, width, generator=generator) * 0.5
        result.append(MaskedPhoto(f"{index}.png", "class", photo, mask))
    return result


def evaluate(model: Reconstructor, samples: list[MaskedPhoto], name: str, batch_size: int = 16) -> Evaluation:
    """Of a single model."""
    (evaluation,) = evaluate_models({name: model}, samples, batch_size)
    return evaluation


def test_numbers_by_hand() -> None:
    sample = photos([(16, 20)])[0]._replace(photo=torch.zeros(3, 16, 20))
    evaluation = evaluate(Constant(10 / 255), [sample], "ten")
    assert evaluation.model == "ten"
    assert evaluation.photos == 1
    assert evaluation.mean("hole_mse") == pytest.approx(100, rel=1e-5)
    assert evaluation.mean("mse") == pytest.approx(100 * 30 / 320, rel=1e-5)  # the known pixels were pasted back
    assert evaluation.mean("mae") == pytest.approx(10 * 30 / 320, rel=1e-5)
    assert evaluation.results[0].area == pytest.approx(30 / 320)


def test_answers_are_clamped() -> None:
    sample = photos([(16, 20)])[0]._replace(photo=torch.ones(3, 16, 20))
    evaluation = evaluate(Constant(7.0), [sample], "white")
    assert evaluation.mean("mse") == 0
    assert evaluation.mean("hole_psnr") == math.inf


def test_only_equal_sizes_share_a_batch() -> None:
    model = Constant(0.2)
    samples = photos([(16, 20)] * 5 + [(20, 16)] * 2 + [(16, 20)])
    evaluation = evaluate(model, samples, "grey", batch_size=3)
    assert [shape[0] for shape in model.batches] == [3, 2, 2, 1]
    assert [result.name for result in evaluation.results] == [sample.name for sample in samples]
    alone = evaluate(Constant(0.2), samples, "grey", batch_size=1)
    assert alone.by_photo("mse") == evaluation.by_photo("mse")


def test_models_see_one_pass_over_the_samples() -> None:
    once = iter(photos([(16, 20)] * 3))
    heard: list[int] = []
    dark, bright = evaluate_models(
        {"dark": Constant(0.1), "bright": Constant(0.9)}, once, batch_size=2, on_photos=heard.append
    )
    assert heard == [2, 1]
    assert dark.model == "dark"
    assert dark.mean("mse") < bright.mean("mse")


def test_a_photo_counts_once_however_many_holes_it_has() -> None:
    one, other = photos([(16, 20)] * 2)
    evaluation = evaluate(Constant(0.2), [one, one, one, other], "grey")
    assert evaluation.photos == 2
    first, last = evaluation.by_photo("mse")[0], evaluation.by_photo("mse")[-1]
    assert evaluation.by_photo("mse") == pytest.approx([first, last])
    assert evaluation.mean("mse") == pytest.approx((first + last) / 2)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(Constant(0.1), [], "dark")
    assert Evaluation("dark").by_photo("mse") == []
