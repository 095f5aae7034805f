"""What one number reaches in a convolution, and in interpolation: NaN and infinities what sees them, huge numbers
little beyond."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend.core import Array
from photomend.layers import conv2d, upsample_bilinear
from photomend.layers.convolution.choose import ALGORITHMS, only

SPECIAL = {"NaN": torch.nan, "∞": torch.inf, "−∞": -torch.inf}
WINOGRADS = ["winograd", "winograd-rows"]
#: The rounding that X leaves in outputs of its tile that don't see it, over ε · |X| · Σ|w|; measured: 4.4 and 0.9.
BOUND = {"winograd": 8, "winograd-rows": 2}


def drawn(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Array:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def directions(name: str, x: Array, w: Array, ȳ: Array, **options: Any) -> dict[str, Array]:
    with only(name):
        y, pullback = conv2d.rule(x, w, None, **options)
        gradients: Any = pullback(ȳ)
        return {"y": y, "x̄": gradients[0](), "w̄": gradients[1]()}


def by_torch(x: Array, w: Array, ȳ: Array, **options: Any) -> dict[str, Array]:
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    y = F.conv2d(x, w, **options)
    x̄, w̄ = torch.autograd.grad(y, (x, w), ȳ)
    return {"y": y.detach(), "x̄": x̄, "w̄": w̄}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("place", [(0, 0), (20, 17), (39, 39), (3, 21)])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_is_not_finite_reaches_what_sees_it(
    name: str, place: tuple[int, int], value: float, dtype: torch.dtype
) -> None:
    """In an image of 40×40, a pixel inside is seen by nine outputs."""
    x, w, ȳ = (drawn(*s, seed=i, dtype=dtype) for i, s in enumerate(((2, 4, 40, 40), (5, 4, 3, 3), (2, 5, 40, 40))))
    plain = by_torch(x, w, ȳ, padding=1)
    x[1, 2, *place] = value
    found, expected = directions(name, x, w, ȳ, padding=1), by_torch(x, w, ȳ, padding=1)
    assert torch.equal(found["y"].nan_to_num(1e9, 2e9, -2e9) > 5e8, expected["y"].nan_to_num(1e9, 2e9, -2e9) > 5e8)
    torch.testing.assert_close(found["y"], expected["y"], equal_nan=True, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["x̄"], plain["x̄"], rtol=1e-4, atol=1e-4)
    if min(place) > 0 and max(place) < 39:
        assert (~found["y"].isfinite()).sum() == 9 * 5
    torch.testing.assert_close(found["w̄"], expected["w̄"], equal_nan=True, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_nan_in_a_row_that_only_the_last_output_of_a_tile_sees(name: str) -> None:
    x, w, ȳ = drawn(1, 4, 14, 10, seed=0), drawn(5, 4, 3, 3, seed=1), drawn(1, 5, 12, 8, seed=2)
    x[0, 1, 13, 6] = torch.nan
    found, expected = directions(name, x, w, ȳ), by_torch(x, w, ȳ)
    assert found["y"].isnan().sum() == 3 * 5
    torch.testing.assert_close(found["y"], expected["y"], equal_nan=True, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("place", [(0, 0), (20, 17), (39, 39)])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_gradients_of_what_is_not_finite(name: str, place: tuple[int, int], value: float) -> None:
    x, w, ȳ = drawn(2, 4, 40, 40, seed=0), drawn(5, 4, 3, 3, seed=1), drawn(2, 5, 40, 40, seed=2)
    ȳ[0, 3, *place] = value
    found, expected = directions(name, x, w, ȳ, padding=1), by_torch(x, w, ȳ, padding=1)
    torch.testing.assert_close(found["x̄"], expected["x̄"], equal_nan=True, rtol=1e-4, atol=1e-4)
    others = [0, 1, 2, 4]
    torch.testing.assert_close(found["w̄"][others], expected["w̄"][others], rtol=1e-4, atol=1e-3)
    assert not found["w̄"][3].isfinite().any() or min(place) == 0 or max(place) == 39


@pytest.mark.parametrize("name", ALGORITHMS)
def test_numbers_that_only_the_transforms_overflow(name: str) -> None:
    """Winograd's transform multiplies a pixel by up to 25, which 10³⁸ does not stand."""
    x, w, ȳ = drawn(1, 2, 12, 12, seed=0), drawn(2, 2, 3, 3, seed=1) / 10, drawn(1, 2, 12, 12, seed=2)
    x[0, 0, 5, 6] = 1e38
    found, expected = directions(name, x, w, ȳ, padding=1), by_torch(x, w, ȳ, padding=1)
    for direction in ("y", "x̄"):
        torch.testing.assert_close(found[direction], expected[direction], rtol=1e-4, atol=1e-4)


