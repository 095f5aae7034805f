"""The Tensor and its tape: who made me, and how a gradient finds its way back.

An `Array` is a raw ``torch.Tensor`` and a constant. A `Tensor` is an `Array` that remembers how it was made:
every primitive that touches a Tensor leaves a `Node` behind, and the nodes together are the tape. `backward`
walks the tape from the result to the leaves and hands each node's cotangent to its pullback.

Source: Griewank & Walther, *Evaluating Derivatives* (2nd ed. 2008), ch. 3, reverse mode.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

Array = torch.Tensor
#: What a pullback may return for one input: an array, a function that makes it on demand, or nothing.
Gradient = Array | Callable[[], Array] | None
Pullback = Callable[[Array], Gradient | Sequence[Gradient]]

#: Every primitive by name, filled by `photomend.core.primitive`; the operators below look themselves up here.
PRIMITIVES: dict[str, Callable[..., Any]] = {}

_mode = threading.local()


def is_recording() -> bool:
    """Whether primitives called now leave nodes on the tape (True outside `no_grad`)."""
    return getattr(_mode, "recording", True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this context nothing is recorded and nothing is kept for a backward pass."""
    before = is_recording()
    _mode.recording = False
    try:
        yield
    finally:
        _mode.recording = before


class Node:
    """One step on the tape: the pullback of a primitive and the nodes of its inputs.

    A leaf (a Tensor that no primitive made) has no pullback but knows its Tensor, to leave the gradient there.
    Nodes refer to nodes and not to Tensors: an intermediate result lives only as long as a pullback needs it. The
    leaf's Tensor is known by a weak reference: Tensor and node would otherwise keep each other alive.
    """

    __slots__ = ("leaf", "name", "parents", "pullback", "shape")

    def __init__(
        self,
        name: str,
        shape: torch.Size,
        parents: tuple[Node | None, ...] = (),
        pullback: Pullback | None = None,
        leaf: Tensor | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.parents = parents
        self.pullback = pullback
        self.leaf = None if leaf is None else weakref.ref(leaf)

    def free(self) -> None:
        """Let go of everything the pullback captured; the node can't be walked again."""
        self.pullback = None
        self.parents = ()


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
        """This Tensor's place on the tape; a leaf gets one when it is first used."""
        if self._node is None:
            self._node = Node("leaf", self.data.shape, leaf=self)
        return self._node

    @property
    def is_leaf(self) -> bool:
        """True when no primitive made this Tensor, so that `backward` leaves a gradient here."""
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

    def __repr__(self) -> str:
        made_by = "" if self.is_leaf else f", made by {self.node.name}"
        return f"{type(self).__name__}({self.data}{made_by})"

    def backward(self, cotangent: Array | None = None) -> None:
        """Add d⟨cotangent, self⟩/d(leaf) to the `grad` of every leaf this Tensor was made from.

        Args:
            cotangent: array of the shape of `self`; may be left out for a single element (then it is 1).

        Raises:
            RuntimeError: nothing was recorded, the tape was already used, or a second derivative is asked for.
            ValueError: the cotangent's shape is wrong, or it is missing and `self` has several elements.

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
        _walk(self.node, cotangent)

    # Operators: each is the primitive of that name.
    def __add__(self, other: Any) -> Tensor:
        return PRIMITIVES["add"](self, other)

    def __radd__(self, other: Any) -> Tensor:
        return PRIMITIVES["add"](other, self)

    def __sub__(self, other: Any) -> Tensor:
        return PRIMITIVES["subtract"](self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return PRIMITIVES["subtract"](other, self)

    def __mul__(self, other: Any) -> Tensor:
        return PRIMITIVES["multiply"](self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return PRIMITIVES["multiply"](other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return PRIMITIVES["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return PRIMITIVES["divide"](other, self)

    def __neg__(self) -> Tensor:
        return PRIMITIVES["negative"](self)

    def __pow__(self, exponent: float) -> Tensor:
        return PRIMITIVES["power"](self, exponent=exponent)

    def __matmul__(self, other: Any) -> Tensor:
        return PRIMITIVES["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return PRIMITIVES["matmul"](other, self)

    def __getitem__(self, index: Any) -> Tensor:
        return PRIMITIVES["getitem"](self, index=index)

    # Without these, ``array + tensor`` would ask torch (or NumPy) first, and it would refuse (or take the Tensor for a
    # list of numbers); now it asks __radd__.
    __torch_function__ = None
    __array_ufunc__ = None


def topological_order(root: Node) -> list[Node]:
    """Every node that `root` was made from, each after all the nodes that use it (root first).

    Why the order matters: in ``b = a + a; c = b + b`` the node of ``b`` is reached over two paths. Walking path
    by path would run b's pullback twice, each time with half of its cotangent, and a chain of n such steps would
    take 2ⁿ visits. In topological order b waits until both halves have been added, and is visited once.

    The depth-first search keeps its own stack, so a chain of any length works where Python's recursion ends.
    """
    finished: list[Node] = []
    seen = {id(root)}
    stack = [(root, iter(root.parents))]
    while stack:
        node, parents = stack[-1]
        for parent in parents:
            if parent is not None and id(parent) not in seen:
                seen.add(id(parent))
                stack.append((parent, iter(parent.parents)))
                break
        else:
            finished.append(node)
            stack.pop()
    finished.reverse()
    return finished


def _walk(root: Node, cotangent: Array) -> None:
    order = topological_order(root)
    for node in order:
        if node.leaf is None and node.pullback is None:
            raise RuntimeError(
                f"backward: the tape behind {node.name!r} was already used and freed; run the forward pass again"
            )
    cotangents: dict[Node, Array] = {root: cotangent}
    summed: set[Node] = set()  # nodes whose cotangent is a sum made here, which may be added to in place
    for node in order:
        arriving = cotangents.pop(node)
        if node.leaf is not None:
            if (leaf := node.leaf()) is not None:
                _leave_gradient(leaf, arriving, owned=node in summed)
            continue
        assert node.pullback is not None
        returned: Any = node.pullback(arriving)
        gradients = returned if isinstance(returned, tuple | list) else (returned,)
        if len(gradients) != len(node.parents):
            raise ValueError(
                f"{node.name}: the pullback returned {len(gradients)} gradients for {len(node.parents)} arguments"
            )
        for parent, gradient in zip(node.parents, gradients, strict=True):
            if parent is None:
                continue
            gradient = gradient() if callable(gradient) else gradient
            _check_gradient(node, parent, gradient)
            if parent not in cotangents:
                cotangents[parent] = gradient
            elif parent in summed:
                cotangents[parent] += gradient
            else:
                cotangents[parent] = cotangents[parent] + gradient
                summed.add(parent)
        node.free()


def _check_gradient(node: Node, parent: Node, gradient: Any) -> None:
    if not isinstance(gradient, Array):
        raise TypeError(f"{node.name}: the pullback returned {type(gradient).__name__} where an array was due")
    if gradient.shape != parent.shape:
        raise ValueError(
            f"{node.name}: the pullback returned a gradient of shape {tuple(gradient.shape)} "
            f"for an input of shape {tuple(parent.shape)}"
        )


def _leave_gradient(leaf: Tensor, gradient: Array, *, owned: bool) -> None:
    """Add to `leaf.grad`. A gradient that may be a view of somebody else's cotangent is copied, since the
    optimizer and the clipping will change it in place."""
    if leaf.grad is not None:
        leaf.grad = leaf.grad + gradient
    else:
        leaf.grad = gradient if owned else gradient.clone()
