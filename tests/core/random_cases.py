"""Random right operations: a primitive, its options, shapes, dtypes and inputs, all drawn from a seed.

Inputs stay clear of kinks by far more than differences step: numbers that are compared lie on a grid that misses 0. Of
a primitive without a recipe here the cases in `tests/verification/` are drawn with other numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from photomend import core, layers
from photomend.core import Array, all_primitives
from photomend.tests.verification.registry import CASES

#: What is checked: a function and its inputs.
Drawn = tuple[Callable[..., Any], tuple[Array, ...]]
Recipe = Callable[["Draw"], Drawn]


class Draw:
    """Random choices from one seed."""

    def __init__(self, seed: int) -> None:
        self.python = random.Random(seed)
        self.torch = torch.Generator().manual_seed(seed)

    def one(self, *choices: Any) -> Any:
        return self.python.choice(choices)

    def size(self, low: int = 1, high: int = 4) -> int:
        return self.python.randint(low, high)

    def shape(self, low: int = 0, high: int = 3) -> tuple[int, ...]:
        return tuple(self.size() for _ in range(self.size(low, high)))

    def image(self, least: int = 2, most: int = 5) -> tuple[int, int, int, int]:
        return self.size(1, 2), self.size(1, 3), self.size(least, most), self.size(least, most)

    def normal(self, *shape: int) -> Array:
        return torch.randn(shape, generator=self.torch, dtype=torch.float64)

    def positive(self, *shape: int) -> Array:
        return 0.5 + 1.5 * torch.rand(shape, generator=self.torch, dtype=torch.float64)

    def spread(self, *shape: int) -> Array:
        """No two are closer than 0.06, and none is closer to 0 than 0.03."""
        count = torch.Size(shape).numel()
        order = torch.randperm(count, generator=self.torch)
        return ((order - count // 2 + 0.5) * max(0.06, 4 / max(count, 1))).double().reshape(shape)

    def broadcast(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that broadcasts to `shape`."""
        return tuple(self.one(s, s, 1) for s in shape[self.size(0, len(shape)) if self.size(0, 2) == 0 else 0 :])

    def index(self, *shape: int, below: int) -> Array:
        return torch.randint(below, shape, generator=self.torch)


def _binary(name: str) -> Recipe:
    def recipe(d: Draw) -> Drawn:
        shape, primitive = d.shape(), all_primitives()[name]
        first, second = (d.normal(*d.broadcast(shape)), d.positive(*d.broadcast(shape)))
        number = d.size(-3, -1) / 2
        if d.size(0, 4) == 0:
            return (lambda b: primitive(number, b)) if d.one(True, False) else (lambda b: primitive(b, number)), (
                second,
            )
        return primitive, (first, second)

    return recipe


def _unary(primitive: Any, kind: str = "normal", low: int = 0, **options: tuple[Any, ...]) -> Recipe:
    def recipe(d: Draw) -> Drawn:
        chosen = {name: d.one(*values) for name, values in options.items()}
        return (lambda x: primitive(x, **chosen)), (getattr(d, kind)(*d.shape(low)),)

    return recipe


def _reduction(name: str) -> Recipe:
    def recipe(d: Draw) -> Drawn:
        shape = d.shape(1)
        dims = tuple(sorted(d.python.sample(range(len(shape)), d.size(1, len(shape)))))
        dim, keepdim = d.one(None, dims, dims[0] - len(shape)), d.one(True, False)
        x = d.spread(*shape) if name == "amax" else d.normal(*shape)
        return (lambda x: all_primitives()[name](x, dim=dim, keepdim=keepdim)), (x,)

    return recipe


def _matmul(d: Draw) -> Drawn:
    n, k, m, batch = d.size(), d.size(), d.size(), d.shape(0, 2)
    return core.matmul, (d.normal(*d.broadcast(batch), n, k), d.normal(*d.broadcast(batch), k, m))


def _maximum(d: Draw) -> Drawn:
    shape = d.shape()
    a, b = d.spread(*d.broadcast(shape)), d.spread(*d.broadcast(shape))
    gap = max(0.06, 4 / max(a.numel(), 1))
    step = max(0.06, 4 / max(b.numel(), 1))
    # Both on one grid of halves of the larger gap: never equal.
    return core.maximum, (a / gap * max(gap, step), (b / step + 0.5) * max(gap, step))


