"""The weights that come with the package: found by name, compared with their SHA-256, used without being asked for."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
import torch
from photomend import models
from photomend.app import reconstructors
from photomend.app.reconstructors import find_weights, load_reconstructor
from photomend.core import PhotomendError, no_grad
from photomend.models import AttentionModel, LinearModel
from photomend.models.calibration import Calibration
from photomend.models.weights import Checkpoint, save_checkpoint
from PIL import Image

from .helpers import Shell, holes, picture

pytestmark = pytest.mark.slow  # the shipped networks, at full size

FOLDER = reconstructors.WEIGHTS_FOLDER
TINY = {"width": 8, "dilations": [1], "window": 64}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with weights of its own, and an empty folder to work in."""
    weights, here = tmp_path / "weights", tmp_path / "here"
    weights.mkdir()
    here.mkdir()
    calibration = Calibration((1.0, 0.1, 0.2, 0.3), 1.1, 0.5, 1.9).to_dict()
    natural = Calibration((2.0, 0.1, 0.2, 0.3), 1.1, 0.5, 1.9).to_dict()
    for name, model in (("photomend-m", "attention"), ("photomend-s", "attention"), ("linear", "linear")):
        network = models.build(model, **(TINY if model == "attention" else {}))
        half = {k: v.half() for k, v in network.state_dict().items()}
        carried = calibration if model == "attention" else {}
        known = Checkpoint(model, half, network.config, calibration=carried, natural_calibration=carried and natural)
        save_checkpoint(weights / f"{name}.safetensors", known)
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", weights)
    sum_up(weights)
    monkeypatch.chdir(here)
    return weights


def sum_up(weights: Path) -> None:
    files = sorted(weights.glob("*.safetensors"))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (weights / reconstructors.SUMS).write_text("".join(lines))
    reconstructors.shipped.cache_clear()


def test_names_mean_the_shipped_weights(folder: Path) -> None:
    assert find_weights("attention") == find_weights("photomend-s") == folder / "photomend-s.safetensors"
    assert find_weights("photomend-m") == folder / "photomend-m.safetensors"
    network = load_reconstructor("attention")
    assert isinstance(network, AttentionModel)
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert isinstance(load_reconstructor("linear"), LinearModel)
    assert reconstructors.shipped_names() == ("attention", "linear", "photomend-m", "photomend-s")
    assert reconstructors.other_shipped() == ("photomend-m",)


def test_a_run_folder_of_that_name_comes_first(folder: Path) -> None:
    network = models.build("linear", splits=3)
    Path("linear").mkdir()
    save_checkpoint(Path("linear/best.safetensors"), Checkpoint("linear", network.state_dict(), network.config))
    assert find_weights("linear") == Path("linear")


def test_a_network_without_weights_says_how_to_train_it(folder: Path) -> None:
    with pytest.raises(PhotomendError, match="model 'cnn' has no weights yet: train it with `photomend train cnn"):
        load_reconstructor("cnn")
    with pytest.raises(PhotomendError, match="did you mean 'photomend-s'"):
        load_reconstructor("photomend-x")


def test_a_file_that_is_not_the_one_that_was_shipped_is_refused(folder: Path) -> None:
    path = folder / "linear.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(PhotomendError, match=r"linear.safetensors: isn't the file that came with photomend"):
        load_reconstructor("linear")
    path.unlink()
    with pytest.raises(PhotomendError, match=r"linear.safetensors: photomend's own weights can't be read"):
        load_reconstructor("linear")


def test_loading_hashes_them_once_and_draws_no_random_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, sha256 = [], hashlib.sha256

    def counted(data: bytes = b"") -> Any:
        hashed.append(len(data))
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    before = torch.get_rng_state()
    load_reconstructor("photomend-s")
    assert len(hashed) == 1
    assert torch.equal(torch.get_rng_state(), before)


def test_repair_takes_them_and_says_what_to_expect(folder: Path, shell: Shell) -> None:
    picture(Path("photo.png"))
    holes(Path("mask.png"), 80, 100, (30, 20, 20, 20))
    outcome = shell("repair", "photo.png", "--mask", "mask.png", "-o", "out.png")
    assert outcome.status == 0, outcome
    assert "400 pixels rebuilt" in outcome.out
    assert "; expect them to be off by " in outcome.out
    assert "grey levels on average (" in outcome.out
    off = {}
    for look in ("usual", "natural", "faithful"):
        options = () if look == "usual" else ("--look", look)
        outcome = shell("repair", "photo.png", "--mask", "mask.png", "-o", f"{look}.png", *options, "--json")
        off[look] = json.loads(outcome.out)
    assert off["usual"]["expected"] == off["natural"]["expected"]
    assert off["natural"]["expected"]["mae"] > 2 * off["faithful"]["expected"]["mae"]
    outcome = shell("repair", "photo.png", "--mask", "mask.png", "-o", "two.png", "--model", "linear")
    assert "expect" not in outcome.out


@pytest.mark.parametrize("look", ["natural", "faithful"])
@pytest.mark.parametrize("name", ["1.png", "L.png", "L.jpg"])
def test_nothing_is_expected_in_what_is_rougher_than_photos(folder: Path, shell: Shell, name: str, look: str) -> None:
    """Not by one hole in a dithered scan either, where the other lies in blank paper."""
    picture(Path("photo.png"))
    dithered = np.asarray(Image.open("photo.png").convert("1")).copy()
    dithered[:, 70:] = True
    Image.fromarray(dithered).convert(name[0]).save(name)
    holes(Path("mask.png"), 80, 100, (25, 20, 20, 20), (80, 20, 15, 15))
    outcome = shell("repair", name, "--mask", "mask.png", "-o", f"out{Path(name).suffix}", "--look", look)
    assert outcome.status == 0, outcome
    assert "expect" not in outcome.out
    outcome = shell("inspect", name, "--mask", "mask.png", "-o", "inside.html")
    assert outcome.status == 0, outcome
    assert "likely" not in outcome.out + Path("inside.html").read_text(encoding="utf-8").split("25, 20")[0]


