"""The tape as a picture."""

from .draw import draw
from .svg import Drawing

__all__ = ["Drawing", "draw"]
