"""In bfloat16 and float16 every primitive's value and gradients are as exact as those of torch's autograd.

The truth is torch's in float64, of the same numbers. What is compared is the norm of the error over several draws, so
that one lucky rounding decides nothing.
"""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Tensor, all_primitives
from photomend.tests.verification.case import Case
from photomend.tests.verification.registry import CASES
from photomend.tests.verification.test_special_values import ours, torchs

PRIMITIVES = all_primitives()
#: How many times torch's error ours may be.
ALLOWED = 1.5
#: Convolutions that add up parts rounded to half precision, as their text says: each tap's, each block's.
IN_PARTS = {
    "scaled_dot_product_attention": 5,
    "conv2d/taps": 1.8,
    "conv2d/im2col in small blocks": 1.8,
    "conv2d/winograd": 1.8,
}
DRAWS = 8


def errors(case: Case, dtype: torch.dtype) -> list[tuple[float, float]]:
    """Ours and torch's error of the value and of each gradient: ‖error‖ over all draws."""
    squares: list[tuple[Array, Array]] = []
    for seed in range(DRAWS):
        generator = torch.Generator().manual_seed(seed)
        inputs = [draw(generator).to(dtype) for draw in case.draws]
        module = case.ours(dtype)
        twin = case.twin(module)
        value = module(*inputs)
        y = value.data if isinstance(value, Tensor) else value
        arrays = [*inputs, torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)]
        found, expected = ours(case.ours(dtype), arrays), torchs(twin, arrays)
        wide = case.ours(dtype).to(dtype=torch.float64)  # the same numbers
        truth = torchs(case.twin(wide), [a.double() for a in arrays])
        both = [
            ((a - t).square().sum(), (b - t).square().sum()) for a, b, t in zip(found, expected, truth, strict=True)
        ]
        squares = [(p + r, q + s) for (p, q), (r, s) in zip(squares, both, strict=True)] if squares else both
    return [(p.sqrt().item(), q.sqrt().item()) for p, q in squares]


@pytest.mark.parametrize("dtype", [torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.exhaustive)], ids=str)
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES.values() if case.subject in PRIMITIVES]
)
def test_an_error_is_no_larger_than_torchs(case: Case, dtype: torch.dtype) -> None:
    allowed = next((times for name, times in IN_PARTS.items() if case.name.startswith(name)), ALLOWED)
    for number, (mine, theirs) in enumerate(errors(case, dtype)):
        what = "value" if number == 0 else f"gradient of input {number - 1}"
        assert mine <= allowed * theirs, f"{what}: {mine:.2e}, torch {theirs:.2e}"
