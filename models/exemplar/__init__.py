"""Holes filled with patches of the same photo: the search, the vote and the pyramid, and the fills made of them."""

from .fills import ExemplarFill, TextureFill

__all__ = ["ExemplarFill", "TextureFill"]
