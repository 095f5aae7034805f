"""Marks become masks: every pixel whose centre is under the brush or in the box, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from photomend.app.web import edits
from photomend.app.web.edits import EditError, draw


def distances(points: list[list[float]], height: int, width: int) -> np.ndarray:
    """How far each pixel's centre is from a path, segment by segment."""
    y, x = np.mgrid[:height, :width] + 0.5
    nearest = np.full((height, width), np.inf)
    for (ax, ay), (bx, by) in zip(points, points[1:] or points, strict=False):
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) if length else 0
        nearest = np.minimum(nearest, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return nearest


@pytest.mark.parametrize("number", range(40))
def test_a_stroke_covers_what_is_within_its_radius(number: int) -> None:
    rng = np.random.default_rng(number)
    points = rng.uniform(-20, 80, (int(rng.integers(1, 6)), 2)).round(number % 2).tolist()  # some beyond the edges
    radius = float(rng.uniform(0.5, 15))
    drawn = draw([{"kind": "stroke", "points": points, "radius": radius}], 50, 60)
    distance = distances(points, 50, 60)
    clear = abs(distance - radius) > 1e-9
    np.testing.assert_array_equal(drawn[clear], (distance <= radius)[clear])


def test_boxes_and_the_eraser_in_their_order() -> None:
    drawn = draw(
        [
            {"kind": "box", "x": 2, "y": 1, "width": 4, "height": 3},
            {"kind": "box", "x": 3.4, "y": -5, "width": 1.2, "height": 7.2, "erase": True},
            {"kind": "box", "x": 8, "y": 0, "width": 100, "height": 1},
        ],
        5,
        10,
    )
    wanted = np.zeros((5, 10), bool)
    wanted[1:4, 2:6] = True
    wanted[:2, 3:5] = False
    wanted[0, 8:] = True
    np.testing.assert_array_equal(drawn, wanted)


def test_a_tap_of_the_finest_brush_marks_a_pixel() -> None:
    assert draw([{"kind": "stroke", "points": [[3.5, 2.5]], "radius": 0}], 5, 8).sum() == 1


def test_what_was_found_and_erased_in_part() -> None:
    found = np.zeros((5, 10), bool)
    found[2] = True
    drawn = draw(
        [{"kind": "found"}, {"kind": "box", "x": 0, "y": 0, "width": 5, "height": 5, "erase": True}], 5, 10, found
    )
    assert drawn.sum() == drawn[2, 5:].sum() == 5
    with pytest.raises(EditError, match="no damage has been found on this photo yet"):
        draw([{"kind": "found"}], 5, 10)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "stroke",
        [3],
        [{"kind": "text"}],
        [{"kind": "stroke", "points": [], "radius": 1}],
        [{"kind": "stroke", "points": [[1]], "radius": 1}],
        [{"kind": "stroke", "points": [[1, "2"]], "radius": 1}],
        [{"kind": "stroke", "points": [[1, float("nan")]], "radius": 1}],
        [{"kind": "stroke", "points": [[1, 1e300]], "radius": 1}],
        [{"kind": "stroke", "points": [[1, 1]], "radius": -1}],
        [{"kind": "box", "x": 1, "y": 1, "width": 1}],
        [{"kind": "box", "x": 1, "y": 1, "width": 1, "height": True}],
    ],
)
def test_other_marks_are_refused(wrong: Any) -> None:
    with pytest.raises(EditError, match="edits"):
        draw(wrong, 10, 10)


def test_there_is_an_end_to_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "POINTS", 3)
    stroke = {"kind": "stroke", "points": [[1, 1], [2, 2]], "radius": 1}
    draw([stroke], 5, 5)
    with pytest.raises(EditError, match="more than 3 points"):
        draw([stroke, stroke], 5, 5)
