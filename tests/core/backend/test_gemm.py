"""Matrix products by either library: the same, whatever the layout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from photomend.core import Array
from photomend.core.backend import gemm
from photomend.core.backend.gemm import batch_product, product, product_over_rows
from photomend.core.backend.machine import ONEDNN, ONEDNN_LARGE, TORCH, Machine, using


@pytest.fixture(params=[TORCH, ONEDNN, ONEDNN_LARGE], ids=["torch", "oneDNN", "oneDNN, batches by torch"])
def library(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """As if this machine were described so."""
    if request.param.onednn and gemm.onednn_product() is None:
        pytest.skip("this torch has no oneDNN")
    with using(request.param):
        yield request.param


def numbers(*sizes: int, seed: int) -> Array:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))


def close(ours: Array, exact: Array) -> None:
    torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5 * exact.abs().max().clamp_min(1).item())


@pytest.fixture
def by_onednn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """The sizes of the products that oneDNN is asked for, which are computed without it."""
    asked: list[tuple[int, int, int]] = []

    def watched(a: Array, b: Array, bias: Array | None) -> Array:
        asked.append((*a.shape, b.shape[1]))
        return a @ b if bias is None else a @ b + bias

    monkeypatch.setattr(gemm, "onednn_product", lambda: watched)
    return asked


@pytest.mark.parametrize("machine", [TORCH, ONEDNN, ONEDNN_LARGE])
def test_the_machines_description_decides(machine: Machine, by_onednn: list[tuple[int, int, int]]) -> None:
    a, b = numbers(2, 300, 64, seed=0), numbers(2, 64, 64, seed=1)
    with using(machine):
        close(product(a[0], b[0]), a[0].double() @ b[0].double())
        assert by_onednn == [(300, 64, 64)] * machine.onednn
        by_onednn.clear()
        close(batch_product(a, b), a.double() @ b.double())
        assert by_onednn == [(300, 64, 64)] * 2 * machine.onednn_batches


@pytest.mark.parametrize(("n", "k", "m"), [(256, 64, 64), (255, 64, 64), (256, 63, 64), (256, 64, 63)])
def test_small_products_cost_more_by_onednn(n: int, k: int, m: int, by_onednn: list[tuple[int, int, int]]) -> None:
    with using(ONEDNN):
        product(numbers(n, k, seed=0), numbers(k, m, seed=1))
        batch_product(numbers(3, n, k, seed=0), numbers(3, k, m, seed=1))
    assert len(by_onednn) == (4 if n * k * m == gemm.FEWEST else 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_onednn_is_asked_for_float32_only(dtype: torch.dtype, by_onednn: list[tuple[int, int, int]]) -> None:
    a, b = numbers(300, 64, seed=0).to(dtype), numbers(64, 64, seed=1).to(dtype)
    with using(ONEDNN):
        assert torch.equal(product(a, b), torch.mm(a, b))
        assert torch.equal(batch_product(a[None], b[None]), torch.bmm(a[None], b[None]))
    assert by_onednn == []


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (5, 3, 4), (36, 36, 900), (400, 64, 48)])
@pytest.mark.parametrize("a_layout", ["plain", "transposed", "part"])
@pytest.mark.parametrize("b_layout", ["plain", "transposed", "part"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_product(library: Machine, n: int, k: int, m: int, a_layout: str, b_layout: str, with_bias: bool) -> None:
    def laid_out(layout: str, rows: int, columns: int, seed: int) -> Array:
        if layout == "transposed":
            return numbers(columns, rows, seed=seed).mT
        if layout == "part":
            return numbers(rows + 2, columns + 3, seed=seed)[1:-1, 2:-1]
        return numbers(rows, columns, seed=seed)

    a, b, bias = laid_out(a_layout, n, k, 0), laid_out(b_layout, k, m, 1), numbers(m, seed=2) if with_bias else None
    kept = a.clone(), b.clone()
    exact = a.double() @ b.double() + (0 if bias is None else bias.double())
    close(product(a, b, bias), exact)
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


@pytest.mark.parametrize(("n", "k", "m"), [(4, 3, 5), (300, 64, 64)])  # below and above FEWEST
@pytest.mark.parametrize("turned", [False, True])
def test_batch_product(library: Machine, n: int, k: int, m: int, turned: bool) -> None:
    a = numbers(36, k, n, seed=0).mT if turned else numbers(36, n, k, seed=0)
    b = numbers(36, k, m, seed=1)
    close(torch.stack(list(batch_product(a, b))), a.double() @ b.double())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(library: Machine, dtype: torch.dtype) -> None:
    a, b = numbers(6, 5, seed=0).to(dtype), numbers(5, 4, seed=1).to(dtype)
    assert torch.equal(product(a, b), torch.mm(a, b))


@pytest.mark.parametrize(("n", "k", "m"), [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_nothing_to_multiply(library: Machine, n: int, k: int, m: int) -> None:
    assert torch.equal(product(torch.ones(n, k), torch.ones(k, m)), torch.zeros(n, m))


def test_a_torch_in_which_it_is_called_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then every product is torch.mm's."""
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None, raising=False)
    monkeypatch.setattr(gemm, "FEWEST", 0)
    gemm.onednn_product.cache_clear()
    a, b = numbers(2, 3, 4, seed=0), numbers(2, 4, 5, seed=1)
    try:
        assert gemm.onednn_product() is None
        with using(ONEDNN):
            assert torch.equal(product(a[0], b[0]), torch.mm(a[0], b[0]))
            assert torch.equal(batch_product(a, b), torch.bmm(a, b))
    finally:
        gemm.onednn_product.cache_clear()


