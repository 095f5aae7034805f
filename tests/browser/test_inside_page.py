"""The page of `photomend inspect` in a browser: nothing cut off or overprinted at either width, nothing asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photomend import models
from photomend.app.photo.canvas import RGBCanvas
from photomend.app.report.inside import look_inside
from photomend.app.report.inside_images import whole_photo
from photomend.app.report.inside_page import write_page
from photomend.models.holes import find_holes
from photomend.tests.app.helpers import picture

from .tab import Tab

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("attention", {"width": 16, "dilations": [1, 2], "window": 64}),
        ("attention-report", {"width": 16, "window": 64}),
    ],
)
def test_it_looks_right(tab: Tab, tmp_path: Path, name: str, config: dict[str, object]) -> None:
    photo = picture(tmp_path / "a photo of an animal, with a rather long name.png", 160, 200)
    mask = np.zeros((160, 200), np.bool_)
    mask[20:50, 30:70] = mask[60:150, 80:170] = mask[155, :60] = True
    network: models.RepairNetwork = models.build(name, **config)
    canvas, found = RGBCanvas(photo.copy()), find_holes(mask, network.trained_hole)
    insides = list(look_inside(network.eval(), None, canvas, mask, found))
    whole = whole_photo(canvas, [hole.window for hole in found], "a photo, rebuilt")
    title = "a photo of an animal, with a rather long name.png"
    write_page(tmp_path / "page.html", title, ["A sentence."], whole, network, insides)
    tab.page.goto((tmp_path / "page.html").as_uri())
    faults = tab.faults_in_every_look()
    assert not faults, "\n".join(faults)
