"""What fills a hole in pixels of every kind: colours of their own depth, and nothing that leaks in from hidden ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from photomend.app.photo.canvas import InkCanvas, RepairError, Scale
from photomend.app.photo.mend import mend
from photomend.app.photo.picture import Picture
from photomend.app.repair import Repairer
from photomend.models import HarmonicFill

from .samples import HEIGHT, KINDS, WIDTH, hole


def repaired(picture: Picture, missing: np.ndarray | None = None) -> np.ndarray:
    return mend(picture.copy(), hole() if missing is None else missing, Repairer(HarmonicFill())).pixels


@pytest.mark.parametrize("kind", KINDS)
def test_known_pixels_keep_their_bits_and_holes_lose_theirs(kind: str) -> None:
    picture, missing = KINDS[kind].copy(), hole()
    black = picture.pixels.copy()
    picture.pixels[missing] = 0
    pixels = repaired(picture)
    assert (pixels.dtype, pixels.shape) == (black.dtype, black.shape)
    assert np.array_equal(pixels[~missing], black[~missing])
    assert np.array_equal(pixels, repaired(KINDS[kind]))  # what stood in the hole is never looked at


def test_sixteen_bits_are_used() -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramp = (20000 + 37 * x + 11 * y).astype(np.uint16)
    found = repaired(Picture(ramp, "grey")).astype(int)
    assert np.abs(found - ramp).max() <= 2  # a plane solves the Laplace equation
    found = repaired(Picture(np.dstack([ramp, ramp, ramp]), "RGB")).astype(int)
    assert np.abs(found - ramp[..., None]).max() <= 2


class Blue:
    """Fills with blue, whatever the photo."""

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(masked) + torch.tensor([0.0, 0.0, 0.6]).view(1, 3, 1, 1)


def test_grey_takes_the_mean_of_three_channels() -> None:
    pixels = mend(KINDS["L"].copy(), hole(), Repairer(Blue())).pixels
    assert (pixels[hole()] == 51).all()


def test_a_palette_takes_its_nearest_opaque_colour() -> None:
    palette = np.array([[0, 0, 160, 0], [0, 0, 140, 255], [200, 0, 0, 255]], np.uint8)
    pixels = np.full((HEIGHT, WIDTH), 2, np.uint8)
    picture = Picture(pixels, "palette", palette=palette)
    assert (mend(picture, hole(), Repairer(Blue())).pixels[hole()] == 1).all()
    nothing = Picture(np.zeros((HEIGHT, WIDTH), np.uint8), "palette", palette=palette)
    assert (mend(nothing, hole(), Repairer(Blue())).pixels == 0).all()  # transparent all around


def test_floats_beyond_one_and_not_a_number() -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramp = (-500 + 100.0 * x + 7 * y).astype(np.float32)
    broken = ramp.copy()
    broken[7, 9:12] = np.nan, np.inf, -np.inf
    found = repaired(Picture(ramp, "grey"))
    assert np.abs(found - ramp).max() < 1
    found = repaired(Picture(broken, "grey"))
    assert np.isfinite(found[hole()]).all()
    assert np.array_equal(found[~hole()], broken[~hole()], equal_nan=True)
    assert np.abs(found - ramp)[hole()].max() < 200


def test_a_hole_cut_out_of_an_opaque_photo_becomes_opaque() -> None:
    picture = KINDS["RGBA"].copy()
    picture.pixels[..., 3] = 255
    picture.pixels[hole()] = 0
    assert (repaired(picture)[..., 3] == 255).all()


def test_hidden_colours_do_not_leak() -> None:
    """Transparent pixels beside the hole hold black; the hole becomes neither black nor transparent."""
    pixels = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    pixels[..., 3] = 255
    pixels[:8] = 0
    found = repaired(Picture(pixels, "RGB", alpha=True))
    assert (found[hole()][:, :3] == 200).all()
    assert np.array_equal(found[:8], pixels[:8])
    alpha = found[8:14, 14, 3]
    assert (np.diff(alpha.astype(int)) >= 0).all()  # from transparent above to opaque below
    assert alpha[0] < alpha[-1]


def test_ink_keeps_colours_and_black() -> None:
    """The light that is left is what was painted, and black ink is as much as around, unless that's too dark."""
    colours = np.array(list(product((0.1, 0.5, 0.9), repeat=3)), np.float32)
    ink = np.zeros((len(colours), 1, 4), np.uint16)
    ink[..., 3] = 20000
    scale = Scale(0, 65535, np.dtype(np.uint16))
    canvas = InkCanvas(ink, scale)
    canvas.paint(np.arange(len(colours)), np.zeros(len(colours), int), colours)
    assert np.allclose(canvas.colours((slice(None), slice(None)))[:, 0], colours, atol=1e-4)
    dark = colours.max(axis=1) <= 1 - 20000 / 65535
    assert (ink[dark, 0, 3] == 20000).all()


def test_grey_alone_is_printed_with_black_ink() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 90
    assert (repaired(Picture(pixels, "CMYK")) == pixels).all()


def test_further_channels_are_continued() -> None:
    pixels = np.dstack([KINDS["RGBA"].pixels, np.full((HEIGHT, WIDTH), 7, np.uint8)])
    picture = Picture(pixels, "RGB", alpha=True)
    blank = replace(picture, pixels=np.where(hole()[..., None], 0, pixels).astype(np.uint8))
    assert (repaired(blank)[..., 4] == 7).all()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (np.zeros((HEIGHT, WIDTH), bool), "empty"),
        (np.ones((HEIGHT, WIDTH), bool), "covers the whole photo"),
        (np.ones((WIDTH, HEIGHT), bool), "24×32 pixels, the photo 32×24"),
    ],
)
def test_masks_that_fit_nothing(missing: np.ndarray, words: str) -> None:
    with pytest.raises(RepairError, match=words):
        repaired(KINDS["RGB"], missing)


def test_a_hole_at_the_edge_and_many_specks() -> None:
    for kind in ("L", "RGBA", "CMYK", "P", "RGB;16"):
        missing = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.1
        missing[:5, :5] = True
        picture = KINDS[kind]
        assert np.array_equal(repaired(picture, missing)[~missing], picture.pixels[~missing])
