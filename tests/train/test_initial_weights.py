"""What a run begins with: the weights of another, at other settings as long as they change nothing at first."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import PhotomendError
from photomend.data.sources import FolderSource
from photomend.models.weights import Checkpoint, load_checkpoint, save_checkpoint
from photomend.tests.models.holes import crops
from photomend.train.initial_weights import initial_settings
from photomend.train.loop import train

from .runs import TINY, config, run


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_an_earlier_one_at_any_crop(photos: FolderSource, tmp_path: Path) -> None:
    run(config(), photos, tmp_path / "first")
    begun = config(initial_weights=str(tmp_path / "first"), model_config={**TINY, "window": 72}, lr=1e-9, steps=1)
    second = run(begun, photos, tmp_path / "second")
    for name, array in load_checkpoint(tmp_path / "first").weights.items():
        torch.testing.assert_close(second.network.state_dict()[name], array, rtol=0, atol=1e-7)
    own = dataclasses.replace(begun, initial_weights="", steps=2)
    with pytest.raises(
        PhotomendError, match=r"began with the weights of .*first, and can't go on with initial_weights \(=\)"
    ):
        run(own, photos, tmp_path / "second", resume=True)
    assert run(dataclasses.replace(begun, steps=2), photos, tmp_path / "second", resume=True).progress.steps == 2


def test_from_how_many_sides_the_weights_look_is_not_passed_on(tmp_path: Path) -> None:
    network = models.build("attention", **TINY, views=8)
    save_checkpoint(tmp_path / "best.safetensors", Checkpoint("attention", network.state_dict(), network.config))
    assert initial_settings("gan", str(tmp_path)) == models.build("attention", **TINY).config


def test_a_run_that_began_with_random_weights_cannot_have_begun_with_others(
    photos: FolderSource, tmp_path: Path
) -> None:
    run(config(steps=1), photos, tmp_path / "run")
    run(config(steps=1), photos, tmp_path / "other")
    settings = config(steps=2, initial_weights=str(tmp_path / "other"))
    with pytest.raises(PhotomendError, match="began with random weights, and can't go on with initial_weights"):
        run(settings, photos, tmp_path / "run", resume=True)


def test_weights_of_another_size_are_no_beginning(photos: FolderSource, tmp_path: Path) -> None:
    run(config(steps=1), photos, tmp_path / "run")
    wider = config(initial_weights=str(tmp_path / "run"), model_config={**TINY, "width": 32})
    with pytest.raises(PhotomendError, match=r"run: state dict does not fit AttentionModel"):
        run(wider, photos, tmp_path / "wider")
    assert not (tmp_path / "wider").exists()


def test_weights_that_lack_an_array_are_no_beginning(photos: FolderSource, tmp_path: Path) -> None:
    """Not even where chance could stand in for it."""
    trained = train(config(steps=1), photos, None, tmp_path / "run", quiet=True)
    weights = dict(trained.network.state_dict())
    del weights["stem.1.weight"]
    path = tmp_path / "part.safetensors"
    save_checkpoint(path, Checkpoint("attention", weights, trained.network.config))
    with pytest.raises(PhotomendError, match=r"part.safetensors: .*stem\.1\.weight"):
        run(config(initial_weights=str(path)), photos, tmp_path / "more")


def test_a_deeper_network_begins_where_a_shallower_one_ended(photos: FolderSource, tmp_path: Path) -> None:
    first = train(config(), photos, None, tmp_path / "first", quiet=True)
    deeper = config(
        initial_weights=str(tmp_path / "first"), model_config={**TINY, "dilations": [1, 2, 4]}, lr=1e-9, steps=1
    )
    second = run(deeper, photos, tmp_path / "second")
    photo, mask = crops(2, 64, dtype=torch.float32)
    first.network.load_state_dict(load_checkpoint(tmp_path / "first").weights)
    torch.testing.assert_close(
        second.network.reconstruct(photo, mask), first.network.reconstruct(photo, mask), rtol=0, atol=1e-6
    )
    on = run(dataclasses.replace(deeper, steps=2, lr=1e-2), photos, tmp_path / "second", resume=True)
    assert on.network.state_dict()["bottleneck.2.body.3.weight"].abs().max() > 0


@pytest.mark.parametrize(
    ("name", "setting", "began"),
    [("without", [], {"without": ["spatial"]}), ("dilations", [2, 1], {}), ("dilations", [1, 2, 4, 1], {"width": 8})],
)
def test_settings_that_would_change_the_answer_are_no_continuation(
    name: str, setting: Any, began: dict[str, Any], photos: FolderSource, tmp_path: Path
) -> None:
    """Whether or not the weights fit: the dilations alone don't show in these."""
    first = {**TINY, **began}
    train(config(model_config=first), photos, None, tmp_path / "run", quiet=True)
    settings = config(initial_weights=str(tmp_path / "run"), model_config={**TINY, name: setting})
    message = "state dict does not fit" if "width" in began else f"with another {name} the network gives something else"
    with pytest.raises(PhotomendError, match=f"run: {message}"):
        run(settings, photos, tmp_path / "more")
    assert not (tmp_path / "more").exists()
