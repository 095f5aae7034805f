"""What an evaluation comes to: averages with their intervals, over all photos, by the hole's area and by class."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from .bootstrap import bootstrap_intervals, bootstrap_ratios
from .evaluate import Evaluation, PhotoResult

#: The averages over photos, in the table's order.
MEANS = ("mse", "mae", "hole_mse", "hole_mae", "hole_psnr", "ssim")
#: Sums over photos that are divided by each other.
RATIOS = {"sharpness": ("gradient_energy", "true_gradient_energy"), "texture": ("texture", "flat_texture")}
#: The model that the others' MSE is divided by: the Laplace equation, the bar for a learned one.
REFERENCE = "harmonic"
#: Where the bins of hole area end, in percent of the photo. The protocol's fall into the first four.
AREAS = (3, 4, 5, 10, 20)


class Estimate(NamedTuple):
    """A value and its 95 % bootstrap interval; nan where there is none, as for fewer than ten photos."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """A model's numbers over some photos, of which each was shown with a hole or several: `holes` in all.

    `metrics` holds those of MEANS; `sharpness`, the gradient energy in the holes relative to the truth's; `texture`,
    how far the patches there are from the truth's, relative to a flat hole's; and, if they can be had,
    `mse_to_harmonic` and `mse_to_best_other`: the MSE over that of the harmonic fill and over that of the best other
    model, by the paired bootstrap.
    """

    model: str
    photos: int
    holes: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class Group:
    """The photos that have something in common, and every model's numbers over them."""

    name: str
    summaries: list[Summary]

    @property
    def photos(self) -> int:
        return self.summaries[0].photos


def summarize(evaluations: Sequence[Evaluation]) -> list[Summary]:
    """A summary of each model, in the same order.

    Raises ValueError when they were not evaluated on the same photos.
    """
    for evaluation in evaluations[1:]:
        if [result.name for result in evaluation.results] != [result.name for result in evaluations[0].results]:
            raise ValueError(f"{evaluation.model} and {evaluations[0].model} were not evaluated on the same photos")
    rows = {(e.model, metric): e.by_photo(metric) for e in evaluations for metric in MEANS}
    intervals = dict(zip(rows, bootstrap_intervals(list(rows.values())), strict=True))
    pairs: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for evaluation in evaluations:
        for ratio, terms in RATIOS.items():
            pairs[evaluation.model, ratio] = evaluation.by_photo(terms[0]), evaluation.by_photo(terms[1])
        for name, other in rivals(evaluation, evaluations).items():
            pairs[evaluation.model, name] = rows[evaluation.model, "mse"], rows[other.model, "mse"]
    ratios = dict(zip(pairs, bootstrap_ratios(list(pairs.values())), strict=True))
    return [
        Summary(
            e.model,
            e.photos,
            len(e.results),
            {metric: Estimate(e.mean(metric), *intervals[e.model, metric]) for metric in MEANS}
            | {name: Estimate(value, *ends) for (model, name), (value, ends) in ratios.items() if model == e.model},
        )
        for e in evaluations
    ]


def rivals(evaluation: Evaluation, evaluations: Sequence[Evaluation]) -> dict[str, Evaluation]:
    """Whom a model's MSE is compared with, by the name of the ratio."""
    others = [other for other in evaluations if other is not evaluation]
    if not others:
        return {}
    best = {"mse_to_best_other": min(others, key=lambda other: other.mean("mse"))}
    reference = [other for other in evaluations if other.model == REFERENCE]
    return {"mse_to_harmonic": reference[0], **best} if reference else best


def by_area(evaluations: Sequence[Evaluation]) -> list[Group]:
    """The summaries by the share of the photo that was missing, smallest first, in the bins of AREAS."""
    labels = [f"below {AREAS[0]} %", *(f"{low} to {high} %" for low, high in pairwise(AREAS))]
    labels.append(f"{AREAS[-1]} % and more")
    return grouped(evaluations, labels, lambda result: labels[bisect_right(AREAS, 100 * result.area)])


def by_class(evaluations: Sequence[Evaluation]) -> list[Group]:
    """The summaries by class, in alphabetical order; photos without a class are left out."""
    names = sorted({result.class_name for result in evaluations[0].results if result.class_name})
    return grouped(evaluations, names, lambda result: result.class_name)


def grouped(
    evaluations: Sequence[Evaluation], names: Sequence[str], name_of: Callable[[PhotoResult], str]
) -> list[Group]:
    """The summaries by the name that `name_of` gives each result, in the order of `names`; none for no results."""
    groups = []
    for name in names:
        parts = [Evaluation(e.model, [r for r in e.results if name_of(r) == name]) for e in evaluations]
        if parts[0].results:
            groups.append(Group(name, summarize(parts)))
    return groups
