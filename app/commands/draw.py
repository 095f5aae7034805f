"""`photomend draw`: a network's parts as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from ...core import PhotomendError, replacing
from ...core.backend.runtime import set_threads
from ..options import check_target
from ..paths import FILE
from ..reconstructors import load_network
from ..report.architecture import count, trace
from ..report.drawing import draw, file_style

#: The longest side of a photo whose shapes are shown: the network runs on it.
LONGEST = 2048
#: How many pixels of a PNG a unit of the drawing has.
SCALE = 2


def size_of(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """The size `HxW` in pixels. Raises click.BadParameter for another text."""
    if text is None:
        return None
    try:
        height, width = map(int, text.lower().replace("×", "x").split("x"))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not two whole numbers HxW") from error
    if not (8 <= height <= LONGEST and 8 <= width <= LONGEST):
        raise click.BadParameter(f"{text!r}: height and width must be from 8 to {LONGEST} pixels")
    return height, width


@click.command("draw", no_args_is_help=True)
@click.argument("model")
@click.option("-o", "--output", type=FILE, required=True, help="The picture; its name ends in .svg or .png.")
@click.option(
    "--size",
    metavar="HXW",
    callback=size_of,
    help="Height and width of the photo whose shapes are shown.  [default: the window it was trained on]",
)
@click.option("--overwrite", is_flag=True, help="Replace a picture that exists already.")
def command(model: str, output: Path, size: tuple[int, int] | None, overwrite: bool) -> None:
    """Draw what a network is made of: its parts with their layers, the shapes of their results and numbers of weights.

    MODEL is a network's name, a run folder or a weights file. The arrows are read off the tape of a run. An SVG is
    light or dark as the reader's screen is.

    \b
    photomend draw attention -o attention.svg
    photomend draw RUN -o run.png --size 224x224
    """
    check_target(output, ".svg", ".png", overwrite=overwrite)
    set_threads(None)
    network = load_network(model)
    try:
        parts = trace(network, size)
    except ValueError as error:
        height, width = size or (network.window, network.window)
        raise PhotomendError(
            f"--size {height}x{width}: height and width must be divisible by {network.stride} for {model}"
        ) from error
    svg = output.suffix.lower() == ".svg"
    drawing = str(draw(parts, f"architecture of {model}", style=file_style(dark=svg)))
    content = drawing.encode() if svg else to_png(drawing)
    with replacing(output) as draft:
        draft.write_bytes(content)
    click.echo(f"{output}  {len(parts) - 1} parts, {count(network.parameter_count())} weights")


def to_png(svg: str) -> bytes:
    """A drawing as pixels."""
    import pyvips  # here, because an SVG needs none of it

    picture: bytes = pyvips.Image.svgload_buffer(svg.encode(), scale=SCALE).pngsave_buffer()
    return picture
