"""The fills of OpenCV and scikit-image are the libraries' own, and known pixels stay as they are."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from photomend import models
from photomend.core import PhotomendError
from photomend.models.classical import CONTEXT
from skimage.restoration import inpaint_biharmonic

from .holes import photo, rectangle

HOLES = {"inside": (50, 60, 90, 110), "corner": (0, 0, 35, 40), "edge": (100, 70, 140, 120), "pixel": (70, 70, 71, 71)}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("name", ["telea", "ns"])
def test_opencv_on_a_piece_is_opencv_on_the_photo(name: str, hole: str) -> None:
    cv2 = pytest.importorskip("cv2")
    picture, mask = photo(140, 150), rectangle(140, 150, *HOLES[hole])
    rebuilt = models.build(name).reconstruct(torch.where(mask > 0, torch.nan, picture), mask)
    pixels = (255 * picture * (1 - mask))[0].round().byte().permute(1, 2, 0).contiguous().numpy()
    method = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}[name]
    expected = cv2.inpaint(pixels, mask[0, 0].byte().numpy(), 3, method)
    assert np.array_equal((255 * rebuilt[0]).round().byte().permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("hole", HOLES)
def test_biharmonic_on_a_piece_solves_the_photos_equations(hole: str) -> None:
    """It is clipped to the colours of its own known pixels, so the photo's solution, clipped to the same, is equal."""
    picture, mask = photo(140, 150), rectangle(140, 150, *HOLES[hole])
    rebuilt = models.build("biharmonic").reconstruct(torch.where(mask > 0, torch.nan, picture), mask)
    top, left, bottom, right = HOLES[hole]
    around = rectangle(140, 150, max(top - CONTEXT, 0), max(left - CONTEXT, 0), bottom + CONTEXT, right + CONTEXT)
    colours = picture[0, :, (around - mask)[0, 0] > 0].double().numpy()
    known = (picture * (1 - mask))[0].permute(1, 2, 0).double().numpy()
    expected = inpaint_biharmonic(known, mask[0, 0].numpy() > 0, channel_axis=-1)
    expected = np.where(mask[0, 0, :, :, None], expected.clip(colours.min(axis=1), colours.max(axis=1)), expected)
    assert np.abs(rebuilt[0].permute(1, 2, 0).numpy() - expected).max() < 1e-5


def test_biharmonic_continues_a_slope() -> None:
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    plane = ((rows + 2 * columns) / 200).expand(1, 3, 60, 60)
    mask = rectangle(60, 60, 20, 20, 41, 45)
    assert torch.allclose(models.build("biharmonic").reconstruct(plane * (1 - mask), mask), plane, atol=1e-5)


@pytest.mark.parametrize("name", ["telea", "ns"])
def test_without_opencv_its_models_say_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(PhotomendError, match=rf"model '{name}' needs OpenCV: pip install photomend\[bench\]"):
        models.build(name)
