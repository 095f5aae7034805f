"""The examples run, are short, and reach what they say, in short settings too."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scripts import script

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

pytestmark = pytest.mark.slow  # training runs


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_a_screen(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_two_moons(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("examples/two_moons").main(epochs=10) > 0.97
    printed = capsys.readouterr().out
    assert "1,218 parameters" in printed
    assert "of 1,000 new points are on the right moon" in printed


def test_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("examples/digits").main(epochs=4) > 0.95
    assert "of 450 test images" in capsys.readouterr().out


def test_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """After 60 steps it knows more than how often each character comes, which takes 5 bits."""
    assert script("examples/characters").main(steps=60) < 4.5
    assert "bits each" in capsys.readouterr().out
