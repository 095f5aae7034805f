"""The methods of Tensors, with torch's names and arguments. Each calls the primitive that has the pullback, or several.

What has no derivative, such as `argmax`, gives a raw array, which is a constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Never

import numpy as np
import torch

from .operators import PRIMITIVES, Operators
from .tape import Array

if TYPE_CHECKING:
    from .tensor import Tensor

Dim = int | tuple[int, ...] | None


class Methods(Operators):
    """The methods of a `Tensor`."""

    __slots__ = ()

    # --- as a plain number or array: constants ---------------------------------------------------------------------

    def item(self) -> float:
        """The value of a Tensor with one element, as a Python number."""
        return self.data.item()

    def tolist(self) -> Any:
        """The values as (nested) lists of Python numbers."""
        return self.data.tolist()

    def numpy(self) -> np.ndarray:
        """The values of a Tensor that isn't tracked as a NumPy array, which shares their memory.

        Raises:
            RuntimeError: the Tensor is tracked. A change through NumPy goes unnoticed, and a backward pass that reads
                the values would be wrong.
        """
        if self.tracked:
            raise RuntimeError("numpy: this Tensor is tracked; write x.detach().numpy(), and copy it to change it")
        return self.data.numpy()

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Array:
        """Where the largest element stands, as integers; `dim` None: in the flattened array."""
        return self.data.argmax(dim, keepdim)

    # --- element by element ----------------------------------------------------------------------------------------

    def abs(self) -> Tensor:
        """|x|."""
        return PRIMITIVES["absolute"](self)

    def exp(self) -> Tensor:
        """eˣ."""
        return PRIMITIVES["exp"](self)

    def log(self) -> Tensor:
        """The natural logarithm."""
        return PRIMITIVES["log"](self)

    def sqrt(self) -> Tensor:
        """√x."""
        return PRIMITIVES["sqrt"](self)

    def pow(self, exponent: Any) -> Tensor:
        """``x ** exponent``, of a number or a Tensor."""
        return PRIMITIVES["power"](self, exponent)

    def clamp(self, min: float | None = None, max: float | None = None) -> Tensor:
        """x held within [min, max]; None: no bound."""
        return PRIMITIVES["clamp"](self, min=min, max=max)

    # --- reductions ------------------------------------------------------------------------------------------------

    def sum(self, dim: Dim = None, keepdim: bool = False, **unknown: Never) -> Tensor:
        """The sum over the axes `dim` (None: all)."""
        return PRIMITIVES["sum"](self, dim=dim, keepdim=keepdim, **unknown)

    def mean(self, dim: Dim = None, keepdim: bool = False, **unknown: Never) -> Tensor:
        """The mean over the axes `dim` (None: all)."""
        return PRIMITIVES["mean"](self, dim=dim, keepdim=keepdim, **unknown)

    def var(self, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> Tensor:
        """The variance over the axes `dim` (None: all): squared deviations, summed and divided by n − `correction`."""
        return PRIMITIVES["variance"](self, dim=dim, correction=correction, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The largest element along the axes `dim` (None: all)."""
        return PRIMITIVES["amax"](self, dim=dim, keepdim=keepdim)

    def amin(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The smallest element along the axes `dim` (None: all)."""
        return PRIMITIVES["amin"](self, dim=dim, keepdim=keepdim)

    def max(self, dim: None = None) -> Tensor:
        """The largest of all elements; along an axis see `amax` and `argmax`."""
        _no_axis("max", dim)
        return self.amax()

    def min(self, dim: None = None) -> Tensor:
        """The smallest of all elements; along an axis see `amin`."""
        _no_axis("min", dim)
        return self.amin()

    # --- shape -----------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> torch.Size:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of the axis `dim`."""
        return self.shape if dim is None else self.data.size(dim)

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.data.numel()

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape: ``x.reshape(2, -1)`` or ``x.reshape((2, -1))``; −1 is what remains."""
        return PRIMITIVES["reshape"](self, shape=_several(shape))

    def view(self, *shape: Any) -> Tensor:
        """The same as `reshape`, which shares memory where that is possible."""
        return self.reshape(*shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes from `start_dim` to `end_dim`, that one included, as a single axis."""
        first, last = (_axis(dim, max(self.ndim, 1)) for dim in (start_dim, end_dim))
        if first > last:
            raise ValueError(f"flatten: start_dim (={start_dim}) must not come after end_dim (={end_dim})")
        shape = self.shape
        return self.reshape(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])

    def squeeze(self, dim: Dim = None) -> Tensor:
        """Without the axes `dim` (None: all) as far as their length is 1."""
        dims = range(self.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
        axes = {_axis(d, max(self.ndim, 1)) for d in dims}
        return self.reshape([n for axis, n in enumerate(self.shape) if n != 1 or axis not in axes])

    def unsqueeze(self, dim: int) -> Tensor:
        """With a new axis of length 1 before the axis `dim`."""
        axis = _axis(dim, self.ndim + 1)
        return self.reshape(*self.shape[:axis], 1, *self.shape[axis:])

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order: ``x.permute(0, 2, 3, 1)``."""
        return PRIMITIVES["permute"](self, dims=_several(dims))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged."""
        return PRIMITIVES["transpose"](self, dim0=dim0, dim1=dim1)

    @property
    def T(self) -> Tensor:  # noqa: N802 (torch's name)
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ValueError(f"T: a Tensor with {self.ndim} axes isn't a matrix; write x.mT, x.transpose or x.permute")
        return self.transpose(0, 1)

    @property
    def mT(self) -> Tensor:  # noqa: N802 (torch's name)
        """Each matrix transposed, of the last two axes."""
        return self.transpose(-2, -1)

    def split(self, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Parts along the axis `dim`: of one length, the last may be shorter, or of the lengths in a list.

        Each part is an index of its own, so a part that isn't used costs nothing in the backward pass.

        Raises:
            ValueError: the lengths don't add up to that of the axis.
        """
        axis, sections = _axis(dim, self.ndim), split_size_or_sections
        length = self.shape[axis]
        if isinstance(sections, int):
            if sections < 1:
                raise ValueError(f"split: split_size (={sections}) must be at least 1")
            sections = [min(sections, length - start) for start in range(0, length, sections)]
        if sum(sections) != length:
            raise ValueError(f"split: sections (={list(sections)}) must add up to {length}, the length of axis {dim}")
        ends = accumulate(sections)
        return tuple(self[(slice(None),) * axis + (slice(e - n, e),)] for e, n in zip(ends, sections, strict=True))


def _no_axis(name: str, dim: Any) -> None:
    """Raises TypeError for torch's `max` and `min` along an axis, which give two results."""
    if dim is not None:
        raise TypeError(f"{name}: along an axis write x.a{name}(dim), and x.data.arg{name}(dim) for where it stands")


def _several(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Numbers given one by one, or as one tuple or list."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers


def _axis(dim: int, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
        IndexError: there is no such axis.
    """
    if not -ndim <= dim < ndim:
        raise IndexError(f"dim (={dim}) is out of range for an array with {ndim} axes")
    return dim % ndim
