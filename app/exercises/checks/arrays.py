"""The exercises that are rules: the arrays each is asked with, and the mistakes that only it can make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ....core import Array
from ....layers import conv2d as our_conv2d
from ....layers import cross_entropy as our_cross_entropy
from ....layers import gelu as our_gelu
from ....layers import max_pool2d as our_max_pool2d
from ....layers import softmax as our_softmax
from ..failure import AnswerError
from . import image_variants, variants
from .rules import bind, check_rule, draw

Given = Mapping[str, Any]


def _broadcast_add(given: Given) -> Iterator[str]:
    add = given["add"]
    for a, b in (((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 3), (2, 1)), ((3, 2), (3, 2)), ((2, 3), ())):
        yield check_rule(add, draw(*a), draw(*b, seed=1), value=torch.add, variants=variants.ADD)


def _multiply_divide(given: Given) -> Iterator[str]:
    a, b = draw(3, 4), draw(3, 4, seed=1)
    b = b + 0.6 * b.sign()  # a quotient must stay away from 0
    yield check_rule(given["multiply"], a, b, value=torch.mul)
    yield check_rule(given["divide"], a, b, value=torch.div)


def _linear(given: Given) -> Iterator[str]:
    def value(x: Array, w: Array, b: Array) -> Array:
        return x @ w.mT + b

    # A square matrix first, for which a forgotten transpose is no matter of shapes.
    for n, i, o in ((2, 3, 3), (4, 3, 2)):
        arrays = draw(n, i), draw(o, i, seed=1), draw(o, seed=2)
        yield check_rule(given["linear"], *arrays, value=value, variants=variants.LINEAR)


def _relu_gelu(given: Given) -> Iterator[str]:
    yield check_rule(given["relu"], draw(3, 4), value=lambda x: x.clamp(min=0))
    yield check_rule(given["gelu"], draw(3, 4), value=_value_of(our_gelu), variants=variants.GELU)


def _softmax(given: Given) -> Iterator[str]:
    softmax = given["softmax"]
    yield check_rule(softmax, draw(4, 3), value=_value_of(our_softmax, dim=-1), variants=variants.SOFTMAX)
    large = torch.tensor([[1000.0, 999.0, -1000.0]], dtype=torch.float64)
    _require_finite("softmax", softmax(large)[0], our_softmax(large, dim=-1), "the logits [1000, 999, -1000]", "e")
    yield "softmax: logits of 1000 don't overflow"


def _cross_entropy(given: Given) -> Iterator[str]:
    cross_entropy, labels = given["cross_entropy"], torch.tensor([2, 0, 1, 2])
    yield check_rule(
        cross_entropy, draw(4, 3), labels, value=_value_of(our_cross_entropy), variants=variants.CROSS_ENTROPY
    )
    large, label = torch.tensor([[1000.0, 0.0, -1000.0]], dtype=torch.float64), torch.tensor([1])
    y, pullback = cross_entropy(large, label)
    where = "the logits [1000, 0, -1000]"
    _require_finite("cross_entropy", y, our_cross_entropy(large, label), where, "log_p")
    gradient = pullback(torch.ones((), dtype=torch.float64))
    gradient = gradient[0] if isinstance(gradient, tuple | list) else gradient
    expected = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    _require_finite("cross_entropy", gradient, expected, f"the gradient at {where}", "x̄")
    yield "cross_entropy: logits of 1000 don't overflow"


def _require_finite(name: str, got: Array, expected: Array, where: str, target: str) -> None:
    if got.shape == expected.shape and bool(torch.allclose(got, expected)):
        return
    raise AnswerError(
        name,
        "value",
        target,
        f"{name}: at {where} the result is {got.tolist()}, not {expected.tolist()}",
        "overflow: e¹⁰⁰⁰ is more than a float holds, and ln 0 is −∞. Take the largest logit away before exp, and don't "
        "take the logarithm of a softmax"
        if not bool(got.isfinite().all())
        else "something is lost at large logits: a clamp, or an ε inside the logarithm?",
    )


def _layer_norm(given: Given) -> Iterator[str]:
    def value(x: Array, γ: Array, β: Array, eps: float) -> Array:
        centred = x - x.mean(-1, keepdim=True)
        return γ * centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() + β

    # A large ε shows where it stands; a small one is the usual case.
    for eps in (1e-2, 1e-5):
        arrays = draw(4, 3), draw(3, seed=1), draw(3, seed=2)
        yield check_rule(given["layer_norm"], *arrays, value=value, eps=eps)


def _conv_pool(given: Given) -> Iterator[str]:
    conv2d = given["conv2d"]
    for size, kernel, stride, padding in (((4, 5), 3, 1, 0), ((4, 5), 3, 1, 1), ((5, 6), 3, 2, 1), ((5, 5), 2, 3, 0)):
        x, w = draw(2, 2, *size), draw(3, 2, kernel, kernel, seed=1)
        value = _value_of(our_conv2d, stride=stride, padding=padding)
        told = check_rule(
            bind(conv2d, stride=stride, padding=padding),
            x,
            w,
            value=value,
            variants=image_variants.conv(stride, padding),
        )
        yield f"{told}, stride {stride}, padding {padding}"
    pool = given["max_pool2d"]
    for side in (2, 3):
        value = _value_of(our_max_pool2d, kernel_size=side)
        yield check_rule(
            bind(pool, size=side), draw(2, 2, 2 * side, 6), value=value, variants=image_variants.pool(side)
        )


def _attention_residual(given: Given) -> Iterator[str]:
    def residual(x: Array, w: Array) -> Array:
        return x + (x @ w.mT).clamp(min=0)

    # Most of the hidden units are to be above 0, or the gate would not depend on x.
    arrays = draw(2, 3, 2, 4) + 0.6, draw(2, 3, seed=1).abs(), draw(3, 2, seed=2)
    attention = given["channel_attention"]
    yield check_rule(attention, *arrays, value=image_variants.attention_value, variants=image_variants.ATTENTION)
    yield check_rule(
        given["residual"], draw(4, 3), draw(3, 3, seed=1), value=residual, variants=image_variants.RESIDUAL
    )


def _value_of(primitive: Any, **options: Any) -> Callable[..., Array]:
    """Our own primitive's value on raw arrays."""

    def value(*arrays: Array) -> Array:
        return primitive.rule(*arrays, **options)[0]

    return value


CHECKERS: dict[str, Callable[[Given], Iterator[str]]] = {
    "broadcast-add": _broadcast_add,
    "multiply-divide": _multiply_divide,
    "linear": _linear,
    "relu-gelu": _relu_gelu,
    "softmax": _softmax,
    "cross-entropy": _cross_entropy,
    "layer-norm": _layer_norm,
    "conv-pool": _conv_pool,
    "attention-residual": _attention_residual,
}
