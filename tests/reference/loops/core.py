"""The primitives of the engine itself in plain loops: products, reductions, and moving elements about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Axes = int | tuple[int, ...] | None


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(…, n, k) times (…, k, m); leading axes are repeated where one of the two lacks them. A vector is a row on the
    left and a column on the right."""
    if a.ndim == 1:
        return (
            matmul(a[None], b)[..., 0, :] if b.ndim > 1 else np.asarray(sum(x * y for x, y in zip(a, b, strict=True)))
        )
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0]
    leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, (*leading, *a.shape[-2:]))
    b = np.broadcast_to(b, (*leading, *b.shape[-2:]))
    y = np.zeros((*leading, a.shape[-2], b.shape[-1]))
    for *at, i, j in np.ndindex(y.shape):
        for k in range(a.shape[-1]):
            y[(*at, i, j)] += a[(*at, i, k)] * b[(*at, k, j)]
    return y


def reduce(f: Callable[[list[float]], float]) -> Callable[..., np.ndarray]:
    """The reduction of arrays that applies f to the list of all values along the axes `dim`."""

    def reduction(x: np.ndarray, *, dim: Axes = None, keepdim: bool = False) -> np.ndarray:
        dims = range(x.ndim) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
        axes = {d % x.ndim for d in dims}
        lists: dict[tuple[int, ...], list[float]] = {}
        for at in np.ndindex(x.shape):
            kept = tuple(0 if axis in axes else i for axis, i in enumerate(at))
            lists.setdefault(kept, []).append(x[at].item())
        y = np.empty([1 if axis in axes else n for axis, n in enumerate(x.shape)])
        for kept, values in lists.items():
            y[kept] = f(values)
        return y if keepdim else y.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])

    return reduction


def mean_of(values: list[float]) -> float:
    return sum(values) / len(values)


def variance_of(values: list[float], correction: float = 0) -> float:
    """The mean squared distance from the mean; with `correction` 1 the unbiased estimate."""
    mean = mean_of(values)
    return sum((v - mean) ** 2 for v in values) / (len(values) - correction)


def clamp(x: np.ndarray, *, min: float | None = None, max: float | None = None) -> np.ndarray:
    """What lies below `min` becomes `min`, what lies above `max` becomes `max`."""
    y = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        y[at] = x[at]
        if min is not None and y[at] < min:
            y[at] = min
        if max is not None and y[at] > max:
            y[at] = max
    return y


def permute(x: np.ndarray, *, dims: tuple[int, ...]) -> np.ndarray:
    """Axis k of the result is axis dims[k] of x."""
    y = np.empty([x.shape[a] for a in dims])
    for at in np.ndindex(y.shape):
        source = [0] * x.ndim
        for position, axis in zip(at, dims, strict=True):
            source[axis] = position
        y[at] = x[tuple(source)]
    return y


def transpose(x: np.ndarray, *, dim0: int, dim1: int) -> np.ndarray:
    """The axes dim0 and dim1 exchanged."""
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return permute(x, dims=tuple(dims))


def reshape(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """The elements in reading order, read into another shape."""
    known = 1
    for n in shape:
        known *= n if n != -1 else 1
    y = np.empty([x.size // known if n == -1 else n for n in shape])
    for target, source in zip(np.ndindex(y.shape), np.ndindex(x.shape), strict=True):
        y[target] = x[source]
    return y


def broadcast_to(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """x repeated along new leading axes and axes of size 1."""
    y = np.empty(shape)
    for at in np.ndindex(shape):
        own = at[len(shape) - x.ndim :]
        y[at] = x[tuple(0 if n == 1 else i for i, n in zip(own, x.shape, strict=True))]
    return y


def concatenate(*xs: np.ndarray, dim: int = 0) -> np.ndarray:
    """One after the other along the axis `dim`."""
    shape = list(xs[0].shape)
    shape[dim] = sum(x.shape[dim] for x in xs)
    y = np.empty(shape)
    start = 0
    for x in xs:
        for at in np.ndindex(x.shape):
            target = list(at)
            target[dim] += start
            y[tuple(target)] = x[at]
        start += x.shape[dim]
    return y


def stack(*xs: np.ndarray, dim: int = 0) -> np.ndarray:
    """One after the other along a new axis `dim`."""
    shape = list(xs[0].shape)
    shape.insert(dim if dim >= 0 else dim + len(shape) + 1, len(xs))
    y = np.empty(shape)
    axis = dim % y.ndim
    for i, x in enumerate(xs):
        for at in np.ndindex(x.shape):
            y[(*at[:axis], i, *at[axis:])] = x[at]
    return y


def getitem(x: np.ndarray, *, index: Any) -> np.ndarray:
    """NumPy's own indexing is the definition; a loop would only repeat its rules."""
    parts = index if isinstance(index, tuple) else (index,)
    return x[tuple(np.asarray(part) if hasattr(part, "numpy") else part for part in parts)]


def pad(x: np.ndarray, *, pad: tuple[int, ...], value: float = 0.0) -> np.ndarray:
    """`value` around the last axes; `pad` is (before, after) of the last one, then of the one before it, and so on."""
    around = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        around[x.ndim - 1 - i] = (pad[2 * i], pad[2 * i + 1])
    y = np.full([before + n + after for n, (before, after) in zip(x.shape, around, strict=True)], value)
    for at in np.ndindex(x.shape):
        y[tuple(i + before for i, (before, _) in zip(at, around, strict=True))] = x[at]
    return y
