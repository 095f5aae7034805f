"""photomend rebuilds missing rectangles in photographs with a deep-learning engine written from scratch.

`photomend.repair` rebuilds the missing parts of a photo. The parts, each importable by name: `photomend.core` (tensors,
tape, modules), `photomend.layers`, `photomend.models`, `photomend.data`, `photomend.train` and `photomend.app` (command
line, photo repair).
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app.api import repair as repair

__version__ = version("photomend")  # one place only: pyproject.toml


def __getattr__(name: str) -> object:
    """`repair` is imported when it is first asked for, because it brings torch along."""
    if name == "repair":
        from .app.api import repair

        return repair
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
