"""Matrix products by either library: the same, whatever the layout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from photomend.core import Array
from photomend.core.backend import gemm
from photomend.core.backend.gemm import batch_product, product

#: Processors with AVX-512: Zen 5, Zen 4, and one of Intel's.
PROCESSORS = [("AuthenticAMD", 26), ("AuthenticAMD", 25), ("GenuineIntel", 6)]


@pytest.fixture(params=PROCESSORS, ids=["Zen 5", "Zen 4", "Intel"])
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """As if this processor were that one."""
    monkeypatch.setattr(gemm, "_processor", lambda: request.param)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    gemm._onednn.cache_clear()
    if request.param[0] == "AuthenticAMD" and gemm._onednn() is None:
        pytest.skip("this torch has no oneDNN")
    yield request.param
    gemm._onednn.cache_clear()


def numbers(*sizes: int, seed: int) -> Array:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))


def close(ours: Array, exact: Array) -> None:
    torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5 * exact.abs().max().clamp_min(1).item())


def test_the_processor_decides(processor: tuple[str, int]) -> None:
    decided = gemm.has_onednn(), gemm.batches_by_mkl()
    assert decided == {26: (True, False), 25: (True, True), 6: (False, False)}[processor[1]]


def test_batches_go_one_by_one_only_where_onednn_is_far_ahead(processor: tuple[str, int]) -> None:
    found = batch_product(numbers(3, 300, 64, seed=0), numbers(3, 64, 64, seed=1))
    assert isinstance(found, list) == (processor[1] == 26)


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (5, 3, 4), (36, 36, 900), (400, 64, 48)])
@pytest.mark.parametrize("a_layout", ["plain", "transposed", "part"])
@pytest.mark.parametrize("b_layout", ["plain", "transposed", "part"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_product(
    processor: tuple[str, int], n: int, k: int, m: int, a_layout: str, b_layout: str, with_bias: bool
) -> None:
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
def test_batch_product(processor: tuple[str, int], n: int, k: int, m: int, turned: bool) -> None:
    a = numbers(36, k, n, seed=0).mT if turned else numbers(36, n, k, seed=0)
    b = numbers(36, k, m, seed=1)
    close(torch.stack(list(batch_product(a, b))), a.double() @ b.double())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(processor: tuple[str, int], dtype: torch.dtype) -> None:
    a, b = numbers(6, 5, seed=0).to(dtype), numbers(5, 4, seed=1).to(dtype)
    assert torch.equal(product(a, b), torch.mm(a, b))


@pytest.mark.parametrize(("n", "k", "m"), [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_nothing_to_multiply(processor: tuple[str, int], n: int, k: int, m: int) -> None:
    assert torch.equal(product(torch.ones(n, k), torch.ones(k, m)), torch.zeros(n, m))


def test_a_torch_in_which_it_is_called_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then every product is torch.mm's."""
    monkeypatch.setattr(gemm, "_processor", lambda: ("AuthenticAMD", 26))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None, raising=False)
    gemm._onednn.cache_clear()
    try:
        assert gemm._onednn() is None
        close(
            product(numbers(3, 4, seed=0), numbers(4, 2, seed=1)),
            numbers(3, 4, seed=0).double() @ numbers(4, 2, seed=1).double(),
        )
    finally:
        gemm._onednn.cache_clear()


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\n\ncpu family\t: 6\n", ("AuthenticAMD", 25)),
        ("processor\t: 0\nBogoMIPS\t: 48.00\nCPU implementer\t: 0x41\n", ("", 0)),  # ARM
        ("vendor_id\t: GenuineIntel\ncpu family\t: unknown\n", ("GenuineIntel", 0)),
        (None, ("", 0)),
    ],
)
def test_what_linux_says_of_the_processor(
    told: str | None, read: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_text(*_: object, **__: object) -> str:
        if told is None:
            raise FileNotFoundError
        return told

    monkeypatch.setattr("pathlib.Path.read_text", read_text)
    assert gemm._processor.__wrapped__() == read


def test_onednn_is_given_no_matrix_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's tap is every ninth number of the weights."""
    given = []

    def watched(a: Array, b: Array, bias: Array | None) -> Array:
        given.append(b.stride())
        return a @ b

    monkeypatch.setattr(gemm, "_onednn_for", lambda a, b: watched)
    weights = torch.arange(4 * 5 * 9.0).reshape(4, 5, 9)[:, :, 3]
    wide = torch.cat((weights, weights), dim=1)[:, :5]
    for b in (weights, wide, weights.contiguous(), weights.contiguous().mT.contiguous().mT):
        assert torch.equal(product(torch.eye(4), b), weights)
    assert given == [(5, 1), (5, 1), (5, 1), (1, 4)]
