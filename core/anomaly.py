"""`detect_anomaly`: the primitive in which a value or a gradient stops being a finite number says so at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .errors import PhotomendError
from .mode import checking
from .tape import Array, Node


class AnomalyError(PhotomendError):
    """A loss or a gradient is no longer a finite number, or a primitive has made NaN or infinity of finite numbers.

    Attributes:
        node: its place on the tape, if it was its pullback.
    """

    node: Node | None = None


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside this context a primitive whose value is NaN or infinite while its arguments are not raises AnomalyError,
    and so does one whose pullback makes such a gradient of a finite cotangent. To look through all of them takes time.

    An infinity that was put there, such as −∞ before a softmax, is no anomaly.

    >>> from photomend.core import Tensor, log
    >>> with detect_anomaly():
    ...     y = log(Tensor(torch.tensor([1.0, 0.0])))
    Traceback (most recent call last):
    photomend.core.anomaly.AnomalyError: log: 1 of 2 numbers of its value are infinite; x lies in [0, 1]
    """
    with checking(True):
        yield


def require_sound(
    name: str, names: Sequence[str], arrays: Sequence[Any], options: Mapping[str, Any], value: Array
) -> None:
    """Raise AnomalyError where `value` is worse than what it was made of: the arrays, called `names`, and options."""
    given = [x for x in (*arrays, *options.values()) if isinstance(x, Array | float)]
    if fault := _fault(value, given):
        ranges = [f"{n} {_range(x)}" for n, x in zip(names, arrays, strict=False) if isinstance(x, Array)]
        raise AnomalyError(f"{name}: {fault} of its value are {_kind(value, given)}; {', '.join(ranges)}")


def require_sound_gradient(node: Node, position: int, gradient: Array) -> None:
    """Raise AnomalyError where a pullback has made a gradient of NaN or infinities of a finite cotangent."""
    if fault := _fault(gradient, []):
        of = "an argument" if node.maker is None else node.maker.naming(node, position)
        error = AnomalyError(f"{node.name}: {fault} of the gradient of {of} are {_kind(gradient, [])}")
        error.node = node
        raise error


def is_finite(array: Array) -> bool:
    return bool(torch.isfinite(array).all())


def _fault(value: Array, given: Sequence[Any]) -> str:
    """How many numbers of `value` are of a kind that `given` has none of, or ""."""
    if is_finite(value):
        return ""
    wrong = torch.isnan(value) if _kind(value, given) == "NaN" else torch.isinf(value)
    count = int(wrong.sum())
    return f"{count} of {value.numel()} numbers" if count and not _has(given, _kind(value, given)) else ""


def _kind(value: Array, given: Sequence[Any]) -> str:
    """What is wrong with it: NaN, if there is one and none was given."""
    return "NaN" if bool(torch.isnan(value).any()) and not _has(given, "NaN") else "infinite"


def _has(given: Sequence[Any], kind: str) -> bool:
    """Whether what was given has NaN, or, asked for infinities, those or NaN."""
    for x in given:
        x = torch.as_tensor(x)
        if bool(torch.isnan(x).any()) or (kind == "infinite" and bool(torch.isinf(x).any())):
            return True
    return False


def _range(x: Array) -> str:
    return f"lies in [{x.min().item():.3g}, {x.max().item():.3g}]" if x.numel() else "is empty"
