"""photomend rebuilds missing rectangles in photographs with a deep-learning engine written from scratch.

`photomend.repair` rebuilds the missing parts of a photo; `check` checks an operation and its gradient; `save`, `load`,
`summary` and `draw` are for any module. The parts: `photomend.core` (tensors, tape, modules), `photomend.layers`,
`photomend.models`, `photomend.data`, `photomend.train` (`fit` trains any module, `optimizers` has SGD, Adam and others)
and `photomend.app` (command line).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from . import app as app
    from . import core as core
    from . import data as data
    from . import layers as layers
    from . import models as models
    from . import train as train
    from .app.api import repair as repair
    from .core import check as check
    from .core.drawing import draw as draw
    from .core.summary import summary as summary
    from .models.weights import load as load
    from .models.weights import save as save

#: Where to find what is imported when it is first asked for, because it brings torch along.
_LATER = {
    "check": ".core",
    "draw": ".core.drawing",
    "load": ".models.weights",
    "repair": ".app.api",
    "save": ".models.weights",
    "summary": ".core.summary",
}
_PARTS = ("app", "core", "data", "layers", "models", "train")


def __getattr__(name: str) -> object:
    if name == "__version__":  # written down in pyproject.toml alone; reading it there takes a moment
        return import_module("importlib.metadata").version("photomend")
    if name in _PARTS:
        return import_module(f".{name}", __name__)
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_LATER, *_PARTS, "__version__"])
