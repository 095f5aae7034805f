"""Training: losses, optimizers, schedules, metrics, checkpoints and evaluation, written by hand.

`fit` trains any model on any arrays, `loop.train` the networks that repair photos; both take the same step.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fitting import History as History
    from .fitting import fit as fit


def __getattr__(name: str) -> object:
    """These are imported when they are first asked for: an optimizer alone needs no loop."""
    if name in ("History", "fit"):
        from . import fitting

        return getattr(fitting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
