"""Expected errors: features by hand, a fit that finds what made the errors, and ranges that hold their share."""

from __future__ import annotations

import math

import pytest
import torch
from photomend.models.calibration import LEAST, Calibration, features, fit


def test_features_by_hand() -> None:
    photo = torch.full((1, 3, 30, 30), 100 / 255)
    photo[..., 15:] = 140 / 255
    mask = torch.zeros(1, 1, 30, 30)
    mask[:, :, 10:20, 10:20] = 1
    contrast, roughness, thickness = features(photo * (1 - mask), mask)[0].exp()
    # The surroundings are all known pixels: as many on either side; each row has one step of 40, where both are known.
    assert contrast.item() - LEAST == pytest.approx(20, rel=1e-4)
    pairs = 2 * (20 * 29 + 10 * 18)  # across, and as many down
    assert roughness.item() - LEAST == pytest.approx(20 * 40 / pairs, rel=1e-4)
    assert thickness.item() == pytest.approx(5)


def test_what_is_missing_is_never_looked_at() -> None:
    photo = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:20, 8:20] = 1
    assert torch.equal(features(photo, mask), features(photo * (1 - mask), mask))


def test_far_pixels_do_not_count() -> None:
    photo = torch.zeros(1, 3, 20, 100)
    photo[..., 60:] = 1
    mask = torch.zeros(1, 1, 20, 100)
    mask[..., 5:15, 5:15] = 1
    assert features(photo, mask)[0, 0].item() == pytest.approx(math.log(LEAST))


def test_a_single_known_pixel_is_enough() -> None:
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 0, 0] = 0
    assert features(torch.rand(1, 3, 8, 8), mask).isfinite().all()


def drawn(count: int, seed: int) -> tuple[torch.Tensor, list[float]]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 3, generator=generator, dtype=torch.float64).clamp(-3, 3)
    noise = 0.3 * torch.randn(count, generator=generator, dtype=torch.float64)
    logs = 2 + rows @ torch.tensor([0.5, 0.25, -0.1], dtype=torch.float64) + noise
    return rows, (logs.exp() - LEAST).clamp_min(0).tolist()


def test_the_fit_finds_what_made_the_errors() -> None:
    calibration = fit(*drawn(5000, seed=0))
    assert calibration.coefficients == pytest.approx((2, 0.5, 0.25, -0.1), abs=0.02)
    rows, errors = drawn(5000, seed=1)
    expected = [each for each in calibration.expected(rows) if each is not None]
    inside = sum(e.low <= error <= e.high for e, error in zip(expected, errors, strict=True))
    assert inside / 5000 == pytest.approx(0.8, abs=0.02)
    assert sum(e.mae for e in expected) == pytest.approx(sum(errors), rel=0.02)
    assert all(0 <= e.low < e.mae < e.high for e in expected)


def test_nothing_is_expected_in_what_is_rougher_than_photos_or_beyond_black_and_white() -> None:
    calibration = Calibration((0.0, 0.0, 1.0, 1.0), 1.0, 0.5, 2.0)
    rows = torch.tensor([[50, 39 + LEAST, 3], [50, 41 + LEAST, 3], [50, 39 + LEAST, 4]], dtype=torch.float64)
    known, rough, beyond = calibration.expected(rows.log())  # the last of up to 2 · 39.5 · 4 levels
    assert known is not None
    assert known.mae == pytest.approx(3 * 39.5 - LEAST)
    assert rough is None
    assert beyond is None


def test_it_survives_a_checkpoint() -> None:
    calibration = fit(*drawn(60, seed=0))
    given = calibration.to_dict()
    assert Calibration.from_dict(given) == calibration
    for damaged in (
        *({}, given | {"coefficients": 1.0}, given | {"coefficients": [1.0]}, given | {"coefficients": "abcd"}),
        *(given | {"mean": None}, given | {"low": "x"}, given | {"high": float("nan")}, given | {"mean": 10**400}),
        *(given | {"low": "x" * 10**5}, given | {"coefficients": [1.0] * 10**5}),
    ):
        with pytest.raises(ValueError, match="no calibration") as error:
            Calibration.from_dict(damaged)
        assert len(str(error.value)) < 1000


def test_too_few_holes_are_refused() -> None:
    rows, errors = drawn(49, seed=0)
    with pytest.raises(ValueError, match=r"rows \(49\) and errors \(49\)"):
        fit(rows, errors)
    with pytest.raises(ValueError, match="of the same holes"):
        fit(drawn(60, seed=0)[0], errors)
