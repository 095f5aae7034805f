"""A reconstructor: what every model is to those who use it, a classical fill as well as a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from ..core import Array, PhotomendError, no_grad


class Reconstructor(Protocol):
    """Anything that fills holes; several threads may ask it at a time.

    One that was trained for holes up to some side, in pixels, says so in an attribute `trained_hole`.
    """

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """Photos (N, 3, H, W) in [0, 1] and masks (N, 1, H, W), 1 = missing, to photos (N, 3, H, W)."""


@runtime_checkable
class ReconstructsEach(Reconstructor, Protocol):
    """A reconstructor that takes photos of different sizes together."""

    def reconstruct_each(self, masked: Sequence[Array], masks: Sequence[Array]) -> list[Array]:
        """`reconstruct` for photos (3, H, W) and masks (1, H, W)."""

    def window_side(self, hole: int) -> int:
        """The side of the square window that it computes for a hole whose longer side is so many pixels."""


class Fill:
    """Base of the classical fills: checks its arguments, and leaves known pixels as they are."""

    name: str

    def reconstruct(self, masked: Array, mask: Array) -> Array:
        """Fill the holes of photos of any size.

        Args:
            masked: photos (N, 3, H, W) in [0, 1]; what stands in their missing pixels is ignored.
            mask: (N, 1, H, W), 1 = missing; each has at least one missing and one known pixel.

        Returns:
            (N, 3, H, W); known pixels are bit-identical to `masked`.

        Raises:
            ValueError: shapes don't fit, or a mask is empty or covers its photo.
            TypeError: an argument isn't floating point, or the two are on different devices.
        """
        require_hole(masked, mask)
        missing = mask > 0.5
        return torch.where(missing, self.fill(torch.where(missing, 0.0, masked), mask), masked)

    def fill(self, known: Array, mask: Array) -> Array:
        """Photos (N, 3, H, W), 0 where they are missing, with their holes filled; other pixels don't matter."""
        raise NotImplementedError


def fill_holes(model: Reconstructor, photos: Array, mask: Array) -> Array:
    """The model's answer in the holes, clamped to [0, 1], and the photos around them; (N, 3, H, W).

    The model is shown black holes, whatever stands there in `photos`. Raises PhotomendError when its answer holds
    values that aren't finite.
    """
    missing = mask > 0.5
    with no_grad():
        answer = model.reconstruct(torch.where(missing, 0.0, photos), mask)
    return _composite(model, answer, photos, missing)


def fill_each(model: Reconstructor, photos: Sequence[Array], masks: Sequence[Array]) -> list[Array]:
    """The same for photos (3, H, W) and masks (1, H, W) of different sizes, as many as there are.

    What a model can compute in one batch it does: a network its windows, another model photos of one size.
    """
    if isinstance(model, ReconstructsEach):
        missing = [mask > 0.5 for mask in masks]
        with no_grad():
            black = [torch.where(own, 0.0, photo) for photo, own in zip(photos, missing, strict=True)]
            answers = model.reconstruct_each(black, masks)
        return [_composite(model, *each) for each in zip(answers, photos, missing, strict=True)]
    by_size: defaultdict[torch.Size, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        by_size[photo.shape].append(i)
    filled: dict[int, Array] = {}
    for same in by_size.values():
        batch = fill_holes(model, *(torch.stack([arrays[i] for i in same]) for arrays in (photos, masks)))
        filled.update(zip(same, batch, strict=True))
    return [filled[i] for i in range(len(photos))]


def _composite(model: Reconstructor, answer: Array, photos: Array, missing: Array) -> Array:
    """The model's answer where pixels are missing, in [0, 1]. Raises PhotomendError where it isn't finite."""
    if not answer.isfinite().all():
        name = getattr(model, "name", type(model).__name__)
        raise PhotomendError(f"model {name!r} gives colours that aren't finite numbers; its weights are damaged")
    return torch.where(missing, answer.clamp(0, 1), photos)


def require_hole(masked: Array, mask: Array) -> None:
    """Check what every reconstructor is given.

    Raises:
        TypeError: one of the two isn't floating point, or they are on different devices.
        ValueError: `masked` isn't (N, 3, H, W), `mask` isn't (N, 1, H, W), or a mask has no missing or no known pixel.
    """
    for name, array in (("masked", masked), ("mask", mask)):
        if not array.is_floating_point():
            raise TypeError(f"{name}: {array.dtype} must be floating point")
    if masked.device != mask.device:
        raise TypeError(f"mask: is on {mask.device}, but masked on {masked.device}")
    if masked.ndim != 4 or masked.shape[1] != 3:
        raise ValueError(f"masked: shape {tuple(masked.shape)} must be (N, 3, H, W)")
    n, _, h, w = masked.shape
    if mask.shape != (n, 1, h, w):
        raise ValueError(f"mask: shape {tuple(mask.shape)} must be {(n, 1, h, w)}, as masked is {tuple(masked.shape)}")
    missing = mask.flatten(1) > 0.5
    if not missing.any(dim=1).all():
        raise ValueError("mask: nothing is missing in at least one photo")
    if missing.all(dim=1).any():
        raise ValueError("mask: everything is missing in at least one photo")
