"""The gradient checker: differences against the pullback (`check.py`), and what a mistake may be (`hints.py`)."""

from .check import GradientError, gradcheck

__all__ = ["GradientError", "gradcheck"]
