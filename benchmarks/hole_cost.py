"""Does a repair's time grow with the hole's pixels, or faster? One square hole of each of several sides in one photo.

    python -m photomend.benchmarks.hole_cost --photo FILE --threads 1

The photo is resized to a shorter side of 1600 pixels, so that every hole has all of its surroundings, and the hole lies
in its middle. Seconds are those of the processor, all threads together: other programs change them little. "Patches" is
what the natural look takes beside the faithful one. The exponent e of seconds = a · pixelsᵉ is fitted by least squares
to the logarithms: 1 is linear, 2 would be every patch of the hole compared with every known one.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from time import process_time

import click
import numpy as np
from photomend.app.natural import LOOKS
from photomend.app.options import runtime_options, set_up_runtime
from photomend.app.paths import FILE
from photomend.app.repair import Repairer
from photomend.data.photos import Photo, read_photo, resize

#: Pixels: the photo's shorter side, and the sides of the holes.
SHORT, SIDES = 1600, (60, 100, 140, 200, 300, 420, 600)
#: The least of so many runs counts.
RUNS = 2


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--photo", "path", type=FILE, required=True, help="Any photo; its size doesn't matter.")
@runtime_options
def main(path: Path, device: str, threads: int | None) -> None:
    where = set_up_runtime(device, threads)
    photo = read_photo(path)
    scale = SHORT / min(photo.shape[:2])
    photo = resize(photo, round(scale * photo.shape[0]), round(scale * photo.shape[1]))
    repairers = [Repairer.load(device=where, look=look) for look in LOOKS]
    for repairer in repairers:
        seconds_of(repairer, photo, SIDES[0])  # what is loaded at the first use
    rows = []
    for side in SIDES:
        faithful, natural = (seconds_of(repairer, photo, side) for repairer in repairers)
        rows.append((side, faithful, natural - faithful))
    click.echo(table(rows))


def seconds_of(repairer: Repairer, photo: Photo, side: int) -> float:
    """Seconds of the processor for a square hole in the photo's middle."""
    height, width, _ = photo.shape
    mask = np.zeros((height, width), np.bool_)
    top, left = (height - side) // 2, (width - side) // 2
    mask[top : top + side, left : left + side] = True
    taken = []
    for _ in range(RUNS):
        started = process_time()
        repairer.repair(photo, mask)
        taken.append(process_time() - started)
    return min(taken)


def table(rows: list[tuple[int, float, float]]) -> str:
    """Of rows with a side, the network's seconds and those of the patches."""
    lines = [
        "| hole, pixels | network, seconds | patches, seconds | patches, seconds per 10,000 pixels | growth |",
        "|---|---:|---:|---:|---:|",
    ]
    growths = ["–", *(f"{exponent([a, b]):.2f}" for a, b in pairwise((side**2, patches) for side, _, patches in rows))]
    for (side, network, patches), growth in zip(rows, growths, strict=True):
        each = 1e4 * patches / side**2
        lines.append(f"| {side}×{side} | {network:.2f} | {patches:.2f} | {each:.2f} | {growth} |")
    network, patches = (exponent([(row[0] ** 2, row[column]) for row in rows]) for column in (1, 2))
    return "\n".join([*lines, "", f"exponent: network {network:.2f}, patches {patches:.2f}"])


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of log(seconds) over log(pixels)."""
    pixels, seconds = np.log(np.array(points)).T
    return float(np.polyfit(pixels, seconds, 1)[0])


if __name__ == "__main__":
    main()