def test_a_weight_that_is_not_finite_makes_outputs_at_the_edge_nan() -> None:
    """Padding is a 0 that is multiplied like any other; torch leaves it out."""
    x, w = drawn(1, 2, 6, 6, seed=0), drawn(3, 2, 3, 3, seed=1)
    w[1, 0, 0, 0] = torch.inf
    y, theirs = conv2d(x, w, padding=1), F.conv2d(x, w, padding=1)
    seeing_padding = torch.ones(6, 6, dtype=torch.bool)
    seeing_padding[1:, 1:] = False
    assert y[0, 1][seeing_padding].isnan().all()
    assert torch.equal(y[0, 1][~seeing_padding], theirs[0, 1][~seeing_padding])
    torch.testing.assert_close(y[0, [0, 2]], theirs[0, [0, 2]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_same_input_gives_the_same_bits(name: str) -> None:
    x, w, ȳ = drawn(2, 4, 21, 18, seed=0), drawn(5, 4, 3, 3, seed=1), drawn(2, 5, 21, 18, seed=2)
    for value in (1.0, torch.nan):
        x[1, 0, 4, 4] = value
        first, second = (directions(name, x, w, ȳ, padding=1) for _ in range(2))
        for direction in first:
            assert torch.equal(first[direction].nan_to_num(), second[direction].nan_to_num())


@pytest.mark.parametrize("size", [1e3, 1e7, 1e12])
@pytest.mark.parametrize("name", WINOGRADS)
def test_a_huge_pixel_leaves_no_more_than_its_rounding_and_only_in_its_tile(name: str, size: float) -> None:
    x, w, ȳ = drawn(1, 4, 40, 40, seed=0), drawn(5, 4, 3, 3, seed=1), drawn(1, 5, 40, 40, seed=2)
    plain = directions(name, x, w, ȳ, padding=1)
    for row, column in ((0, 0), (20, 17), (21, 18), (22, 19), (23, 20), (39, 39)):
        for planted, result, weights in ((x, "y", w.abs().sum((1, 2, 3))), (ȳ, "x̄", w.abs().sum((0, 2, 3)))):
            kept, planted[0, 2, row, column] = planted[0, 2, row, column].item(), size
            found = directions(name, x, w, ȳ, padding=1)[result]
            planted[0, 2, row, column] = kept
            off = (found - plain[result]).abs()[0] / (torch.finfo(torch.float32).eps * size * weights[:, None, None])
            off[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 0
            assert off.max() <= BOUND[name]
            tiles = [range(4 * ((p - 4) // 4), 4 * ((p + 5) // 4 + 1)) for p in (row, column)]
            rows, columns = ([i for i in range(40) if i in tile] for tile in tiles)
            off[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 0
            assert not off.any()


@pytest.mark.parametrize("values", [(v,) for v in SPECIAL.values()] + [(torch.inf, -torch.inf)], ids=str)
def test_interpolation_spreads_what_is_not_finite_to_where_it_has_a_weight(values: tuple[float, ...]) -> None:
    """Inside the image and with a factor of 2 torch, too, gives no pixel the weight 0."""
    x, ȳ = drawn(2, 2, 6, 7, seed=0), drawn(2, 2, 12, 14, seed=1)
    for i, value in enumerate(values):
        x[1, 0, 2 + i, 3] = ȳ[0, 1, 5, 6 + i] = value
    leaf = x.clone().requires_grad_()
    theirs = F.interpolate(leaf, scale_factor=2, mode="bilinear")
    theirs.backward(ȳ)
    y, pullback = upsample_bilinear.rule(x, scale_factor=2)
    torch.testing.assert_close(y, theirs.detach(), equal_nan=True)
    torch.testing.assert_close(pullback(ȳ), leaf.grad, equal_nan=True)
