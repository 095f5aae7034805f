"""The Tensor: an array that remembers how it was made.

An `Array` is a raw ``torch.Tensor`` and a constant. A `Tensor` is an `Array` with a place on the tape: what is computed
from it is recorded, and `backward` brings its gradient back (both in `photomend.core.tape`).
"""

from __future__ import annotations

import weakref
from typing import Any, Self, cast

import torch

from .arrays import not_an_array, recorded_by_torch, require_plain
from .methods import Methods
from .tape import Array, Node, walk


class Tensor(Methods):
    """An array that remembers how it was made.

    Args:
        data: the raw array, floating point, any shape and device. It is shared, not copied.
        tracked: whether gradients flow to and through it. A raw `Array` is the shorter way to say "constant".

    After ``backward()``, `grad` holds the gradient on leaves (Tensors that no primitive made), an array of the
    shape of `data`; a second backward pass adds to it.

    Operators and methods have torch's names: ``(x @ w + b).exp().sum(dim=1)``. What has no derivative, such as
    ``x > 0`` and ``x.argmax(1)``, is a raw array. Tensors are told apart by which they are, in sets and as keys.
    """

    __slots__ = ("__weakref__", "_node", "data", "grad", "tracked")

    def __init__(self, data: Array, *, tracked: bool = True) -> None:
        if not isinstance(data, Array):
            raise TypeError(f"Tensor: data must be a torch.Tensor, {not_an_array(data)}")
        if not data.is_floating_point():
            raise TypeError(f"Tensor: data must be floating point, not {data.dtype}")
        if recorded_by_torch(data):
            require_plain("Tensor: data", data)
        self.data = data
        self.grad: Array | None = None
        self.tracked = tracked
        self._node: Node | None = None

    @property
    def node(self) -> Node:
        """This Tensor's place on the tape. A leaf gets one when it is first used, and another one when its data has
        become an array of another kind since, as `Module.to` makes it."""
        node = self._node
        if node is not None:
            if node.leaf is None or node.array() is self.data:
                return node
            if node.is_like(self.data):
                node.array = weakref.ref(self.data)
                return node
        node = self._node = Node(self.data, leaf=self)
        return node

    @property
    def is_leaf(self) -> bool:
        """True when the tape knows no primitive that made this Tensor: you made it, and `backward` leaves a gradient
        here, or nothing was recorded, and none comes."""
        return self._node is None or self._node.leaf is not None

    @property
    def dtype(self) -> torch.dtype:
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        return self.data.device

    def detach(self) -> Array:
        """The raw array: a constant to everything that is computed from it."""
        return self.data

    def __repr__(self) -> str:
        made_by = "" if self.is_leaf else f", made by {self.node.name}"
        return f"{type(self).__name__}({self.data}{made_by})"

    def __copy__(self) -> Self:
        """A leaf of its own, of the same array, that has no gradient yet, as in torch."""
        copied = object.__new__(type(self))
        for attributes in self.__getstate__():
            for name, value in (attributes or {}).items():
                setattr(copied, name, value)
        copied.grad = None
        return copied

    def __getstate__(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """What `copy`, `deepcopy` and `pickle` take along: all but the place on the tape, which is one of a kind. The
        copy gets its own when it is used.

        Raises:
            TypeError: a primitive made this Tensor, as in torch: a copy would have no way back to what it was made of.
        """
        if not self.is_leaf:
            raise TypeError(f"a Tensor made by {self.node.name!r} can't be copied or pickled; take its array, .data")
        attributes, slots = cast(Any, object.__getstate__(self))
        return attributes, {**slots, "_node": None}

    def retain_grad(self) -> None:
        """Have the backward pass leave a gradient in `grad` here too, where a primitive made this Tensor; a leaf gets
        one anyway.

        Raises:
            RuntimeError: nothing was recorded for this Tensor.
        """
        if not self.tracked:
            raise RuntimeError("retain_grad: nothing was recorded for this Tensor (made under no_grad, or frozen)")
        if self._node is not None:
            self._node.retained = weakref.ref(self)

    def backward(self, cotangent: Array | None = None, *, retain_graph: bool = False) -> None:
        """Add d⟨cotangent, self⟩/d(leaf) to the `grad` of every leaf this Tensor was made from.

        Args:
            cotangent: array of the shape, dtype and device of `self`; may be left out for a single element (then it
                is 1).
            retain_graph: torch's option, which there isn't here.

        Raises:
            RuntimeError: nothing was recorded, the tape was already used, a leaf was changed in place since the
                forward pass or has data of another shape, dtype or device now, or a second derivative is asked for.
            ValueError: the cotangent's shape is wrong, or it is missing and `self` has several elements; a primitive's
                pullback gave gradients of another number or shape than its arguments; or retain_graph is set.
            TypeError: the cotangent's dtype or device is wrong, or that of a gradient that a pullback gave.

        The tape is freed as it is walked: one forward pass serves one backward pass.
        """
        if retain_graph:
            raise ValueError("backward: retain_graph (=True) isn't supported; run the forward pass again")
        if isinstance(cotangent, Tensor):
            raise RuntimeError(
                "backward: the cotangent is a Tensor, but double backward is not supported; "
                "pass a raw array (cotangent.data)"
            )
        if not self.tracked:
            raise RuntimeError("backward: nothing was recorded for this Tensor (made under no_grad, or from constants)")
        if cotangent is not None:
            if not isinstance(cotangent, Array):
                raise TypeError(f"backward: the cotangent must be an array, {not_an_array(cotangent)}")
            require_plain("backward: the cotangent", cotangent)
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


def made(value: Array, node: Node | None) -> Tensor:
    """The Tensor that a primitive made, which has checked the value; without a place on the tape it is a constant."""
    tensor = object.__new__(Tensor)
    tensor.data = value
    tensor.grad = None
    tensor.tracked = node is not None
    tensor._node = node
    return tensor
