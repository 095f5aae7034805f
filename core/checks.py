"""What a backward pass refuses: a tape that can't be walked, arrays that were changed meanwhile, and gradients that
don't fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .arrays import recorded_by_torch, require_plain

if TYPE_CHECKING:
    from .tape import Array, Node, Version


def check_node(node: Node) -> None:
    """Refuse a tape that can't be walked, before any gradient has been added to."""
    if node.leaf is None and node.pullback is None:
        raise RuntimeError(
            f"backward: the tape behind {node.name!r} was already used and freed; run the forward pass again"
        )
    leaf = None if node.leaf is None else node.leaf()
    if leaf is not None and not node.is_like(leaf.data):
        raise RuntimeError(
            f"backward: a leaf was {tuple(node.shape)}, {node.dtype} on {node.device} in the forward pass, and is "
            f"{tuple(leaf.shape)}, {leaf.dtype} on {leaf.device} now; run the forward pass again"
        )
    for reference, version in node.versions:
        array = reference()
        if array is not None and array._version != version:
            raise _changed(node, array)
    check_saved(node)


def check_saved(node: Node) -> None:
    """Refuse a pullback whose arrays are no longer those of the forward pass."""
    for array, version in node.saved:
        if array._version != version:
            raise _changed(node, array)


def _changed(node: Node, array: Array) -> RuntimeError:
    return RuntimeError(
        f"backward: {_called(node, array)} of {node.name!r}, of shape {tuple(array.shape)}, was changed in place since "
        "the forward pass, whose derivative is lost; run the forward pass again"
    )


def version_of(array: Array) -> int:
    """How often an array has been changed in place; of arrays made in torch's inference mode torch doesn't count it."""
    return 0 if array.is_inference() else array._version


def check_cotangent(node: Node, before: Version) -> None:
    """Refuse a pullback that wrote into its cotangent, which may be the caller's array or another node's too."""
    reference, version = before
    cotangent = reference()
    if cotangent is not None and version_of(cotangent) != version:
        raise RuntimeError(
            f"backward: the pullback of {node.name!r} changed its cotangent in place, which others still read; "
            "write into a copy"
        )


def check_gradient(node: Node, position: int, parent: Node, gradient: Any) -> None:
    if not isinstance(gradient, torch.Tensor):
        raise TypeError(
            f"{node.name}: the pullback returned {type(gradient).__name__} for {_called(node, position)}, where an "
            "array was due"
        )
    if gradient.shape != parent.shape:
        raise ValueError(
            f"{node.name}: the pullback returned a gradient of shape {tuple(gradient.shape)} "
            f"for {_called(node, position)} of shape {tuple(parent.shape)}"
        )
    if gradient.dtype != parent.dtype or gradient.device != parent.device:
        raise TypeError(
            f"{node.name}: the pullback returned a gradient that is {gradient.dtype} on {gradient.device} "
            f"for {_called(node, position)}, which is {parent.dtype} on {parent.device}"
        )
    if recorded_by_torch(gradient):
        require_plain(f"{node.name}: the pullback's gradient", gradient)


def _called(node: Node, of: Array | int) -> str:
    return "an array" if node.maker is None else node.maker.naming(node, of)
