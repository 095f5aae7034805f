"""The protocol's table: every model on the same photos with the same holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol

import torch

from ..core import Array, PhotomendError, no_grad
from .metrics import Interval, PhotoMetrics, bootstrap_interval, bootstrap_ratio, photo_metrics


class Reconstructor(Protocol):
    """Anything that fills holes: masked (N, 3, H, W) in [0, 1] and mask (N, 1, H, W), 1 = missing, to (N, 3,
    H, W).
    """

    def reconstruct(self, masked: Array, mask: Array) -> Array: ...


class Sample(Protocol):
    """A photo (3, H, W) in [0, 1] with its hole (1, H, W), 1 = missing."""

    @property
    def name(self) -> str: ...
    @property
    def class_name(self) -> str: ...
    @property
    def photo(self) -> Array: ...
    @property
    def mask(self) -> Array: ...


@dataclass(frozen=True)
class PhotoResult:
    """What a model made of one photo."""

    name: str
    class_name: str
    metrics: PhotoMetrics


@dataclass
class Evaluation:
    """A model's results, photo by photo."""

    model: str
    results: list[PhotoResult] = field(default_factory=list)

    def values(self, metric: str) -> list[float]:
        """One metric of every photo, in the order of evaluation."""
        return [getattr(result.metrics, metric) for result in self.results]

    def mean(self, metric: str) -> float:
        """The metric averaged over the photos."""
        return sum(self.values(metric)) / len(self.results)

    def by_photo(self, metric: str) -> list[float]:
        """One metric of every photo, averaged over its holes where it was shown with several."""
        values: defaultdict[str, list[float]] = defaultdict(list)
        for result in self.results:
            values[result.name].append(getattr(result.metrics, metric))
        return [sum(own) / len(own) for own in values.values()]

    @property
    def photos(self) -> int:
        """How many different photos there were."""
        return len({result.name for result in self.results})

    def interval(self, metric: str) -> Interval:
        """The 95 % bootstrap interval of that average, by photo: holes in one photo are not independent."""
        return bootstrap_interval(self.by_photo(metric))

    def summary(self) -> dict[str, Any]:
        """A row for JSON: model, photos, mse, mse_ci, mae, mae_ci, hole_mse, hole_mae, hole_psnr, ssim.

        A value that JSON has no number for (the infinite PSNR of exact rebuilds) is None.
        """
        row = {
            "model": self.model,
            "photos": self.photos,
            "mse": self.mean("mse"),
            "mse_ci": list(self.interval("mse")),
            "mae": self.mean("mae"),
            "mae_ci": list(self.interval("mae")),
        }
        row |= {metric: self.mean(metric) for metric in ("hole_mse", "hole_mae", "hole_psnr", "ssim")}
        return {key: None if isinstance(v, float) and not isfinite(v) else v for key, v in row.items()}

    def ratio_to(self, other: Evaluation, metric: str = "mse") -> tuple[float, Interval]:
        """This model's average over the other's on the same photos, with the interval of the paired
        bootstrap.

        Raises ValueError when the two were not evaluated on the same photos.
        """
        if [result.name for result in self.results] != [result.name for result in other.results]:
            raise ValueError(f"{self.model} and {other.model} were not evaluated on the same photos")
        return bootstrap_ratio(self.by_photo(metric), other.by_photo(metric))


def evaluate_models(
    reconstructors: Mapping[str, Reconstructor],
    samples: Iterable[Sample],
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    on_photos: Callable[[int], object] = lambda count: None,
) -> list[Evaluation]:
    """Run every model over the samples in one pass, so that all see the same photos with the same holes.

    The model is given the photo with a black hole. Its answer is clamped to [0, 1], *not* rounded to whole
    grey levels, and the known pixels are pasted back before anything is measured. `on_photos` hears how
    many photos have just been done. Raises ValueError when there are no samples.
    """
    evaluations = {name: Evaluation(name) for name in reconstructors}
    for batch in batches(samples, batch_size):
        truth = torch.stack([sample.photo for sample in batch]).to(device)
        mask = torch.stack([sample.mask for sample in batch]).to(device)
        for name, reconstructor in reconstructors.items():
            rebuilt = paste(reconstructor, truth, mask)
            evaluations[name].results += [
                PhotoResult(sample.name, sample.class_name, photo_metrics(truth[i], rebuilt[i], mask[i]))
                for i, sample in enumerate(batch)
            ]
        on_photos(len(batch))
    if any(not evaluation.results for evaluation in evaluations.values()):
        raise ValueError("samples: there is nothing to evaluate")
    return list(evaluations.values())


def evaluate(
    reconstructor: Reconstructor,
    samples: Iterable[Sample],
    model: str,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """`evaluate_models` for a single model, called `model` in the table."""
    return evaluate_models({model: reconstructor}, samples, batch_size, device)[0]


def paste(reconstructor: Reconstructor, truth: Array, mask: Array) -> Array:
    """The model's answer in the hole, clamped to [0, 1], and the truth around it; (N, 3, H, W).

    Raises PhotomendError when the answer holds values that aren't finite.
    """
    missing = mask > 0.5
    with no_grad():
        answer = reconstructor.reconstruct(torch.where(missing, 0.0, truth), mask)
    if not answer.isfinite().all():
        name = getattr(reconstructor, "name", type(reconstructor).__name__)
        raise PhotomendError(f"model {name!r} gives colours that are no numbers; its weights are damaged")
    return torch.where(missing, answer.clamp(0, 1), truth)


def batches(samples: Iterable[Sample], batch_size: int) -> Iterator[list[Sample]]:
    """Consecutive samples of equal size, at most `batch_size` at a time, in order."""
    batch: list[Sample] = []
    for sample in samples:
        if batch and (len(batch) == batch_size or sample.photo.shape != batch[0].photo.shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


COLUMNS = ("model", "photos", "MSE", "95 %", "MAE", "95 %", "hole MSE", "hole MAE", "hole PSNR", "SSIM")


def table(evaluations: Sequence[Evaluation], markdown: bool = False) -> str:
    """The evaluations as an aligned text table, or one in Markdown; errors on the 0–255 scale.

    With more than one model a last column gives each one's MSE relative to the best of the others, with the
    interval of the paired bootstrap: `0.94 (0.92–0.97)` means 6 % below the best competitor.
    """
    rows = [list(COLUMNS)] + [cells(evaluation) for evaluation in evaluations]
    if len(evaluations) > 1:
        rows[0].append("MSE / best other")
        for row, evaluation in zip(rows[1:], evaluations, strict=True):
            others = [other for other in evaluations if other is not evaluation]
            ratio, (low, high) = evaluation.ratio_to(min(others, key=lambda other: other.mean("mse")))
            row.append(f"{ratio:.3f} ({low:.3f}–{high:.3f})")
    return markdown_table(rows) if markdown else text_table(rows)


def cells(evaluation: Evaluation) -> list[str]:
    (mse_low, mse_high), (mae_low, mae_high) = evaluation.interval("mse"), evaluation.interval("mae")
    return [
        evaluation.model,
        str(evaluation.photos),
        f"{evaluation.mean('mse'):.2f}",
        f"{mse_low:.2f}–{mse_high:.2f}",
        f"{evaluation.mean('mae'):.3f}",
        f"{mae_low:.3f}–{mae_high:.3f}",
        f"{evaluation.mean('hole_mse'):.1f}",
        f"{evaluation.mean('hole_mae'):.2f}",
        f"{evaluation.mean('hole_psnr'):.2f}",
        f"{evaluation.mean('ssim'):.4f}",
    ]


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])
