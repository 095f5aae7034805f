"""What a user can get wrong, over all commands: one line that says what and where, and nothing overwritten or lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photomend import models
from photomend.models.safetensors_file import HEADER, write_file
from photomend.models.weights import VERSION, Checkpoint, save_checkpoint
from PIL import Image
from safetensors.torch import save_file

from .helpers import Shell, picture, pixels, tree

pytestmark = pytest.mark.slow  # whole commands

TINY = ("--steps", "1", "--batch-size", "1", "--workers", "0")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos: enough that every split has some."""
    for number in range(12):
        picture(tmp_path / "photos" / f"{number}.png", seed=number)
    return tmp_path / "photos"


def test_weights_full_of_nan_repair_nothing(shell: Shell, photos: Path, tmp_path: Path) -> None:
    network = models.build("attention", width=16)
    weights = {key: torch.full_like(array, torch.nan) for key, array in network.state_dict().items()}
    save_checkpoint(tmp_path / "nan.safetensors", Checkpoint("attention", weights, network.config))
    arguments = ("--box", "10,10,20,20", "-o", tmp_path / "out.png", "--model", tmp_path / "nan.safetensors")
    assert "its weights are damaged" in shell.fails(1, "repair", photos / "0.png", *arguments)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([], "not one that photomend wrote"),
        ({}, "not one that photomend wrote"),
        ({"version": VERSION, "kind": "weights"}, "its description has no model"),
        ({"version": 99, "kind": "weights"}, "checkpoint format 99"),
        (
            {"version": VERSION, "kind": "weights", "model": "harmonic", "config": {}, "step": 0, "metrics": {}},
            "holds weights of 'harmonic', which is no network here",
        ),
    ],
)
def test_weights_with_a_damaged_description(
    shell: Shell, photos: Path, tmp_path: Path, header: Any, message: str
) -> None:
    file = tmp_path / "weights.safetensors"
    if isinstance(header, dict):
        write_file(file, {"a": torch.zeros(1)}, header)
    else:
        save_file({"a": torch.zeros(1)}, file, {HEADER: json.dumps(header)})
    line = shell.fails(1, "evaluate", "--photos", photos, "--split", "all", "--models", file)
    assert str(file) in line
    assert message in line


@pytest.mark.parametrize("command", ["evaluate", "prepare", "train"])
@pytest.mark.parametrize("seed", ["-1", "99999999999999999999999999", "one"])
def test_seeds_out_of_range(shell: Shell, photos: Path, tmp_path: Path, command: str, seed: str) -> None:
    arguments: dict[str, tuple[str | Path, ...]] = {
        "evaluate": ("--photos", photos, "--models", "border"),
        "prepare": ("--source", f"folder:{photos}", "--out", tmp_path / "out"),
        "train": ("attention", "--photos", photos, "--out", tmp_path / "out"),
    }
    assert "--seed" in shell.fails(2, command, *arguments[command], "--seed", seed)
    assert not (tmp_path / "out").exists()


def test_lengths_that_are_no_numbers(shell: Shell, photos: Path, tmp_path: Path) -> None:
    for value in ("inf", "nan", "-1", "0"):
        line = shell.fails(1, "train", "attention", "--photos", photos, "--out", tmp_path / "out", "--minutes", value)
        assert "minutes (=" in line
    assert not (tmp_path / "out").exists()


def test_a_file_name_that_is_not_utf8(shell: Shell, photos: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(photos) + b"/\xff0.png")
    os.rename(photos / "0.png", odd)
    outcome = shell("prepare", "--source", f"folder:{photos}", "--out", tmp_path / "prepared", "--side", "64")
    assert outcome.status == 0, outcome
    outcome = shell("evaluate", "--photos", photos, "--split", "all", "--models", "border")
    assert outcome.status == 0, outcome


