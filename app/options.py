"""What several commands share: options, files that they read or write, modules that only a checkout has."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import torch

from ..core import PhotomendError, replacing
from ..core.backend import profile
from ..core.backend.machine import use
from ..core.backend.ranks import ranks
from ..core.backend.runtime import choose_device, keep_freed_memory, set_threads
from ..core.reading import parse_json, read_text
from ..data.claims import MOST_PIXELS, allow_pixels
from .paths import FOLDER

Command = TypeVar("Command", bound=Callable[..., Any])

#: The key under which a command's context keeps --no-profile.
NO_PROFILE = "photomend.no_profile"
SEED = click.IntRange(0, 2**63 - 1)


def runtime_options(command: Command) -> Command:
    """--device, --threads and --no-profile."""
    no_profile = click.option(
        "--no-profile",
        is_flag=True,
        expose_value=False,
        callback=lambda context, option, ignored: context.meta.update({NO_PROFILE: ignored}),
        help="Ignore this machine's profile, which `photomend tune` makes.",
    )
    threads = click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: one for each core]")
    about = "auto, cpu or cuda; auto takes a GPU if there is one."
    return click.option("--device", default="auto", show_default=True, help=about)(threads(no_profile(command)))


def pixels_option(command: Command) -> Command:
    """--max-pixels."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        expose_value=False,
        callback=lambda context, option, most: allow_pixels(most),
        help=f"The most pixels of a photo that is read.  [default: {MOST_PIXELS}]",
    )(command)


def photo_options(command: Command) -> Command:
    """--photos, --data and --max-pixels."""
    command = pixels_option(command)
    command = click.option("--data", type=FOLDER, help="A data set that `photomend prepare` made.")(command)
    return click.option("--photos", type=FOLDER, help="A folder of photos, searched with its subfolders.")(command)


views_option = click.option(
    "--views",
    type=click.Choice([1, 8]),
    help="Test-time augmentation: average a network's answers to so many flips and quarter turns of each hole's"
    " surroundings. With 8 it is slightly more accurate, and the network takes 8 times as long."
    "  [default: 8 for photomend-m, else 1]",
)


def set_up_runtime(device: str, threads: int | None) -> torch.device:
    """Set the number of threads, keep freed memory, use this machine's profile if there is one, and give the device.

    Raises PhotomendError for a device that isn't there.
    """
    set_threads(threads)
    keep_freed_memory()
    context = click.get_current_context(silent=True)
    measured = None if context is None or context.meta.get(NO_PROFILE) else profile.load()
    if measured is not None and ranks().first:
        click.echo(f"photomend: uses this machine's profile, {profile.path()} (--no-profile ignores it)", err=True)
    use(measured)
    return choose_device(device)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, replacing one of that name. Raises PhotomendError naming it.

    What isn't UTF-8 in the name of a photo or a class is written as \\udcNN.
    """
    try:
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise PhotomendError(f"{path}: can't be written ({error.strerror})") from error


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, or in the JSON file of a run. Raises PhotomendError naming it."""
    import tomllib  # here, because only training has settings

    try:
        text = read_text(path)
        settings = parse_json(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise PhotomendError(f"{path}: can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise PhotomendError(f"{path}: not a file of settings ({str(error)[:200]})") from error
    if not isinstance(settings, dict):
        raise PhotomendError(f"{path}: not a file of settings")
    if not isinstance(network := settings.get("model_config", {}), dict):
        raise PhotomendError(f"{path}: model_config (={network!r:.80}) must be a table")
    return {key: value for key, value in settings.items() if value is not None}


def check_target(path: Path, *suffixes: str, overwrite: bool = True) -> None:
    """Refuse, before any work, a file of another kind, one that is there unless it may be replaced, or one in a folder
    that isn't there or takes no files.

    Raises PhotomendError.
    """
    folder = path.absolute().parent
    if path.suffix.lower() not in suffixes:
        raise PhotomendError(f"{path}: the name of this file must end in {' or '.join(suffixes)}")
    if path.is_dir() or not folder.is_dir():
        raise PhotomendError(f"{path}: {'is a folder' if path.is_dir() else 'there is no folder to write it to'}")
    if not os.access(folder, os.W_OK):
        raise PhotomendError(f"{path}: no file can be written to its folder")
    if path.exists() and not overwrite:
        raise PhotomendError(f"{path}: exists already; --overwrite replaces it")


def import_from_checkout(command: str, folder: str, name: str) -> Any:
    """The module `name` of `folder`, which only a checkout has. Raises PhotomendError, which says so, without one."""
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
