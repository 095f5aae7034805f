"""Embedding: a trained vector for each word, looked up by its number.

Source: Bengio, Ducharme, Vincent & Janvin, *A neural probabilistic language model* (2003), §2.
"""

from __future__ import annotations

import torch

from ..core import Array, Module, Parameter, Pullback, Tensor, primitive
from ..core.ops.half import wide
from .windows import integer


@primitive
def embedding(indices: Array, weight: Array, *, padding_idx: int | None = None) -> tuple[Array, Pullback]:
    """The rows of `weight` (num_embeddings, D) that `indices` (…) name: (…, D).

    The same as a product of one-hot rows with `weight`, so W̄ = one-hotᵀ ȳ: a row receives the sum of ȳ over all places
    where it was taken, and one that was never taken, or is `padding_idx`, receives 0. On a CPU, and on a
    GPU after ``runtime.deterministic()``, the sum always has the same order. Half precision is summed in float32.

    Args:
        indices: integers in [0, num_embeddings), any shape.
        weight: (num_embeddings, D).
        padding_idx: the row of what only fills up; −1 is the last one.

    >>> embedding(torch.tensor([2, 0, 2]), torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.],
            [4., 5.]])

    Raises:
        TypeError: indices aren't integers.
        IndexError: there is no such row (on a CPU; to ask a GPU is to wait for it, and torch stops there itself).
        ValueError: weight isn't (num_embeddings, D), or has no row padding_idx.
    """
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight of shape {tuple(weight.shape)} must be (num_embeddings, D)")
    if indices.is_floating_point() or indices.dtype == torch.bool:
        raise TypeError(f"embedding: indices must be integers, not {indices.dtype}")
    rows, places = len(weight), indices.reshape(-1).long()
    strange = (places < 0) | (places >= rows)
    if places.device.type == "cpu" and strange.any():
        raise IndexError(f"embedding: index (={places[strange][0].item()}) must be in [0, num_embeddings (={rows}))")
    padding = None if padding_idx is None else padding_row("embedding", padding_idx, rows)

    def embedding_pullback(ȳ: Array):
        W̄ = wide(ȳ).new_zeros(weight.shape)
        W̄.index_add_(0, places, wide(ȳ).reshape(-1, weight.shape[1]))
        if padding is not None:
            W̄[padding] = 0
        return None, W̄.to(weight.dtype)

    return weight[places].reshape(*indices.shape, weight.shape[1]), embedding_pullback


def padding_row(op: str, padding_idx: int, num_embeddings: int) -> int:
    """The row `padding_idx`, counted from the first."""
    row = integer(op, "padding_idx", padding_idx, -num_embeddings)
    if row >= num_embeddings:
        raise ValueError(f"{op}: padding_idx (={row}) must be below num_embeddings (={num_embeddings})")
    return row % num_embeddings


class Embedding(Module):
    """A trained vector of `embedding_dim` numbers for each of `num_embeddings` words: `weight` (num_embeddings,
    embedding_dim).

    Takes integers (…) and gives (…, embedding_dim). Weights start from N(0, 1), the row `padding_idx`, which gets no
    gradient, from 0.

    >>> Embedding(10, 3)(torch.tensor([[1, 2], [9, 1]])).shape
    torch.Size([2, 2, 3])

    Raises:
        ValueError: a number isn't whole and above 0, or there is no row padding_idx.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        num_embeddings = integer("Embedding", "num_embeddings", num_embeddings)
        embedding_dim = integer("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else padding_row("Embedding", padding_idx, num_embeddings)
        self.weight = Parameter(torch.randn(num_embeddings, embedding_dim))
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def forward(self, indices: Array) -> Tensor:
        return embedding(indices, self.weight, padding_idx=self.padding_idx)

    def extra_repr(self) -> str:
        num_embeddings, embedding_dim = self.weight.shape
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{num_embeddings}, {embedding_dim}{padding}"
