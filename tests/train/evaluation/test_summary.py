"""Summaries: averages, intervals and ratios, over all photos and by group."""

from __future__ import annotations

import math

import numpy as np
import pytest
from photomend.train.evaluation.bootstrap import bootstrap_intervals, bootstrap_ratios
from photomend.train.evaluation.evaluate import Evaluation, PhotoResult
from photomend.train.evaluation.metrics import PhotoMetrics
from photomend.train.evaluation.summary import MEANS, by_area, by_class, summarize


def evaluation(model: str, factor: float, classes: str = "aabb" * 3, areas: tuple[float, ...] = ()) -> Evaluation:
    rng = np.random.default_rng(7)
    results = []
    for index, (name, area) in enumerate(zip(classes, areas or (0.02,) * len(classes), strict=True)):
        mse = factor * rng.uniform(50, 100)
        metrics = PhotoMetrics(
            mse,
            mse / 50,
            20 * mse,
            mse / 2,
            20.0,
            0.97,
            gradient_energy=factor * 30,
            true_gradient_energy=60.0,
            texture=factor * 5,
            flat_texture=10.0,
        )
        results.append(PhotoResult(f"{index}.png", name.strip(), area, metrics))
    return Evaluation(model, results)


def test_every_metric_with_its_interval() -> None:
    evaluations = [evaluation(*each) for each in (("harmonic", 1.0), ("net", 0.9), ("border", 1.6))]
    for own, summary in zip(evaluations, summarize(evaluations), strict=True):
        assert (summary.model, summary.photos, summary.holes) == (own.model, 12, 12)
        for metric in MEANS:
            expected = (own.mean(metric), *bootstrap_intervals([own.by_photo(metric)])[0])
            assert summary.metrics[metric] == pytest.approx(expected)


def test_ratios_are_paired() -> None:
    evaluations = [evaluation(*each) for each in (("harmonic", 1.0), ("net", 0.9), ("border", 1.6))]
    harmonic, net, border = summarize(evaluations)
    assert net.metrics["mse_to_harmonic"] == pytest.approx((0.9,) * 3)  # the factor is the same in every photo
    assert border.metrics["mse_to_harmonic"].value == pytest.approx(1.6)
    assert harmonic.metrics["mse_to_harmonic"] == pytest.approx((1,) * 3)
    assert net.metrics["mse_to_best_other"].value == pytest.approx(0.9)
    assert harmonic.metrics["mse_to_best_other"].value == pytest.approx(1 / 0.9)
    assert net.metrics["sharpness"] == pytest.approx((0.45,) * 3)
    assert net.metrics["texture"] == pytest.approx((0.45,) * 3)
    rows = [e.by_photo("mse") for e in evaluations]
    ratio, ends = bootstrap_ratios([(rows[2], rows[0])])[0]
    assert border.metrics["mse_to_harmonic"] == pytest.approx((ratio, *ends))


def test_a_model_alone_has_nobody_to_be_compared_with() -> None:
    (alone,) = summarize([evaluation("harmonic", 1.0)])
    assert list(alone.metrics) == [*MEANS, "sharpness", "texture"]
    without = summarize([evaluation("net", 1.0), evaluation("border", 2.0)])
    assert all("mse_to_harmonic" not in summary.metrics for summary in without)


def test_bins_of_hole_area() -> None:
    areas = (0.0299, 0.03, 0.25, 0.06)
    groups = by_area([evaluation(*each, "aabb", areas) for each in (("net", 1.0), ("border", 2.0))])
    assert [(group.name, group.photos) for group in groups] == [
        ("below 3 %", 1),
        ("3 to 4 %", 1),
        ("5 to 10 %", 1),
        ("20 % and more", 1),
    ]
    everything = evaluation("net", 1.0, "aabb", areas)
    for group, index in zip(groups, (0, 1, 3, 2), strict=True):
        assert group.summaries[0].metrics["mse"].value == pytest.approx(everything.by_photo("mse")[index])
        assert math.isnan(group.summaries[0].metrics["mse"].low)  # one photo has no interval, not one of zero width


def test_classes() -> None:
    groups = by_class([evaluation("net", 1.0, "b ab")])
    assert [(group.name, group.photos) for group in groups] == [("a", 1), ("b", 2)]  # the photo without one is left out
    values = evaluation("net", 1.0).by_photo("mse")
    assert groups[1].summaries[0].metrics["mse"].value == pytest.approx((values[0] + values[3]) / 2)


def test_holes_of_one_photo_are_no_photos() -> None:
    repeated = evaluation("net", 1.0, "a" * 9)
    repeated.results *= 8
    (summary,) = summarize([repeated])
    assert (summary.photos, summary.holes) == (9, 72)
    assert math.isnan(summary.metrics["mse"].low)


def test_different_photos_cannot_be_compared() -> None:
    other = evaluation("other", 1.0)
    other.results.pop()
    with pytest.raises(ValueError, match="other and one were not evaluated on the same photos"):
        summarize([evaluation("one", 1.0), other])


def test_an_exact_rebuild_has_no_finite_psnr() -> None:
    exact = evaluation("exact", 1.0)
    metrics = PhotoMetrics(0.0, 0.0, 0.0, 0.0, math.inf, 1.0, 60.0, 60.0, 0.0, 9.0)
    exact.results[0] = PhotoResult("0.png", "a", 0.02, metrics)
    (summary,) = summarize([exact])
    assert summary.metrics["hole_psnr"].value == math.inf
    assert math.isnan(summary.metrics["hole_psnr"].low)
