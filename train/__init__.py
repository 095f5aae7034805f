"""Training: losses, optimizers, schedules, metrics, checkpoints and evaluation, written by hand.

`fit` trains any model on any arrays, `loop.train` the networks that repair photos; both take the same step.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import losses as losses
    from . import optimizers as optimizers
    from . import schedules as schedules
    from .fitting import fit as fit
    from .history import History as History


def __getattr__(name: str) -> object:
    """These are imported when they are first asked for: an optimizer alone needs no loop."""
    if name in ("losses", "optimizers", "schedules"):
        return import_module(f".{name}", __name__)
    if name in ("History", "fit"):
        return getattr(import_module({"History": ".history", "fit": ".fitting"}[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["History", "fit", "losses", "optimizers", "schedules"]