def test_a_demo_that_cannot_start_leaves_the_last_one(shell: Shell, photos: Path, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    demo.mkdir()
    for name in ("demo.txt", "best.safetensors", "loss.png"):
        (demo / name).write_text("the last demo's")
    before = tree(demo)
    for path in photos.iterdir():
        path.write_bytes(b"no photo")
    assert "can be read" in shell.fails(1, "demo", "--photos", photos, "--out", demo)
    assert "minutes (=inf)" in shell.fails(1, "demo", "--out", demo, "--budget", "inf")
    assert tree(demo) == before


def test_a_run_that_cannot_start_leaves_nothing(shell: Shell, photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        path.write_bytes(b"no photo")
    arguments = ("train", "attention", "--photos", photos, "--out", tmp_path / "run", *TINY)
    assert "none of the" in shell.fails(1, *arguments)
    assert not (tmp_path / "run").exists()


def test_training_names_and_counts_what_it_skips(shell: Shell, photos: Path, tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        (photos / name).write_bytes(b"no photo")
    run = ("train", "attention", "--photos", photos, "--out", tmp_path / "run", *TINY[2:], "--steps", "12")
    outcome = shell(*run)
    assert outcome.status == 0, outcome
    lines = outcome.err.splitlines()
    named = [line for line in lines if line.startswith("photomend: warning: skipped ")]
    assert named
    counted = [line for line in lines if line.endswith("photos could not be read and were skipped")]
    assert len(counted) == 1
    assert counted[0].startswith("photomend: warning: ")


def test_resuming_on_other_photos(shell: Shell, photos: Path, tmp_path: Path) -> None:
    outcome = shell("train", "attention", "--photos", photos, "--out", tmp_path / "run", *TINY)
    assert outcome.status == 0, outcome
    before = tree(tmp_path / "run")
    line = shell.fails(1, "train", "attention", "--out", tmp_path / "run", "--resume", "--steps", "2")
    assert f"was trained on {photos}, not on these photos of sample photos" in line
    assert tree(tmp_path / "run") == before


def test_rows_and_figures_never_replace_a_photo(shell: Shell, photos: Path) -> None:
    before = tree(photos)
    models_ = ("--models", "border", "--split", "all")
    assert "must end in .json" in shell.fails(1, "evaluate", "--photos", photos, *models_, "--json", photos / "0.png")
    assert "must end in .png" in shell.fails(1, "evaluate", "--photos", photos, *models_, "--figure", photos / "0.jpg")
    assert tree(photos) == before


@pytest.mark.parametrize("suffix", [".gif", ".ico", ".pdf", ""])
def test_formats_that_photos_are_not_written_in(shell: Shell, photos: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    words = "can't write photos as" if suffix else "the name's end doesn't say which format to write"
    assert words in shell.fails(1, "repair", photos / "0.png", "--box", "5,5,9,9", "-o", target)
    assert not target.exists()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp", ".ppm", ".jp2"])
def test_formats_that_keep_every_known_pixel(shell: Shell, photos: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    assert shell("repair", photos / "0.png", "--box", "5,5,9,9", "-o", target).status == 0
    known = np.ones((80, 100), bool)
    known[5:14, 5:14] = False
    assert np.array_equal(pixels(target)[known], pixels(photos / "0.png")[known])


def test_a_colour_profile_goes_along_and_lost_colours_are_said(shell: Shell, photos: Path, tmp_path: Path) -> None:
    image = Image.open(photos / "0.png")
    image.save(tmp_path / "profiled.png", icc_profile=b"a profile")
    outcome = shell("repair", tmp_path / "profiled.png", "--box", "5,5,9,9", "-o", tmp_path / "a.png")
    assert outcome.err == ""
    assert Image.open(tmp_path / "a.png").info["icc_profile"] == b"a profile"
    alpha = image.convert("RGBA")
    alpha.putpixel((99, 79), (0, 0, 0, 0))
    alpha.save(tmp_path / "alpha.png")
    outcome = shell("repair", tmp_path / "alpha.png", "--box", "5,5,9,9", "-o", tmp_path / "b.jpg")
    said = "JPEG can't hold everything: transparent pixels are laid on white"
    assert outcome.err == f"photomend: warning: {tmp_path / 'b.jpg'}: {said}\n"


def test_the_seed_of_stored_holes(shell: Shell, photos: Path, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    assert shell("prepare", "--source", f"folder:{photos}", "--out", prepared, "--side", "64").status == 0
    assert "--seed is for --photos" in shell.fails(
        2, "evaluate", "--data", prepared, "--models", "border", "--seed", "1"
    )


def test_samples_have_the_same_splits_prepared(shell: Shell, tmp_path: Path) -> None:
    outcome = shell("prepare", "--source", "samples", "--out", tmp_path / "prepared", "--side", "64")
    assert "6 train, 2 validation, 3 test" in outcome.out