def _clamp(d: Draw) -> Drawn:
    x = d.spread(*d.shape())
    gap = max(0.06, 4 / x.numel())
    low, high = -d.size(0, 3) * gap, d.size(1, 4) * gap
    return (lambda x: core.clamp(x, min=low, max=high)), (x,)


def _where(d: Draw) -> Drawn:
    shape = d.shape(1)
    condition = d.index(*shape, below=2).bool()
    return core.where, (condition, d.normal(*d.broadcast(shape)), d.normal(*d.broadcast(shape)))


def _reshape(d: Draw) -> Drawn:
    shape = d.shape(1)
    size = torch.Size(shape).numel()
    to = d.one((-1,), (size,), (1, size), (*shape[::-1],), (shape[0], -1))
    return (lambda x: core.reshape(x, shape=to)), (d.normal(*shape),)


def _permute(d: Draw) -> Drawn:
    shape = d.shape(1)
    axes = tuple(d.python.sample(range(len(shape)), len(shape)))
    return (lambda x: core.permute(x, dims=axes)), (d.normal(*shape),)


def _broadcast_to(d: Draw) -> Drawn:
    shape = d.shape(1)
    return (lambda x: core.broadcast_to(x, shape=shape)), (d.normal(*d.broadcast(shape)),)


def _concatenate(d: Draw) -> Drawn:
    shape = d.shape(1)
    dim = d.size(0, len(shape) - 1)
    parts = [d.normal(*shape[:dim], d.size(), *shape[dim + 1 :]) for _ in range(d.size())]
    return (lambda *xs: core.concatenate(*xs, dim=dim)), tuple(parts)


def _getitem(d: Draw) -> Drawn:
    shape = d.shape(1)
    index = d.one(0, -1, slice(0, 2), slice(None, None, 2), (..., None), d.index(d.size(), below=shape[0]))
    return (lambda x: core.getitem(x, index=index)), (d.normal(*shape),)


def _pad(d: Draw) -> Drawn:
    padding = tuple(d.size(0, 2) for _ in range(4))
    return (lambda x: core.pad(x, padding)), (d.normal(*d.image(1, 3)),)


