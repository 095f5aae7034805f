"""The Tensor: an array that remembers how it was made.

An `Array` is a raw ``torch.Tensor`` and a constant. A `Tensor` is an `Array` with a place on the tape: what is computed
from it is recorded, and `backward` brings its gradient back (both in `photomend.core.tape`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .tape import Array, Node, walk

#: Every primitive by name, filled by `photomend.core.primitive`; the operators below look themselves up here.
PRIMITIVES: dict[str, Callable[..., Any]] = {}


def _operators(name: str) -> tuple[Callable[[Any, Any], Tensor], Callable[[Any, Any], Tensor]]:
    """The methods for ``a · b`` and ``b · a``, where · is the primitive called `name`."""
    return lambda self, other: PRIMITIVES[name](self, other), lambda self, other: PRIMITIVES[name](other, self)


class Tensor:
    """An array that remembers how it was made.

    Args:
        data: the raw array, floating point, any shape and device. It is shared, not copied.
        tracked: whether gradients flow to and through it. A raw `Array` is the shorter way to say "constant".

    After ``backward()``, `grad` holds the gradient on leaves (Tensors that no primitive made), an array of the
    shape of `data`; a second backward pass adds to it.
    """

    __slots__ = ("__weakref__", "_node", "data", "grad", "tracked")

    def __init__(self, data: Array, *, tracked: bool = True) -> None:
        if not isinstance(data, Array):
            raise TypeError(f"Tensor: data must be a torch.Tensor, not {type(data).__name__}")
        if not data.is_floating_point():
            raise TypeError(f"Tensor: data must be floating point, not {data.dtype}")
        self.data = data
        self.grad: Array | None = None
        self.tracked = tracked
        self._node: Node | None = None

    @property
    def node(self) -> Node:
        """This Tensor's place on the tape. A leaf gets one when it is first used, and another one when its data has
        become an array of another kind since, as `Module.to` makes it."""
        node = self._node
        if node is None or (node.leaf is not None and not node.is_like(self.data)):
            node = self._node = Node("leaf", self.data, leaf=self)
        return node

    @property
    def is_leaf(self) -> bool:
        """True when the tape knows no primitive that made this Tensor: you made it, and `backward` leaves a gradient
        here, or nothing was recorded, and none comes."""
        return self._node is None or self._node.leaf is not None

    @property
    def shape(self) -> torch.Size:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        return self.data.device

    def item(self) -> float:
        """The value of a Tensor with one element, as a Python number."""
        return self.data.item()

    def detach(self) -> Array:
        """The raw array: a constant to everything that is computed from it."""
        return self.data

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        """The truth of a single element; of several it is ambiguous, and torch's error says so."""
        return bool(self.data)

    def __repr__(self) -> str:
        made_by = "" if self.is_leaf else f", made by {self.node.name}"
        return f"{type(self).__name__}({self.data}{made_by})"

    def backward(self, cotangent: Array | None = None) -> None:
        """Add d⟨cotangent, self⟩/d(leaf) to the `grad` of every leaf this Tensor was made from.

        Args:
            cotangent: array of the shape, dtype and device of `self`; may be left out for a single element (then it
                is 1).

        Raises:
            RuntimeError: nothing was recorded, the tape was already used, a leaf was changed in place since the
                forward pass or has data of another shape, dtype or device now, or a second derivative is asked for.
            ValueError: the cotangent's shape is wrong, or it is missing and `self` has several elements; or a
                primitive's pullback gave gradients of another number or shape than its arguments.
            TypeError: the cotangent's dtype or device is wrong, or that of a gradient that a pullback gave.

        The tape is freed as it is walked: one forward pass serves one backward pass.
        """
        if isinstance(cotangent, Tensor):
            raise RuntimeError(
                "backward: the cotangent is a Tensor, but double backward is not supported; "
                "pass a raw array (cotangent.data)"
            )
        if not self.tracked:
            raise RuntimeError("backward: nothing was recorded for this Tensor (made under no_grad, or from constants)")
        if cotangent is None:
            if self.data.numel() != 1:
                raise ValueError(f"backward: a Tensor of shape {tuple(self.shape)} needs a cotangent of that shape")
            cotangent = torch.ones_like(self.data)
        elif cotangent.shape != self.shape:
            raise ValueError(
                f"backward: cotangent of shape {tuple(cotangent.shape)} for a Tensor of shape {tuple(self.shape)}"
            )
        elif cotangent.dtype != self.dtype or cotangent.device != self.device:
            raise TypeError(
                f"backward: the cotangent is {cotangent.dtype} on {cotangent.device}, "
                f"but the Tensor is {self.dtype} on {self.device}"
            )
        walk(self.node, cotangent)

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("subtract")
    __mul__, __rmul__ = _operators("multiply")
    __truediv__, __rtruediv__ = _operators("divide")
    __matmul__, __rmatmul__ = _operators("matmul")

    def __neg__(self) -> Tensor:
        return PRIMITIVES["negative"](self)

    def __pow__(self, exponent: float) -> Tensor:
        return PRIMITIVES["power"](self, exponent=exponent)

    def __getitem__(self, index: Any) -> Tensor:
        return PRIMITIVES["getitem"](self, index=index)

    # Without these, ``array + tensor`` would ask torch (or NumPy) first, and it would refuse (or take the Tensor for a
    # list of numbers); now it asks __radd__.
    __torch_function__ = None
    __array_ufunc__ = None
