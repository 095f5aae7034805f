"""The mean border colour: one colour for the whole hole, the mean of the known pixels that touch it."""

from __future__ import annotations

from ..core import Array
from .reconstructor import Fill


class BorderFill(Fill):
    """Fills with the mean colour of the known pixels beside the hole (the eight neighbours count)."""

    name = "border"

    def fill(self, known: Array, mask: Array) -> Array:
        missing = mask > 0.5
        border = (_dilate(missing) & ~missing).to(known.dtype)
        return ((known * border).sum(dim=(2, 3), keepdim=True) / border.sum(dim=(2, 3), keepdim=True)).expand_as(known)


def _dilate(missing: Array) -> Array:
    """Each bool pixel or any of its eight neighbours: along the rows first, then along the columns."""
    for axis in (2, 3):
        size = missing.shape[axis]
        grown = missing.clone()
        grown.narrow(axis, 0, size - 1).logical_or_(missing.narrow(axis, 1, size - 1))
        grown.narrow(axis, 1, size - 1).logical_or_(missing.narrow(axis, 0, size - 1))
        missing = grown
    return missing
