"""What only a checkout of photomend has: the oracles of `verify`, the benchmarks of `bench`."""

from __future__ import annotations

import importlib
from typing import Any

from ..core import PhotomendError


def import_from_checkout(command: str, folder: str, name: str) -> Any:
    """The module `name` of `folder`, which `command` needs and which isn't installed.

    Raises:
        PhotomendError: it isn't there.
    """
    module = f"{__package__.partition('.')[0]}.{folder}.{name}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise PhotomendError(
            f"{command} needs a checkout of photomend, because {folder} isn't installed: "
            f"git clone the repository, make install, and run .venv/bin/photomend {command} there"
        ) from error
