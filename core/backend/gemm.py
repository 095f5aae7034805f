"""Matrix products.

`torch.mm` leaves a float32 product on a CPU to the library that torch was built with, which is Intel's MKL in its usual
builds. On processors of other makers MKL doesn't use the widest instructions: on two cores of an AMD EPYC with AVX-512,
2048 × 2048 matrices were multiplied at 223 GFLOP/s. torch has a second library aboard, oneDNN, which did 470 there. So
`product` asks oneDNN where that is so, and `torch.mm` everywhere else; both give the same up to rounding.

AMD's Zen 4 computes 512 bits in two halves, and there MKL loses little: 190 GFLOP/s against oneDNN's 213. oneDNN is
still the better one for single products, but a batch of small ones MKL multiplies in one call: 16 blocks of 36 products
of 392×64 and 64×64 matrices in 13 ms, where oneDNN one by one took 23.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch

from ..tape import Array
from .workspace import output

#: Multiplications of one product. Measured from 2¹² to 2²⁸ with 16 to 256 columns on one thread: from here on oneDNN
#: was about as fast or faster, up to 2.5 times; below, calling it cost more than it saved.
FEWEST = 2**20

#: AMD's number for the family of Zen 5, whose units are 512 bits wide (but for some in laptops, not told apart here).
_ZEN5 = 26

#: (a, b, bias or None) → a · b + bias
_Product = Callable[[Array, Array, Array | None], Array]


def product(a: Array, b: Array, bias: Array | None = None, out: Array | None = None) -> Array:
    """a · b, plus `bias` (m,) in every row: (n, k) and (k, m) to (n, m), in `out` or in a new array."""
    if (onednn := _onednn_for(a, b)) is not None:
        # Of a matrix with gaps, such as every ninth number of another, oneDNN's product took 90 times as long.
        dense = b.is_contiguous() or b.mT.is_contiguous()
        found = onednn(a, b if dense else b.contiguous(), bias)
        return found if out is None else out.copy_(found)
    y = output((len(a), b.shape[1]), a) if out is None else out
    return torch.mm(a, b, out=y) if bias is None else torch.addmm(bias, a, b, out=y)


def batch_product(a: Array, b: Array) -> Array | list[Array]:
    """a · b for batches (B, n, k) and (B, k, m): (B, n, m), or the B matrices (n, m) one by one, as the library gives
    them: laying them side by side would be a copy that not everybody needs."""
    onednn = None if batches_by_mkl() else _onednn_for(a, b)
    if onednn is not None and a.is_contiguous():  # it would copy a first, and then be no faster
        return [onednn(a_, b_, None) for a_, b_ in zip(a, b, strict=True)]
    return torch.bmm(a, b, out=output((len(a), a.shape[1], b.shape[2]), a))


def _onednn_for(a: Array, b: Array) -> _Product | None:
    """oneDNN's product where it is the better choice for these arrays."""
    if a.dtype != torch.float32 or a.device.type != "cpu":
        return None
    return _onednn() if a.shape[-2:].numel() * b.shape[-1] >= FEWEST else None


def has_onednn() -> bool:
    """Whether large float32 products on a CPU are oneDNN's here."""
    return _onednn() is not None


def batches_by_mkl() -> bool:
    """Whether single products are oneDNN's here, but a batch of small ones is faster in one call of MKL's."""
    vendor, family = _processor()
    return has_onednn() and vendor == "AuthenticAMD" and family < _ZEN5


@functools.cache
def _onednn() -> _Product | None:
    """oneDNN's product, on an x86 processor that has AVX-512 and isn't Intel's, where this torch has it.

    torch names the operation after the layer that it serves, x Wᵀ + b; there is no other door to this product.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or _processor()[0] in ("GenuineIntel", ""):
        return None
    try:
        linear = torch.ops.mkldnn._linear_pointwise.default

        def onednn(a: Array, b: Array, bias: Array | None) -> Array:
            return linear(a, b.mT, bias, "none", [], "")

        works = onednn(torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)).equal(torch.full((2, 4), 4.0))
    except (AttributeError, RuntimeError):  # a torch without oneDNN, or one in which it is called otherwise
        return None
    return onednn if works else None


@functools.cache
def _processor() -> tuple[str, int]:
    """The processor's maker and its number for the family, as Linux gives them, or "" and 0."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", 0
    parted = [line.partition(":") for line in reversed(lines)]  # the first core's lines overwrite the others'
    named = {name.strip(): value.strip() for name, _, value in parted}
    family = named.get("cpu family", "")
    return named.get("vendor_id", ""), int(family) if family.isdecimal() else 0