def _conv2d(d: Draw) -> Drawn:
    groups = d.size(1, 2)
    kernel = d.size(1, 3), d.size(1, 3)
    options = {"stride": d.size(1, 2), "padding": d.size(0, 2), "dilation": d.size(1, 2), "groups": groups}
    x = d.normal(d.size(1, 2), groups * d.size(1, 2), d.size(5, 6), d.size(5, 6))
    w = d.normal(groups * d.size(1, 2), x.shape[1] // groups, *kernel)
    bias = (d.normal(len(w)),) if d.one(True, False) else ()
    return (lambda *inputs: layers.conv2d(*inputs, **options)), (x, w, *bias)


def _linear(d: Draw) -> Drawn:
    k, m = d.size(), d.size()
    bias = (d.normal(m),) if d.one(True, False) else ()
    return layers.linear, (d.normal(*d.shape(0, 2), k), d.normal(m, k), *bias)


def _batch_norm(d: Draw) -> Drawn:
    x = d.normal(d.size(3, 5), d.size(), *d.shape(0, 2))
    channels, training, eps = x.shape[1], d.one(True, False), d.one(1e-5, 0.1)
    affine = (d.normal(channels), d.normal(channels)) if d.one(True, False) else ()
    mean, var = d.normal(channels), d.positive(channels)

    def batch_norm(*inputs: Any) -> Any:
        statistics = {"running_mean": mean.clone(), "running_var": var.clone()}
        return layers.batch_norm(*inputs, **statistics, training=training, eps=eps)

    return batch_norm, (x, *affine)


def _group_norm(d: Draw) -> Drawn:
    groups, eps = d.size(1, 3), d.one(1e-3, 0.1)  # of few values a smaller ε leaves too little for differences
    x = d.normal(d.size(), groups * d.size(1, 2), d.size(3, 4), *d.shape(0, 1))
    affine = (d.normal(x.shape[1]), d.normal(x.shape[1])) if d.one(True, False) else ()
    return (lambda *inputs: layers.group_norm(*inputs, num_groups=groups, eps=eps)), (x, *affine)


def _pool(name: str) -> Recipe:
    def recipe(d: Draw) -> Drawn:
        kernel = d.size(1, 3)
        options = {"kernel_size": kernel, "stride": d.one(None, 1, 2), "padding": d.size(0, kernel // 2)}
        x = d.spread(*d.image(3)) if name == "max_pool2d" else d.normal(*d.image(3))
        return (lambda x: getattr(layers, name)(x, **options)), (x,)

    return recipe


def _resampling(name: str, option: str) -> Recipe:
    def recipe(d: Draw) -> Drawn:
        factor = d.size(1, 3)
        n, c, h, w = d.image(1, 3)
        channels = c * factor**2 if name == "pixel_shuffle" else c
        sides = (h * factor, w * factor) if name == "pixel_unshuffle" else (h, w)
        return (lambda x: getattr(layers, name)(x, **{option: factor})), (d.normal(n, channels, *sides),)

    return recipe


def _glu(d: Draw) -> Drawn:
    return (lambda x: layers.glu(x, dim=1)), (d.normal(d.size(), 2 * d.size(), *d.shape(0, 2)),)


def _dropout(d: Draw) -> Drawn:
    shape, p = d.shape(), d.one(0.1, 0.5)
    keep = d.index(*shape, below=2).bool()
    return (lambda x: layers.dropout(x, keep=keep, p=p)), (d.normal(*shape),)


RECIPES: dict[str, Recipe] = {
    **{name: _binary(name) for name in ("add", "subtract", "multiply", "divide")},
    **{name: _unary(all_primitives()[name]) for name in ("negative", "exp")},
    **{name: _unary(all_primitives()[name], "positive") for name in ("log", "sqrt")},
    "power": _unary(core.power, "positive", exponent=(0, 1, 2, 3, 0.5, -1.5)),
    "absolute": _unary(core.absolute, "spread"),
    "clamp": _clamp,
    "maximum": _maximum,
    "where": _where,
    "matmul": _matmul,
    **{name: _reduction(name) for name in ("sum", "mean", "variance", "amax")},
    "reshape": _reshape,
    "permute": _permute,
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "getitem": _getitem,
    "pad": _pad,
    **{name: _unary(getattr(layers, name), "spread") for name in ("relu", "leaky_relu")},
    **{name: _unary(getattr(layers, name)) for name in ("sigmoid", "tanh", "silu")},
    "glu": _glu,
    "dropout": _dropout,
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
    **{name: _pool(name) for name in ("max_pool2d", "avg_pool2d")},
    **{name: _resampling(name, "scale_factor") for name in ("upsample_nearest", "upsample_bilinear")},
    "pixel_shuffle": _resampling("pixel_shuffle", "upscale_factor"),
    "pixel_unshuffle": _resampling("pixel_unshuffle", "downscale_factor"),
}


def names() -> list[str]:
    """Every primitive that has a recipe or a case; but for one whose inputs must stay in [0, 1], which no random
    direction keeps."""
    subjects = {case.subject for case in CASES.values()} - {"binary_cross_entropy"}
    return sorted(name for name in all_primitives() if name in RECIPES or name in subjects)


def drawn(seed: int) -> tuple[str, Callable[..., Any], tuple[Array, ...]]:
    """The primitive's name, and what to check it with. Seeds in a row go through all primitives in turn."""
    d, known = Draw(seed), names()
    name = known[seed % len(known)]
    if name in RECIPES:
        function, inputs = RECIPES[name](d)
    else:
        case = d.one(*(case for case in CASES.values() if case.subject == name))
        function, inputs = case.ours(), tuple(draw(d.torch) for draw in case.draws)
    if name in RECIPES and d.size(0, 3) == 0:  # not exactly the same numbers, but far from kinks all the same
        inputs = tuple(x.float() if x.is_floating_point() else x for x in inputs)
    return name, function, inputs
