"""Every model on the same photos with the same holes, photo by photo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ...data.evaluation_set import MaskedPhoto
from ...models.reconstructor import Reconstructor, fill_holes
from .metrics import PhotoMetrics, photo_metrics


@dataclass(frozen=True)
class PhotoResult:
    """What a model made of one photo, of which `area` (a share, 0 to 1) was missing."""

    name: str
    class_name: str
    area: float
    metrics: PhotoMetrics


@dataclass
class Evaluation:
    """A model's results, photo by photo."""

    model: str
    results: list[PhotoResult] = field(default_factory=list)

    def mean(self, metric: str) -> float:
        """The metric averaged over the photos."""
        values = self.by_photo(metric)
        return sum(values) / len(values)

    def by_photo(self, metric: str) -> list[float]:
        """One metric of every photo, averaged over its holes where it was shown with several.

        The bootstrap draws these, since holes in one photo are not independent.
        """
        values: defaultdict[str, list[float]] = defaultdict(list)
        for result in self.results:
            values[result.name].append(getattr(result.metrics, metric))
        return [sum(own) / len(own) for own in values.values()]

    @property
    def photos(self) -> int:
        """How many different photos there were."""
        return len({result.name for result in self.results})


def evaluate_models(
    reconstructors: Mapping[str, Reconstructor],
    samples: Iterable[MaskedPhoto],
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    on_photos: Callable[[int], object] = lambda count: None,
) -> list[Evaluation]:
    """Run every model over the samples in one pass, so that all see the same photos with the same holes.

    A model's answer is clamped to [0, 1], *not* rounded to whole grey levels, and the known pixels are pasted back
    before anything is measured. `on_photos` hears how many photos have just been done. Raises ValueError when there are
    no samples.
    """
    evaluations = {name: Evaluation(name) for name in reconstructors}
    for batch in batches(samples, batch_size):
        for name, results in evaluate_batch(reconstructors, batch, device).items():
            evaluations[name].results += results
        on_photos(len(batch))
    if any(not evaluation.results for evaluation in evaluations.values()):
        raise ValueError("samples: there is nothing to evaluate")
    return list(evaluations.values())


def evaluate_batch(
    reconstructors: Mapping[str, Reconstructor], batch: Sequence[MaskedPhoto], device: torch.device | str = "cpu"
) -> dict[str, list[PhotoResult]]:
    """What every model makes of a batch of photos of one size."""
    truth = torch.stack([sample.photo for sample in batch]).to(device)
    mask = torch.stack([sample.mask for sample in batch]).to(device)
    found = {}
    for name, reconstructor in reconstructors.items():
        rebuilt = fill_holes(reconstructor, truth, mask)
        found[name] = [
            PhotoResult(each.name, each.class_name, each.mask.mean().item(), photo_metrics(*arrays))
            for each, *arrays in zip(batch, truth, rebuilt, mask, strict=True)
        ]
    return found


def batches(samples: Iterable[MaskedPhoto], batch_size: int) -> Iterator[list[MaskedPhoto]]:
    """Consecutive samples of equal size, at most `batch_size` at a time, in order."""
    batch: list[MaskedPhoto] = []
    for sample in samples:
        if batch and (len(batch) == batch_size or sample.photo.shape != batch[0].photo.shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch
