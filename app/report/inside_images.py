"""Pictures of what happens inside a network: channels side by side, weights over a photo, signed differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from PIL import Image as Pillow
from PIL import ImageDraw

from ...core import Array
from ...models.holes import Window
from ..photo.canvas import Canvas
from .images import COLOURS, Image, Pixels, encoded, jpeg

#: Of a stage so many channels are shown, in so many columns, each so many pixels wide and high at most.
CHANNELS, COLUMNS, TILE = 12, 6, 96
#: Differences: blue is darker, red is lighter.
SIGNED = "RdBu_r"
#: The longest side of the whole photo, and the pixels that the network saw, as they are shown.
WHOLE, LONGEST = 720, 320
#: A gate above the first counts as open, one below the second as shut.
OPEN, SHUT = 0.9, 0.1


def strongest(values: Array) -> list[int]:
    """The channels of (C, h, w) with the largest root mean square, at most CHANNELS, the largest first."""
    power = values.double().square().mean(dim=(1, 2))
    return [int(i) for i in power.argsort(descending=True)[:CHANNELS]]


def channel_grid(values: Array, name: str) -> Image:
    """The strongest channels of a result (C, h, w) side by side, each from its lowest value (black) to its highest."""
    chosen = strongest(values)
    height, width = values.shape[1:]
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    rows = math.ceil(len(chosen) / COLUMNS)
    columns = min(COLUMNS, len(chosen))
    sheet = Pillow.new("L", (columns * (size[0] + 2) - 2, rows * (size[1] + 2) - 2), 128)
    for place, channel in enumerate(chosen):
        own = values[channel].double().numpy()
        low, high = own.min(), own.max()
        tile = Pillow.fromarray(np.uint8(255 * (own - low) / max(high - low, 1e-12)))
        tile = tile.resize(size, Pillow.Resampling.NEAREST if scale >= 1 else Pillow.Resampling.BOX)
        sheet.paste(tile, ((place % columns) * (size[0] + 2), place // columns * (size[1] + 2)))
    return encoded(sheet, f"channels {', '.join(map(str, chosen))} of {name}", "png", optimize=True)


def number_strip(values: Array, name: str) -> Image:
    """Numbers (n,) in a row: blue below 0, red above."""
    limit = max(float(values.abs().max()), 1e-12)
    row = coloured(values.double().numpy()[None] / (2 * limit) + 0.5, SIGNED)
    return encoded(Pillow.fromarray(row), f"the {len(values)} numbers of {name}", "png")


def coloured(values: np.ndarray[Any, Any], colours: str) -> Pixels:
    """Values (h, w) from 0 to 1 in the colours of that name, (h, w, 3)."""
    found: Pixels = colormaps[colours](values.clip(0, 1), bytes=True)[..., :3]
    return found


def over_photo(weights: Array, photo: Pixels, name: str) -> Image:
    """Weights (h, w), from the lowest (dark) to the highest (bright), laid over a photo (H, W, 3) in grey."""
    low, high = float(weights.min()), float(weights.max())
    values = (weights.double().numpy() - low) / max(high - low, 1e-12)
    shown = Pillow.fromarray(coloured(values, COLOURS)).resize(
        (photo.shape[1], photo.shape[0]), Pillow.Resampling.BILINEAR
    )
    grey = Pillow.fromarray(photo).convert("L").convert("RGB")
    return enlarged(np.asarray(Pillow.blend(grey, shown, 0.65)), f"weights of {name} over the photo")


def difference(values: Array, limit: float, about: str) -> Image:
    """Grey levels (h, w) from −limit (blue) to limit (red)."""
    return enlarged(coloured(values.double().numpy() / (2 * limit) + 0.5, SIGNED), about)


def enlarged(pixels: Pixels, about: str) -> Image:
    """A small picture by a whole factor, so that its pixels are seen."""
    picture = Pillow.fromarray(pixels)
    factor = max(1, LONGEST // max(picture.size))
    picture = picture.resize((picture.width * factor, picture.height * factor), Pillow.Resampling.NEAREST)
    return jpeg(np.asarray(picture), about)


def bars(weights: Array) -> Markup:
    """Gates (C,) from 0 to 1, from the most open to the most shut, as an SVG element."""
    heights = weights.double().sort(descending=True).values.tolist()
    steps = "".join(f"V{40 - 40 * height:.2f}h1" for height in heights)
    label = f"{len(heights)} gates from {heights[0]:.2f} down to {heights[-1]:.2f}"
    return Markup(
        '<svg class="bars" viewBox="0 0 {0} 40" preserveAspectRatio="none" role="img" aria-label="{1}">'
        '<path d="M0,40{2}V40Z"/></svg>'
    ).format(len(heights), label, steps)


def whole_photo(canvas: Canvas, holes: list[Window], about: str) -> Image:
    """The photo on a canvas, smaller, with a numbered frame around each of these holes."""
    height, width = canvas.shape
    step = max(1, math.ceil(max(height, width) / WHOLE))
    block = 256 * step  # a large photo is never held as floats
    rows = [
        canvas.colours((slice(top, min(top + block, height)), slice(0, width)))[::step, ::step]
        for top in range(0, height, block)
    ]
    picture = Pillow.fromarray(np.rint(255 * np.concatenate(rows).clip(0, 1)).astype(np.uint8))
    drawing = ImageDraw.Draw(picture)
    for number, (down, across) in enumerate(holes, start=1):
        box = (across.start // step - 3, down.start // step - 3, across.stop // step + 3, down.stop // step + 3)
        drawing.rectangle(box, outline="black", width=3)
        drawing.rectangle(box, outline="white", width=1)
        corner = box[0], max(2, box[1] - 20)
        drawing.text(corner, str(number), fill="white", font_size=16, stroke_width=2, stroke_fill="black")
    return encoded(picture, about, "jpeg", quality=88, optimize=True)