def test_a_product_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        default = staticmethod(lambda a, b, bias, *_: a @ b.mT)

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", Wrong, raising=False)
    gemm.onednn_product.cache_clear()
    try:
        assert gemm.onednn_product() is None
    finally:
        gemm.onednn_product.cache_clear()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("n", "k", "m"), [(5, 3, 4), (400, 64, 48)])
def test_a_product_goes_where_it_is_wanted(library: Machine, n: int, k: int, m: int, with_bias: bool) -> None:
    a, b, bias = numbers(n, k, seed=0), numbers(k, m, seed=1), numbers(m, seed=2) if with_bias else None
    whole = torch.full((n + 2, m), torch.nan)
    found = product(a, b, bias, out=whole[1:-1])
    assert found.data_ptr() == whole[1:].data_ptr()
    close(whole[1:-1], a.double() @ b.double() + (0 if bias is None else bias.double()))
    assert whole[[0, -1]].isnan().all()


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 100, 2047, 2048, 2051])
@pytest.mark.parametrize(("m", "n"), [(3, 5), (5, 3), (130, 130)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_product_over_rows(library: Machine, rows: int, m: int, n: int, dtype: torch.dtype) -> None:
    a, b = numbers(rows, m, seed=0).to(dtype), numbers(rows, n, seed=1).to(dtype)
    exact = a.double().mT @ b.double()
    found = product_over_rows(a, b)
    assert found.dtype == dtype
    assert found.is_contiguous()
    tolerance = 1e-2 if dtype == torch.bfloat16 else 1e-5
    assert (found.double() - exact).abs().max() <= tolerance * exact.abs().max()


def test_a_sum_over_many_rows_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the result is small, and by a fixed number, whatever the threads."""
    seen = []
    bmm = torch.bmm

    def watched(a: Array, b: Array) -> Array:
        seen.append(tuple(a.shape))
        return bmm(a, b)

    monkeypatch.setattr(torch, "bmm", watched)
    for rows, m, n in ((2048, 128, 128), (2047, 128, 128), (2048, 129, 128), (4100, 6, 5)):
        product_over_rows(numbers(rows, m, seed=0), numbers(rows, n, seed=1))
    assert seen == [(8, 128, 256), (8, 5, 512)]
    wide = numbers(2048, 512, seed=0).bfloat16()
    product_over_rows(wide, wide)
    assert seen[2:] == [(8, 512, 256)]


def test_onednn_is_given_no_matrix_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's tap is every ninth number of the weights."""
    given = []

    def watched(a: Array, b: Array, bias: Array | None) -> Array:
        given.append(b.stride())
        return a @ b

    monkeypatch.setattr(gemm, "onednn_product", lambda: watched)
    monkeypatch.setattr(gemm, "FEWEST", 0)
    weights = torch.arange(4 * 5 * 9.0).reshape(4, 5, 9)[:, :, 3]
    wide = torch.cat((weights, weights), dim=1)[:, :5]
    for b in (weights, wide, weights.contiguous(), weights.contiguous().mT.contiguous().mT):
        with using(ONEDNN):
            assert torch.equal(product(torch.eye(4), b), weights)
    assert given == [(5, 1), (5, 1), (5, 1), (1, 4)]
