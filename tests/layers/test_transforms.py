"""Winograd's F(4, 3): the matrices give the convolution, and the additions are the matrices."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photomend.core import Array
from photomend.layers.convolution.transforms import (
    AT,
    BT,
    G24,
    input_to_points,
    matrices,
    points_to_output,
    tile_matrices,
)

CPU = torch.device("cpu")
whole = st.integers(-50, 50)


def numbers(*sizes: int) -> Array:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(deadline=None, derandomize=True)
@given(d=st.lists(whole, min_size=6, max_size=6), g=st.lists(whole, min_size=3, max_size=3))
def test_four_outputs_from_six_products(d: list[int], g: list[int]) -> None:
    """In whole numbers, so exactly."""
    at_points = [
        sum(row[j] * g[j] for j in range(3)) * sum(b * x for b, x in zip(bt, d, strict=True))
        for row, bt in zip(G24, BT, strict=True)
    ]
    found = [sum(a * m for a, m in zip(row, at_points, strict=True)) for row in AT]
    assert found == [24 * sum(g[j] * d[k + j] for j in range(3)) for k in range(4)]


@settings(deadline=None, derandomize=True)
@given(ȳ=st.lists(whole, min_size=4, max_size=4), g=st.lists(whole, min_size=3, max_size=3))
def test_a_product_of_polynomials_from_its_values_at_six_points(ȳ: list[int], g: list[int]) -> None:
    """The adjoint: B [(G g) ⊙ (A ȳ)]."""
    at_points = [
        sum(row[j] * g[j] for j in range(3)) * sum(AT[k][i] * ȳ[k] for k in range(4)) for i, row in enumerate(G24)
    ]
    coefficients = [sum(BT[i][m] * at_points[i] for i in range(6)) for m in range(6)]
    expected = [0] * 6
    for (k, y), (j, w) in itertools.product(enumerate(ȳ), enumerate(g)):
        expected[k + j] += 24 * y * w
    assert coefficients == expected


@pytest.mark.parametrize(
    ("transform", "matrix"), [(input_to_points, BT), (points_to_output, AT)], ids=["input", "output"]
)
def test_the_additions_are_the_matrix(transform: Callable[..., None], matrix: tuple[tuple[int, ...], ...]) -> None:
    given, into = numbers(6, 3, 2), torch.full((len(matrix), 3, 2), torch.nan, dtype=torch.float64)
    kept = given.clone()
    transform(given.unbind(), into.unbind())
    expected = torch.einsum("ij,jkl->ikl", torch.tensor(matrix).double(), given)
    torch.testing.assert_close(into, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(given, kept)


@pytest.mark.parametrize("transform", [input_to_points, points_to_output], ids=["input", "output"])
def test_results_are_written_where_they_are_wanted(transform: Callable[..., None]) -> None:
    """Between other numbers, which stay as they are."""
    rows = 6 if transform is input_to_points else 4
    plain, into = torch.empty(rows, 4, dtype=torch.float64), torch.zeros(rows, 4, 2, dtype=torch.float64)
    given = numbers(6, 4).unbind()
    transform(given, plain.unbind())
    transform(given, into[..., 1].unbind())
    assert torch.equal(into[..., 1], plain)
    assert not into[..., 0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_matrices_as_arrays(dtype: torch.dtype) -> None:
    g, bt, at = matrices(dtype, CPU)
    assert {m.dtype for m in (g, bt, at)} == {dtype}
    torch.testing.assert_close(g.double(), torch.tensor(G24).double() / 24, rtol=torch.finfo(dtype).eps, atol=0)
    assert bt.tolist() == [list(row) for row in BT]
    assert at.tolist() == [list(row) for row in AT]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiles_are_transformed_along_rows_and_columns(dtype: torch.dtype) -> None:
    """(M ⊗ M) of a tile is M · tile · Mᵀ."""
    for one, both in zip(matrices(torch.float64, CPU), tile_matrices(dtype, CPU), strict=True):
        assert both.dtype == dtype
        tile = numbers(one.shape[1], one.shape[1])
        found = (both.double() @ tile.flatten()).view(len(one), len(one))
        torch.testing.assert_close(
            found, one @ tile @ one.mT, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=1e-5
        )
        assert torch.equal(both, torch.kron(one, one).to(dtype))


def test_arrays_made_in_inference_mode_serve_outside_of_it() -> None:
    for made in (matrices, tile_matrices):
        made.cache_clear()
        with torch.inference_mode():
            inside = made(torch.float64, CPU)
        assert not any(m.is_inference() for m in inside)
        assert made(torch.float64, CPU) is inside
