"""The engine's own primitives, each with its pullback: arithmetic, matrix products, reductions, reshaping."""
