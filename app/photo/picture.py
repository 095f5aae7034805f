"""A picture: the pixels of a photo as its file has them, upright, and all else that is to come back with them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...data.photos import Mask
from .canvas import Canvas, GreyCanvas, Hiding, InkCanvas, PaletteCanvas, Pixels, RGBCanvas, Scale
from .metadata import Metadata

#: How many channels each kind of colours has, before alpha and others.
CHANNELS = {"grey": 1, "palette": 1, "RGB": 3, "CMYK": 4}
#: Where a pixel counts as transparent when alpha is all or nothing.
HALF = 0.5


@dataclass(frozen=True)
class Origin:
    """The file that a picture was read from.

    Attributes:
        path: where it is.
        form: its format, by Pillow's name.
        turned: the EXIF orientation that was applied to its pixels; 1 if none.
        pages: how many pages or frames it has, of which the picture is the first.
        coefficients: of a JPEG, where they are being read already; see `jpeg.read_ahead`.
    """

    path: Path
    form: str
    turned: int = 1
    pages: int = 1
    coefficients: Future[Any] | None = None


@dataclass(frozen=True)
class Picture:
    """A photo of any kind.

    Attributes:
        pixels: (H, W), or (H, W, C) with alpha and further channels behind the colours; bool, integers or floats.
        colours: one of CHANNELS.
        alpha: whether the channel behind the colours is alpha.
        premultiplied: whether the colours were multiplied by alpha, as a TIFF may have them.
        white: the number that means white, where that isn't the type's largest: 1023 for 10 bits.
        palette: uint8 (N, 4), the colours and alpha that the indices of a palette mean.
        key: the one colour that counts as transparent, in the numbers of `pixels`.
        metadata: what the file says about it.
        origin: the file it was read from; None for one that never was in a file.
        rebuilt: which pixels (H, W) aren't those of the file any more.
    """

    pixels: Pixels
    colours: str
    alpha: bool = False
    white: int | None = None
    premultiplied: bool = False
    palette: NDArray[np.uint8] | None = None
    key: tuple[int, ...] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    origin: Origin | None = None
    rebuilt: Mask | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.pixels.shape[:2]
        return height, width

    @property
    def bits(self) -> int:
        """Bits a channel."""
        if self.pixels.dtype.kind == "b":
            return 1
        return self.white.bit_length() if self.white else 8 * self.pixels.dtype.itemsize

    @property
    def kind(self) -> str:
        """In words: "16-bit RGB with alpha"."""
        depth = {1: "black and white"}.get(self.bits, f"{self.bits}-bit {self.colours}")
        depth = depth.replace("-bit", {"f": "-bit float", "i": "-bit signed"}.get(self.pixels.dtype.kind, "-bit"))
        transparent = self.alpha or self.key is not None or self.transparent_palette
        return f"{depth} with alpha" if transparent else depth

    @property
    def transparent_palette(self) -> bool:
        return self.palette is not None and bool((self.palette[:, 3] < 255).any())

    @property
    def extra(self) -> range:
        """The channels behind the colours."""
        return range(CHANNELS[self.colours], self.pixels.shape[2] if self.pixels.ndim == 3 else 1)

    def channel(self, number: int) -> Pixels:
        """One channel (H, W), a view."""
        return self.pixels[..., number] if self.pixels.ndim == 3 else self.pixels

    def scale(self, known: Mask) -> Scale:
        """The scale of the colours."""
        colours = self.pixels[..., : CHANNELS[self.colours]] if self.pixels.ndim == 3 else self.pixels
        return Scale.of(colours, known, self.white)

    def canvas(self, missing: Mask) -> Canvas:
        """The colours, to be painted in place where they are `missing`."""
        canvas = self._plain_canvas(self.scale(~missing))
        hidden = self.hidden()
        return canvas if hidden is None else Hiding(canvas, hidden & ~missing, missing)

    def _plain_canvas(self, scale: Scale) -> Canvas:
        if self.palette is not None:
            return PaletteCanvas(self.pixels, self.palette)
        if self.colours == "grey":
            return GreyCanvas(self.channel(0), scale)
        return InkCanvas(self.pixels, scale) if self.colours == "CMYK" else RGBCanvas(self.pixels, scale)

    def hidden(self) -> Mask | None:
        """Which pixels (H, W) show no colour: they are transparent, or no finite numbers. None if all do."""
        if self.palette is not None:
            return (self.palette[:, 3] == 0)[self.pixels] if self.transparent_palette else None
        if self.key is not None:
            return self.is_key()
        if self.pixels.dtype.kind == "f":
            unseen: Mask = np.any(~np.isfinite(np.atleast_3d(self.pixels)), axis=2)
            return unseen | (self.channel(self.extra[0]) == 0) if self.alpha else unseen
        return self.channel(self.extra[0]) == 0 if self.alpha else None

    def straight(self) -> Self:
        """The same with colours that aren't multiplied by alpha; of a transparent pixel they are 0."""
        if not self.premultiplied:
            return self
        count, floats = CHANNELS[self.colours], self.pixels.dtype.kind == "f"
        white = 1.0 if floats else self.scale(np.ones(self.shape, np.bool_)).white
        colours, alpha = (part.astype(np.float64) for part in (self.pixels[..., :count], self.pixels[..., count, None]))
        colours = np.divide(colours * white, alpha, out=np.zeros_like(colours), where=alpha > 0)
        pixels = self.pixels.copy()
        pixels[..., :count] = colours if floats else np.rint(colours).clip(0, white)
        return replace(self, pixels=pixels, premultiplied=False, origin=None)

    def is_key(self) -> Mask:
        """Which pixels (H, W) have the colour that counts as transparent."""
        same = np.atleast_3d(self.pixels == np.array(self.key, self.pixels.dtype))
        return np.asarray(same.all(axis=2))

    def copy(self, **changes: Any) -> Self:
        """The same with pixels of its own, or with `changes`."""
        return replace(self, **(changes if "pixels" in changes else {"pixels": self.pixels.copy(), **changes}))
