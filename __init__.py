"""photomend rebuilds missing rectangles in photographs with a deep-learning engine written from scratch.

`photomend.repair` rebuilds the missing parts of a photo; `check` checks an operation and its gradient; `save`, `load`,
`summary` and `draw` are for any module. The parts, each importable by name: `photomend.core` (tensors, tape, modules),
`photomend.layers`, `photomend.models`, `photomend.data`, `photomend.train` (`fit` trains any module) and
`photomend.app` (command line, photo repair).
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app.api import repair as repair
    from .core import check as check
    from .core.drawing import draw as draw
    from .core.summary import summary as summary
    from .models.weights import load as load
    from .models.weights import save as save

__version__ = version("photomend")  # one place only: pyproject.toml

#: Where to find what is imported when it is first asked for, because it brings torch along.
_LATER = {
    "check": ".core",
    "draw": ".core.drawing",
    "load": ".models.weights",
    "repair": ".app.api",
    "save": ".models.weights",
    "summary": ".core.summary",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
