"""How far off a rebuilt hole is likely to be, told from what surrounds it.

Holes that are thick, in photos that are rough or full of contrast, are rebuilt worse than others. The logarithm of a
hole's mean absolute error is fitted by a linear function of the logarithms of three numbers, by least squares, where
the truth is known; the residuals say how far a single hole may be from what is expected of it.

Sources: Bishop, *Pattern recognition and machine learning* (2006), §3.1, for the fit; Vovk, Gammerman & Shafer,
*Algorithmic learning in a random world* (2005), §2.2, for taking the range from the residuals of known holes.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from ..core import Array
from .holes import distance_to_known
from .reconstructor import require_hole

#: Grey levels that are added before logarithms are taken, so that even colours don't give −∞.
LEAST = 0.5
#: Grey levels: where the surroundings are rougher, nothing is expected. The roughest that were fitted to have 35.
ROUGHEST = 40.0
#: Pixels around the hole that count as its surroundings.
RING = 24
#: Of the holes, this share lies within the range that is given.
SHARE = 0.8


@dataclass(frozen=True)
class Expected:
    """The mean absolute error expected in a hole, grey levels, and the range in which SHARE of such holes lie."""

    mae: float
    low: float
    high: float


def overall(expected: Sequence[Expected], areas: Sequence[int]) -> Expected | None:
    """The errors to expect in some holes as one: their means by area, pixels. None without a hole."""
    if not expected:
        return None
    ends = ([getattr(each, end) for each in expected] for end in ("mae", "low", "high"))
    return Expected(*(float(np.average(values, weights=areas)) for values in ends))


@dataclass(frozen=True)
class Calibration:
    """The fit: log(MAE + LEAST) = coefficients · (1, features), and what it leaves over.

    Attributes:
        coefficients: of 1 and the three features.
        mean: of exp(residual): what takes the fitted median to the mean.
        low, high: exp(residual) that a share of (1 − SHARE) / 2 of the holes lies below, and as many above.
    """

    coefficients: tuple[float, ...]
    mean: float
    low: float
    high: float

    def expected(self, features: Array) -> list[Expected | None]:
        """For each row of features (N, 3); None where the fit can't tell.

        That is so in surroundings rougher than any that it was fitted to, such as dithered ones, and where the error
        would be more than one between black and white.
        """
        fitted = np.exp(_design(features) @ np.array(self.coefficients))
        ends = [np.maximum(fitted * factor - LEAST, 0) for factor in (self.mean, self.low, self.high)]
        known = (features[:, 1].exp().cpu().numpy() - LEAST <= ROUGHEST) & (ends[2] <= 255)
        return [Expected(*map(float, row)) if sure else None for *row, sure in zip(*ends, known, strict=True)]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave. Raises ValueError for anything else."""
        try:
            made = cls(tuple(map(float, values["coefficients"])), *(float(values[k]) for k in ("mean", "low", "high")))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"no calibration ({error!s:.200})") from error
        numbers = (*made.coefficients, made.mean, made.low, made.high)
        if len(numbers) != 4 + 3 or not np.isfinite(numbers).all():
            raise ValueError(f"no calibration ({reprlib.repr(values)})")
        return made

    def to_dict(self) -> dict[str, list[float] | float]:
        return asdict(self) | {"coefficients": list(self.coefficients)}


class Calibrations(NamedTuple):
    """Those of a model: of its own answer, and of that drawn anew by `exemplar.TextureFill`; None if it's unknown."""

    own: Calibration | None = None
    natural: Calibration | None = None

    @classmethod
    def from_dicts(cls, *known: Mapping[str, Any]) -> Self:
        """What `to_dict` of both gave, {} where one is unknown. Raises ValueError for anything else."""
        return cls(*(Calibration.from_dict(each) if each else None for each in known))


def features(masked: Array, mask: Array) -> Array:
    """What the error depends on, (N, 3), for photos (N, 3, H, W) in [0, 1] and masks (N, 1, H, W), 1 = missing.

    These are the logarithms of

    - the contrast around the hole, in grey levels plus LEAST: the brightness's standard deviation within RING pixels;
    - its roughness, likewise: the mean difference there between a known pixel and the next, down and across;
    - the hole's thickness: steps from its innermost pixel to a known one.

    Raises:
        ValueError: shapes don't fit, or a mask is empty or covers its photo.
    """
    require_hole(masked, mask)
    near = (distance_to_known(1 - mask) <= RING) & (mask < 0.5)
    grey = 255 * masked.mean(dim=1, keepdim=True)
    contrast = _mean((grey - _mean(grey, near)).square(), near).sqrt()
    # Differences to the next pixel, down and across, where both belong to the surroundings.
    steps = torch.cat([grey.diff(dim=axis).abs().flatten(1) for axis in (2, 3)], dim=1)
    both = [near.narrow(axis, 0, near.shape[axis] - 1) & near.narrow(axis, 1, near.shape[axis] - 1) for axis in (2, 3)]
    roughness = _mean(steps, torch.cat([each.flatten(1) for each in both], dim=1))
    thickness = distance_to_known(mask).amax(dim=(1, 2, 3))
    return torch.stack((contrast.flatten() + LEAST, roughness.flatten() + LEAST, thickness), dim=1).double().log()


def _mean(x: Array, where: Array) -> Array:
    """The mean over the pixels (N, …) that count, of each photo: (N, 1, …, 1); 0 where there are none."""
    dims = tuple(range(1, x.ndim))
    return x.where(where, 0).sum(dim=dims, keepdim=True) / where.sum(dim=dims, keepdim=True).clamp_min(1)


def fit(rows: Array, errors: Sequence[float]) -> Calibration:
    """The calibration for holes with these features (N, 3) and mean absolute errors, grey levels.

    Raises:
        ValueError: fewer holes than a fit of four numbers and a range can be taken from.
    """
    if len(rows) < 50 or len(rows) != len(errors):
        raise ValueError(f"rows ({len(rows)}) and errors ({len(errors)}) must be of the same holes, 50 or more")
    design, target = _design(rows), np.log(np.asarray(errors) + LEAST)
    coefficients, *_ = np.linalg.lstsq(design, target, rcond=None)
    left = np.exp(target - design @ coefficients)
    low, high = np.quantile(left, ((1 - SHARE) / 2, (1 + SHARE) / 2))
    return Calibration(tuple(map(float, coefficients)), float(left.mean()), float(low), float(high))


def _design(rows: Array) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.column_stack((np.ones(len(rows)), rows.cpu().double().numpy()))
