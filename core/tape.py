"""The tape: which primitive made what from what, and how a gradient finds its way back over it.

Every primitive that touches a Tensor leaves a `Node` behind, and the nodes together are the tape. `walk` goes from the
result to the leaves and hands each node's cotangent to its pullback.

Source: Griewank & Walther, *Evaluating Derivatives* (2nd ed. 2008), ch. 3, reverse mode.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from .checks import check_cotangent, check_gradient, check_node, check_saved, version_of
from .mode import is_checking, listening

if TYPE_CHECKING:
    from .tensor import Tensor

Array = torch.Tensor
#: In a rule's annotations: an array that has no gradient, so that a tracked Tensor in its place is refused.
Constant = torch.Tensor
#: Their 8 and 11 binary digits are too few to add up many numbers, or to take away a mean.
HALF_PRECISION = (torch.bfloat16, torch.float16)
#: What a pullback may return for one input: an array, a function that makes it on demand, or nothing.
Gradient = Array | Callable[[], Array] | None
Pullback = Callable[[Array], Gradient | Sequence[Gradient]]

#: The sum of the gradients that have arrived at a node so far, and whether the walk owns that array. It owns a sum that
#: it has made itself: nobody else sees it, so the next gradient may be added in place. Any other array is borrowed: the
#: pullback of ``a + b`` gives ȳ itself to both, others give views of it, and the first ȳ is the caller's.
Held = tuple[Array, bool]

#: A leaf's array among a primitive's arguments, and its version at the time of the call.
Version = tuple["weakref.ref[Array]", int]
#: An array that a pullback has captured, and its version at the time of the call.
Saved = tuple[Array, int]


class Maker(Protocol):
    """What a node knows of its primitive."""

    name: str

    def naming(self, node: Node, of: Array | int) -> str:
        """What an array, or the argument at a position, is called in an error message about this node."""


class Node:
    """One step on the tape: the pullback of a primitive and the nodes of its inputs.

    A leaf (a Tensor that no primitive made) has no pullback but knows its Tensor, to leave the gradient there.
    Nodes refer to nodes and not to Tensors: an intermediate result lives only as long as a pullback needs it. The
    leaf's Tensor is known by a weak reference: Tensor and node would otherwise keep each other alive.

    What a pullback reads must be what the forward pass read. So a node remembers the version of each array that the
    pullback has captured (torch counts the changes in place), and of each leaf's array among its inputs, these again
    without keeping them alive. Which of its arguments and its value an array is, it knows by their ids.
    """

    __slots__ = (
        "array",
        "device",
        "dtype",
        "ids",
        "kept",
        "leaf",
        "maker",
        "parents",
        "pullback",
        "retained",
        "saved",
        "shape",
        "versions",
    )

    def __init__(
        self,
        value: Array,
        maker: Maker | None = None,
        parents: Sequence[Node | None] = (),
        pullback: Pullback | None = None,
        versions: Sequence[Version] = (),
        saved: Sequence[Saved] = (),
        ids: Sequence[int] = (),
        leaf: Tensor | None = None,
    ) -> None:
        self.shape = value.shape
        self.dtype = value.dtype
        self.device = value.device
        self.maker = maker
        self.parents = parents
        self.pullback = pullback
        self.versions = versions
        self.saved = saved
        self.ids = ids
        self.retained: weakref.ref[Tensor] | None = None
        self.kept: tuple[Array, Sequence[Any]] | None = None  # the value and the arguments, under `keep_values`
        if leaf is None:
            self.leaf = None
        else:
            self.leaf = weakref.ref(leaf)
            self.array = weakref.ref(value)

    @property
    def name(self) -> str:
        """Of the primitive."""
        return "leaf" if self.maker is None else self.maker.name

    def is_like(self, value: Array) -> bool:
        """Whether an array of this one's shape, dtype and device stands here."""
        return self.dtype == value.dtype and self.device == value.device and self.shape == value.shape

    def free(self) -> None:
        """Let go of everything the pullback captured; the node can't be walked again."""
        self.pullback = None
        self.parents = ()
        self.kept = None
        self.versions = ()
        self.saved = ()


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


def walk(root: Node, cotangent: Array) -> None:
    """Bring `cotangent`, of the root's shape, back to every leaf, and free the tape on the way.

    Raises:
        RuntimeError: the tape can't be walked (`check_node`); no gradient has been changed then.
            Or a pullback changed its cotangent in place.
        ValueError, TypeError: a pullback gave what doesn't fit its arguments.
    """
    order = topological_order(root)
    for node in order:
        check_node(node)
    held: dict[Node, Held] = {root: (cotangent, False)}
    del cotangent
    with listening() as told:
        for node in order:
            _visit(node, held, told)


def _visit(node: Node, held: dict[Node, Held], told: Callable[[Tensor], object]) -> None:
    """Hand a node's cotangent to its pullback, and what that returns to the node's parents; a leaf keeps it, and who
    listens is told.

    A function of its own, so that nothing of this node (its cotangent, its gradients, what its pullback captured) is
    alive in a local variable while the next node's gradients are computed.
    """
    cotangent, owned = held.pop(node)
    if node.leaf is not None:
        if (leaf := node.leaf()) is not None:
            # An array that nobody else has: the optimizer and the clipping will change it in place.
            if leaf.grad is not None:
                leaf.grad = leaf.grad + cotangent
            else:
                leaf.grad = cotangent if owned else cotangent.clone()
            told(leaf)
        return
    if node.retained is not None:
        _retain(node.retained(), cotangent)
    assert node.pullback is not None
    check_saved(node)  # again: the pullbacks before it have run since
    before = weakref.ref(cotangent), version_of(cotangent)
    watched = is_checking() and bool(torch.isfinite(cotangent).all())
    returned: Any = node.pullback(cotangent)
    check_cotangent(node, before)
    gradients = list(returned) if isinstance(returned, tuple | list) else [returned]
    del returned, cotangent
    if len(gradients) != len(node.parents):
        raise ValueError(
            f"{node.name}: the pullback returned {len(gradients)} gradients for {len(node.parents)} arguments"
        )
    for position, parent in enumerate(node.parents):
        gradient, gradients[position] = gradients[position], None
        if parent is None:
            continue
        if callable(gradient):
            made = gradient()
            check_cotangent(node, before)  # while the function, and with it what it captured, is still alive
            gradient = made
            del made
        check_gradient(node, position, parent, gradient)
        if watched:
            from .anomaly import require_sound_gradient  # here, because it imports this

            require_sound_gradient(node, position, gradient)
        held[parent] = _sum(held.pop(parent, None), gradient)
    node.free()


def _retain(tensor: Tensor | None, cotangent: Array) -> None:
    """Leave a gradient at a Tensor that asked for it (`Tensor.retain_grad`), if it is still there."""
    if tensor is not None:
        tensor.grad = cotangent.clone() if tensor.grad is None else tensor.grad + cotangent


def _sum(held: Held | None, gradient: Array) -> Held:
    """What a node holds when another gradient has arrived."""
    if held is None:
        return gradient, False
    total, owned = held
    return (total.add_(gradient) if owned else total + gradient), True
