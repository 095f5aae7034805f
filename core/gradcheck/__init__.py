"""The gradient checker.

`differences.py` compares a pullback with finite differences (`gradcheck`); `check.py` asks everything in turn, with the
contract, a reference, kinks and a small example of what is wrong. `hints/` tells which mistake it may be.
"""

from .check import check
from .differences import gradcheck
from .function import GradientError

__all__ = ["GradientError", "check", "gradcheck"]
