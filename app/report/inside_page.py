"""The page that shows a network at work on a photo: what goes into its template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib import colormaps

from ...core import Array
from ...models import AttentionModel, RepairNetwork
from ...models.calibration import SHARE, Expected
from ..figures import to_photo
from ..options import write_text
from ..pieces import sprawls
from . import templates
from .images import Image, Pixels, close_up, jpeg
from .inside import Inside
from .inside_images import (
    CHANNELS,
    OPEN,
    SHUT,
    SIGNED,
    bars,
    channel_grid,
    difference,
    enlarged,
    number_strip,
    over_photo,
)


@dataclass(frozen=True)
class Picture:
    """A picture with what stands below it."""

    image: Image
    words: str


@dataclass(frozen=True)
class Gates:
    """A channel attention: its bars, and how many gates are open and shut, in percent."""

    name: str
    chart: Markup
    words: str


@dataclass(frozen=True)
class Section:
    """Everything about one hole that the page shows."""

    title: str
    notes: list[str]
    expected: str
    fills: list[Picture]
    residual: list[Picture]
    limit: float
    stages: list[Picture]
    gates: list[Gates]
    places: list[Picture]


def write_page(
    path: Path,
    title: str,
    facts: list[str],
    whole: Image,
    network: RepairNetwork,
    insides: list[Inside],
) -> None:
    """Write the page: one HTML file, which loads nothing.

    Args:
        path: the file, replaced whole or not at all.
        title: its heading.
        facts: sentences about the photo and the network.
        whole: the whole photo.
        network: what was looked into.
        insides: what it did with each hole.

    Raises PhotomendError naming the file when it can't be written.
    """
    starts = isinstance(network, AttentionModel)
    html = (
        templates()
        .get_template("inside.html.jinja")
        .render(
            title=title,
            facts=facts,
            whole=whole,
            name=network.name,
            starts=starts,
            most=CHANNELS,
            open=OPEN,
            shut=SHUT,
            ramp=ramp(),
            sections=[section(number, inside, network.name, starts) for number, inside in enumerate(insides, start=1)],
        )
    )
    write_text(path, html)


def section(number: int, inside: Inside, name: str, starts: bool) -> Section:
    """What the page shows of a hole."""
    rows, columns = inside.hole.window
    size = f"{columns.stop - columns.start} × {rows.stop - rows.start} pixels"
    title = f"Hole {number}: {size} at {columns.start}, {rows.start}"
    change = inside.change()
    limit = max(1.0, float(change.abs().max()))
    return Section(
        title,
        notes_on(inside),
        words_for(inside.expected),
        fills_of(inside, starts),
        residual_of(inside, change, limit, name, starts),
        limit,
        stages_of(inside),
        gates_of(inside),
        places_of(inside),
    )


def fills_of(inside: Inside, starts: bool) -> list[Picture]:
    """The hole from close by, damaged and filled."""
    if inside.crop is None or inside.missing is None:
        return []
    near = close_up(inside.missing)
    shown = {"damaged": inside.crop * (1 - inside.missing), **inside.fills}
    return [
        Picture(
            enlarged(to_photo(pixels)[near], f"the hole, {model}"),
            "harmonic, the first guess" if starts and model == "harmonic" else model,
        )
        for model, pixels in shown.items()
    ]


def residual_of(inside: Inside, change: Array, limit: float, name: str, starts: bool) -> list[Picture]:
    """What the network saw, where it started, its answer, and the difference between the two."""
    if inside.guess is None or inside.answer is None:
        return []
    window, guess = seen(inside), "its first guess" if starts else "the harmonic fill"
    return [
        Picture(jpeg(window, f"what {name} sees"), f"what {name} sees, {window.shape[1]} × {window.shape[0]} pixels"),
        Picture(jpeg(to_photo(inside.guess), guess), guess),
        Picture(jpeg(to_photo(inside.answer), "its answer"), "its answer"),
        Picture(
            difference(change, limit, f"its answer less {guess}"),
            "answer − first guess" if starts else "answer − harmonic fill",
        ),
    ]


def places_of(inside: Inside) -> list[Picture]:
    """The weights of each spatial attention over what the network saw."""
    return [
        Picture(over_photo(weights, seen(inside), part), f"{part}: {weights.min():.2f} to {weights.max():.2f}")
        for part, weights in inside.places.items()
    ]


def seen(inside: Inside) -> Pixels:
    """The window with a black hole."""
    assert inside.window is not None
    assert inside.window_missing is not None
    return to_photo(inside.window * (1 - inside.window_missing))


def notes_on(inside: Inside) -> list[str]:
    """What was special about how the network was asked."""
    if inside.crop is None or inside.window is None:
        return ["A scratch: repair leaves it to the biharmonic fill, and the network never sees it."]
    notes, asked = [], f"the network was asked {inside.questions} times"
    if sprawls(inside.hole):
        notes.append(f"Long and thin: {asked}, about squares along it, of which one is shown.")
    elif inside.questions > 1:
        notes.append(
            f"Larger than the holes it was trained on: {asked}, first about all of it at a lower resolution, which is"
            " shown here, then tile by tile."
        )
    if any(seen > own for seen, own in zip(inside.window.shape[1:], inside.crop.shape[1:], strict=True)):
        notes.append("What it saw is larger than what there is around the hole: the rest is reflected.")
    return notes


def words_for(expected: Expected | None) -> str:
    if expected is None:
        return ""
    return (
        f"From what surrounds this hole, its pixels are likely to be off by {expected.mae:.0f} grey levels on average"
        f" ({expected.low:.0f} to {expected.high:.0f} in {100 * SHARE:.0f} % of such holes)."
    )


def stages_of(inside: Inside) -> list[Picture]:
    """The result of each part."""
    made = []
    for name, values in inside.stages.items():
        if values.ndim == 3:
            channels, height, width = values.shape
            shown = (
                f"{min(CHANNELS, channels)} of {channels} channels" if channels > CHANNELS else f"{channels} channels"
            )
            made.append(Picture(channel_grid(values, name), f"{name}: {shown}, {width} × {height}"))
        else:
            made.append(Picture(number_strip(values.flatten(), name), f"{name}: {values.numel()} numbers"))
    return made


def gates_of(inside: Inside) -> list[Gates]:
    """The gates of each channel attention."""
    found = []
    for name, weights in inside.channels.items():
        wide, closed = (100 * float(share.double().mean()) for share in (weights > OPEN, weights < SHUT))
        words = f"{len(weights)} channels, {wide:.0f} % open, {closed:.0f} % shut"
        found.append(Gates(name, bars(weights), words))
    return found


def ramp() -> str:
    """The colours of the differences as a CSS gradient."""
    colours = (colormaps[SIGNED](i / 8, bytes=True)[:3] for i in range(9))
    return f"linear-gradient(to right, {', '.join('rgb({} {} {})'.format(*colour) for colour in colours)})"
