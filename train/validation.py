"""Validation during training: the protocol's errors on a fixed choice of photos, fast enough to be done often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from ..core import Array, PhotomendError
from ..data.evaluation_set import EvaluationSet
from ..models.reconstructor import Reconstructor, fill_holes
from .distributed import here, total
from .evaluation.metrics import gradient_energy, pixel_errors

#: Which errors it finds.
ERRORS = ("mse", "mae", "hole_mae")
#: Photos that the figure of reconstructions shows.
SHOWN = 6


@dataclass(frozen=True)
class Shown:
    """Photos for a figure: the truth, the photo with its hole, and what was made of it; each (3, H, W) in [0, 1]."""

    name: str
    truth: Array
    masked: Array
    rebuilt: Array


@dataclass(frozen=True)
class Validation:
    """Errors on the 0–255 scale, averaged over the photos, and some of the photos.

    `mse` and `mae` are taken over all pixels, `hole_mae` over the missing ones. `sharpness` is the gradient energy in
    the holes of all photos over that of the truth.
    """

    metrics: dict[str, float]
    shown: list[Shown]


class Validator:
    """Runs a model over the photos of a set, always with the same holes; they are read once and kept as bytes.

    Of several ranks each takes its share of the photos; all get the errors over all of them, and the first of their own
    to show.
    """

    def __init__(self, photos: EvaluationSet, device: torch.device | str = "cpu", batch_size: int = 16) -> None:
        self.photos, self.device, self.batch_size = photos, device, batch_size

    def read(self) -> None:
        """Read the photos now. Raises PhotomendError if none of them can be read; a rank leaves that to the first
        validation, which knows of all."""
        _ = self._samples

    @cached_property
    def _samples(self) -> tuple[list[str], list[Array], list[Array]]:
        """Names, photos as bytes and masks, read when they are first needed."""
        place = here()
        samples = list(self.photos if place.size == 1 else self.photos.part(place.share(len(self.photos))))
        photos = [(255 * sample.photo).round().to(torch.uint8) for sample in samples]
        return [sample.name for sample in samples], photos, [sample.mask for sample in samples]

    def __call__(self, model: Reconstructor) -> Validation:
        """The model's errors; its known pixels are the photo's own, and what it gives is clamped to [0, 1]."""
        names, photos, masks = self._samples
        sums = dict.fromkeys((*ERRORS, "energy", "true_energy"), 0.0)
        shown: list[Shown] = []
        for start in range(0, len(photos), self.batch_size):
            stop = min(start + self.batch_size, len(photos))
            truth = torch.stack(photos[start:stop]).to(self.device).float() / 255
            mask = torch.stack(masks[start:stop]).to(self.device)
            rebuilt = fill_holes(model, truth, mask)
            errors = pixel_errors(truth, rebuilt, mask)
            for name in ERRORS:
                sums[name] += errors[name].sum().item()
            sums["energy"] += gradient_energy(rebuilt, mask).sum().item()
            sums["true_energy"] += gradient_energy(truth, mask).sum().item()
            for i in range(min(stop - start, SHOWN - len(shown))):
                masked = truth[i] * (1 - mask[i])
                shown.append(Shown(names[start + i], truth[i].cpu(), masked.cpu(), rebuilt[i].cpu()))
        *totals, count = total(torch.tensor([*sums.values(), len(photos)], dtype=torch.float64)).tolist()
        if not count:
            raise PhotomendError("validation: none of its photos can be read")
        sums = dict(zip(sums, totals, strict=True))
        metrics = {name: sums[name] / count for name in ERRORS}
        metrics["sharpness"] = sums["energy"] / max(sums["true_energy"], 1e-9)
        return Validation(metrics, shown)
