"""The options of commands that say what is missing of a photo."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...core import PhotomendError
from ...data.masks import Box
from ..paths import FILE
from . import CERTAINTY
from .choice import Choice
from .colours import Colour, colour_of

Command = TypeVar("Command", bound=Callable[..., Any])


def box_of(text: str) -> Box:
    """The box `x,y,w,h` in pixels. Raises click.BadParameter for another text."""
    try:
        return Box(*(int(part) for part in text.split(",")))
    except (TypeError, ValueError) as error:
        raise click.BadParameter(f"{text!r} is not four whole numbers x,y,w,h") from error


def named_colour(text: str) -> Colour:
    """See `colour_of`. Raises click.BadParameter."""
    try:
        return colour_of(text)
    except PhotomendError as error:
        raise click.BadParameter(str(error)) from error


OPTIONS = (
    click.option(
        "--mask",
        type=FILE,
        help="An image whose non-black pixels are missing, or a folder of them: each photo takes the mask of its own"
        " subfolder and name, with _mask or -mask behind it or without. Transparent pixels are known.",
    ),
    click.option(
        "--box",
        "boxes",
        type=box_of,
        metavar="X,Y,W,H",
        multiple=True,
        help="A missing rectangle: column and row of its upper left pixel, width, height. May be repeated.",
    ),
    click.option(
        "--mask-from-alpha",
        is_flag=True,
        help="The photo's own transparent pixels are missing, with the soft edge around them. They become opaque.",
    ),
    click.option(
        "--auto",
        is_flag=True,
        help="Dust, hairs and scratches of a scan are missing, and what was painted over in black, as they are found."
        " Look at what that is first: --dry-run -o mask.png.",
    ),
    click.option(
        "--auto-certainty",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="P",
        help=f"How likely a mark has to be damage for --auto: more finds less.  [default: {CERTAINTY}]",
    ),
    click.option(
        "--auto-colour",
        "--auto-color",
        "auto_colour",
        type=named_colour,
        metavar="COLOUR",
        help="Pixels of this colour are missing: damage that was painted over. A name, #rrggbb or r,g,b.",
    ),
    click.option(
        "--auto-tolerance",
        type=click.IntRange(0, 255),
        metavar="N",
        help="How far red, green and blue may each be from it, of 255.  [default: 0, of a lossy format 32]",
    ),
    click.option("--invert", is_flag=True, help="The mask is white, or transparent, where the photo is known."),
    click.option(
        "--threshold",
        type=click.IntRange(1, 255),
        metavar="N",
        help="The mask is missing from this value on, of 255; with --mask-from-alpha, the photo is where it is less"
        " opaque.  [default: 1, for a mask in a lossy format such as JPEG 128]",
    ),
    click.option(
        "--grow", type=click.IntRange(min=0), default=0, metavar="PX", help="Pixels this near count as missing, too."
    ),
    click.option(
        "--feather",
        type=click.IntRange(min=0),
        default=0,
        metavar="PX",
        help="Blend the repair into the known pixels this near. Without it, no known pixel changes.",
    ),
)


def mask_options(command: Command) -> Callable[..., Any]:
    """All options that say what is missing; the command gets `mask`, a path or None, and `choice`, the rest.

    Raises click.UsageError if none is used, or one that is of use only with another.
    """

    @functools.wraps(command)
    def with_choice(
        *args: Any,
        mask: Path | None,
        boxes: tuple[Box, ...],
        mask_from_alpha: bool,
        auto: bool,
        auto_certainty: float | None,
        auto_colour: Colour | None,
        auto_tolerance: int | None,
        invert: bool,
        threshold: int | None,
        grow: int,
        feather: int,
        **others: Any,
    ) -> Any:
        choice = Choice(
            boxes=boxes,
            alpha=mask_from_alpha,
            damage=auto,
            certainty=CERTAINTY if auto_certainty is None else auto_certainty,
            colour=auto_colour,
            tolerance=auto_tolerance,
            threshold=threshold,
            invert=invert,
            grow=grow,
            feather=feather,
        )
        if mask is None and not choice:
            raise click.UsageError("say what is missing: --mask, --box, --mask-from-alpha, --auto or --auto-colour")
        if invert and mask is None:
            raise click.UsageError("--invert turns a mask around: it needs --mask")
        if threshold is not None and mask is None and not mask_from_alpha:
            raise click.UsageError("--threshold is for --mask or --mask-from-alpha")
        if auto_tolerance is not None and auto_colour is None:
            raise click.UsageError("--auto-tolerance is for --auto-colour")
        if auto_certainty is not None and not auto:
            raise click.UsageError("--auto-certainty is for --auto")
        return command(*args, mask=mask, choice=choice, **others)

    wrapped: Callable[..., Any] = with_choice
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped
