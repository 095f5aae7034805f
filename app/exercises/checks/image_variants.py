"""Wrong rules on images, as in `variants.py`: convolution, pooling, channel attention; and the residual."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ....core import Array
from ....layers import conv2d as our_conv2d
from .rules import Rule
from .variants import Ruled, no_pullback

# Convolution and pooling


def conv(stride: int, padding: int) -> Mapping[str, Rule]:
    """The mistakes of a convolution's value, with this geometry."""

    def changed(stride: int, padding: int, flip: bool = False) -> Rule:
        def rule(x: Array, w: Array) -> Ruled:
            return our_conv2d.rule(x, w.flip(2, 3) if flip else w, stride=stride, padding=padding)[0], no_pullback

        return rule

    def unstrided(x: Array, w: Array) -> Ruled:
        """Windows side by side, as many as there should be."""
        rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
        return our_conv2d.rule(x, w, stride=1, padding=padding)[0][:, :, :rows, :columns], no_pullback

    def padded_with_nothing(x: Array, w: Array) -> Ruled:
        return 0 * our_conv2d.rule(x, w, stride=stride, padding=padding)[0], no_pullback

    def flipped_back(x: Array, w: Array) -> Ruled:
        y, _ = our_conv2d.rule(x, w, stride=stride, padding=padding)
        return y, lambda ȳ: our_conv2d.rule(x, w.flip(2, 3), stride=stride, padding=padding)[1](ȳ)

    return {
        "the kernel is flipped: the first tap belongs to the upper left pixel": changed(stride, padding, flip=True),
        "the padding is ignored": changed(stride, 0),
        "the stride is ignored: the value is as large as for stride 1": changed(1, padding),
        "the stride is ignored: the windows lie side by side": unstrided,
        "x isn't there: the value is that of an image of zeros": padded_with_nothing,
        "the kernel is flipped in the pullback: each tap gives back to the pixels that it saw": flipped_back,
        "where windows overlap, the last tap's gradient overwrites the others: it must be added": _overwriting(
            stride, padding
        ),
    }


def _overwriting(stride: int, padding: int) -> Rule:
    def rule(x: Array, w: Array) -> Ruled:
        y, _ = our_conv2d.rule(x, w, stride=stride, padding=padding)

        def overwriting(ȳ: Array) -> tuple[Array, Array]:
            padded = torch.zeros(*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding, dtype=x.dtype)
            rows, columns = ((n - 1) * stride + 1 for n in y.shape[2:])
            for k in range(w.shape[2]):
                for j in range(w.shape[3]):
                    part = torch.einsum("nohw,oc->nchw", ȳ, w[:, :, k, j])
                    padded[:, :, k : k + rows : stride, j : j + columns : stride] = part
            inner = padded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
            return inner, w

        return y, overwriting

    return rule


def pool(size: int) -> Mapping[str, Rule]:
    """The mistakes of a pooling's pullback."""

    def spread(share: float) -> Rule:
        def rule(x: Array) -> Ruled:
            squares = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))
            y = squares.amax((3, 5))
            return y, lambda ȳ: ȳ.repeat_interleave(size, 2).repeat_interleave(size, 3) * share

        return rule

    return {
        "every pixel of the square gets ȳ, but only the largest had a say": spread(1.0),
        "ȳ is shared out evenly, as a mean's is, but only the largest pixel had a say": spread(1 / size**2),
    }


# Channel attention and residual


def attention_value(x: Array, w1: Array, w2: Array) -> Array:
    return _attention("")(x, w1, w2)[0]


def _attention(wrong: str) -> Rule:
    def rule(x: Array, w1: Array, w2: Array) -> Ruled:
        mean, (largest, place) = x.mean((2, 3)), x.flatten(2).max(2)
        one, two = (mean @ w1.mT).clamp(min=0), (largest @ w1.mT).clamp(min=0)
        gate = torch.sigmoid((one + two) @ w2.mT)

        def pullback(ȳ: Array) -> tuple[Array, Array, Array]:
            s = (ȳ * x).sum((2, 3)) * (1 if wrong == "σ′" else gate * (1 - gate))
            hidden = s @ w2
            to_mean, to_largest = hidden * (one > 0), hidden * (two > 0)
            if wrong == "mean once":
                to_largest = to_largest * 0
            if wrong == "largest once":
                to_mean = to_mean * 0
            w̄1 = to_mean.mT @ mean + to_largest.mT @ largest
            w̄2 = s.mT @ (one * (wrong != "largest once") + two * (wrong != "mean once"))
            x̄ = torch.zeros_like(x) if wrong == "gate only" else ȳ * gate[:, :, None, None]
            share = 1 if wrong == "HW" else 1 / x[0, 0].numel()
            if wrong != "constant":
                x̄ = x̄ + (to_mean @ w1)[:, :, None, None] * share
                x̄.view(*x.shape[:2], -1).scatter_add_(2, place[..., None], (to_largest @ w1)[..., None])
            return x̄, w̄1, w̄2

        return x * gate[:, :, None, None], pullback

    return rule


_ONCE = "the shared network is counted once: it is used for the mean and for the largest pixel, and both uses add; "
ATTENTION: Mapping[str, Rule] = {
    "the gate's path is missing: the gate is treated as a constant, but it looks at x too": _attention("constant"),
    "the direct path is missing: ȳ times the gate": _attention("gate only"),
    _ONCE + "only that of the mean is there": _attention("mean once"),
    _ONCE + "only that of the largest pixel is there": _attention("largest once"),
    "the sigmoid's derivative gate (1 − gate) is missing": _attention("σ′"),
    "1/(H W) is missing: each pixel had only that share in the mean": _attention("HW"),
}


def _residual(skip: float, block: float) -> Rule:
    def rule(x: Array, w: Array) -> Ruled:
        before = x @ w.mT
        inner = lambda ȳ: ȳ * (before > 0)  # noqa: E731
        return skip * x + block * before.clamp(min=0), lambda ȳ: (
            skip * ȳ + block * inner(ȳ) @ w,
            inner(ȳ).mT @ x,
        )

    return rule


RESIDUAL: Mapping[str, Rule] = {
    "the skip is lost: x itself is added to the block, so ȳ itself belongs to x̄": _residual(0, 1),
    "only the skip is there: the block's path is missing": _residual(1, 0),
}
