"""photomend rebuilds missing rectangles in photographs with a deep-learning engine written from scratch.

The parts, each importable by name: `photomend.core` (tensors, tape, modules), `photomend.layers`,
`photomend.models`, `photomend.data`, `photomend.train` and `photomend.app` (command line, photo repair).
"""

import os
from importlib.metadata import version

# After a parallel operation GNU's OpenMP lets its threads wait for the next one in a loop, for milliseconds; meanwhile
# the threads of core/workers.py want the same cores. 2000 turns are enough between one operation and the next. It is
# read when torch is loaded: who imports torch first decides for himself, and who has set it keeps it.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = version("photomend")  # one place only: pyproject.toml
