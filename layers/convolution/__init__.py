"""Ways to convolve, each in a file of its own with its derivation, and the planner that chooses among them."""

from .planner import ALGORITHMS, plan
from .rules import Plan
from .shape import Algorithm, ConvShape

__all__ = ["ALGORITHMS", "Algorithm", "ConvShape", "Plan", "plan"]