def test_without_any_the_harmonic_fill_repairs(folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / reconstructors.SUMS).unlink()
    reconstructors.shipped.cache_clear()
    picture(Path("photo.png"))
    outcome = shell("repair", "photo.png", "--box", "30,20,20,20", "-o", "out.png")
    assert outcome.status == 0, outcome
    assert "expect" not in outcome.out
    assert shell("repair", "photo.png", "--box", "30,20,20,20", "-o", "two.png", "--model", "harmonic").status == 0
    assert Path("out.png").read_bytes() == Path("two.png").read_bytes()


def test_evaluate_compares_all_of_them_if_none_is_named(folder: Path, shell: Shell) -> None:
    for number in range(3):
        picture(Path("photos") / f"{number}.png", seed=number)
    outcome = shell("evaluate", "--photos", "photos", "--split", "all", "--json", "table.json", "--report", "page.html")
    assert outcome.status == 0, outcome
    shown = [line.split()[0] for line in outcome.out.splitlines() if line.split()[1:2] == ["3"]]
    assert shown[:5] == ["border", "harmonic", "linear", "attention", "photomend-m"]


def test_a_run_can_begin_with_them(folder: Path, shell: Shell) -> None:
    for number in range(10):
        picture(Path("photos") / f"{number}.png", seed=number)
    given = ("train", "attention", "--from", "photomend-s", "--photos", "photos", "--out", "run", "--workers", "0")
    outcome = shell(*given, "--steps", "1", "--lr", "1e-9")
    assert outcome.status == 0, outcome
    network, begun = load_reconstructor("photomend-s"), load_reconstructor("run")
    assert isinstance(network, AttentionModel)
    assert isinstance(begun, AttentionModel)
    for a, b in zip(network.parameters(), begun.parameters(), strict=True):
        torch.testing.assert_close(a.data, b.data, rtol=0, atol=1e-7)


def test_what_the_package_ships_is_whole_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", FOLDER)
    reconstructors.shipped.cache_clear()
    assert (reconstructors.WEIGHTS_FOLDER / "README.md").is_file()
    total = 0
    for name in reconstructors.shipped():
        path = reconstructors.find_shipped(name)
        assert path is not None
        total += path.stat().st_size
        assert isinstance(load_reconstructor(str(path)), models.RepairNetwork)
    assert 0 < total <= 40 * 10**6
    assert {f"{name}.safetensors" for name in reconstructors.shipped()} == {
        p.name for p in reconstructors.WEIGHTS_FOLDER.glob("*.safetensors")
    }


def test_they_give_the_digits_that_the_model_card_prints(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """On whatever machine this runs: the card's table, made from the weights in the box and the sample photos.

    Processors round differently, by some 10⁻⁶ of a number, which may turn its last printed digit by one.
    """
    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", FOLDER)
    reconstructors.shipped.cache_clear()
    [printed] = re.findall(r"```text\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    outcome = shell("evaluate", "--seed", "0")
    assert outcome.status == 0, outcome
    title, rule, *expected = printed.splitlines()
    table = outcome.out[: outcome.out.index("\n\n")].splitlines()
    assert table[:2] == [title, rule]
    for line, wanted in zip(table[2:], expected, strict=True):
        (model, *numbers), (name, *digits) = line.split(), wanted.split()
        assert model == name
        assert len(numbers) == len(digits)
        for number, text in zip(numbers, digits, strict=True):
            unit = 10.0 ** -len(text.partition(".")[2])
            assert float(number) == pytest.approx(float(text), rel=0, abs=1.01 * unit), (name, number, text)


@pytest.mark.parametrize("name", ["attention", "cnn", "attention-report"])
def test_they_can_be_taken_along_as_onnx(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """onnxruntime gives what they give for a photo, in windows of two sizes."""
    import onnx
    import onnxruntime

    monkeypatch.setattr(reconstructors, "WEIGHTS_FOLDER", FOLDER)
    reconstructors.shipped.cache_clear()
    assert shell("export", name, "-o", tmp_path / "a.onnx").status == 0
    facts = {p.key: p.value for p in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert facts["model_card"] in re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", (FOLDER / "README.md").read_text("utf-8"))
    assert facts["license"].startswith("MIT; ")
    network, session = load_reconstructor(name), onnxruntime.InferenceSession(tmp_path / "a.onnx")
    assert isinstance(network, models.RepairNetwork)
    for side in (96, 128):
        photo = torch.from_numpy(skimage.data.astronaut()[:side, 180 : 180 + side].copy()).permute(2, 0, 1)[None] / 255
        mask = torch.zeros(1, 1, side, side)
        mask[:, :, 30:70, 25:64] = 1
        with no_grad():
            ours = network(photo * (1 - mask), mask).data.clamp(0, 1)
        [theirs] = session.run(None, {"photo": photo.numpy(), "mask": mask.numpy()})
        assert (ours - torch.from_numpy(theirs)).abs().max() < 1e-5


def test_the_shipped_weights_carry_their_digest() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in reconstructors.shipped():
            load_reconstructor(name)
