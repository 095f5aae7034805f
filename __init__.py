"""photomend rebuilds missing rectangles in photographs with a deep-learning engine written from scratch.

The parts, each importable by name: `photomend.core` (tensors, tape, modules), `photomend.layers`,
`photomend.models`, `photomend.data`, `photomend.train` and `photomend.app` (command line, photo repair).
"""

from importlib.metadata import version

__version__ = version("photomend")  # one place only: pyproject.toml
