"""Ways to convolve, each in a file of its own with its derivation, and the rule that chooses among them."""

from .choose import choose
from .problem import Problem

__all__ = ["Problem", "choose"]
