"""Layers, one family a file: the primitive (forward and pullback) and, under it, its module."""
