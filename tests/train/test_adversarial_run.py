"""Runs against a discriminator: cut ones go on exactly, a run that goes wrong stops, and its good weights stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import PhotomendError, runtime
from photomend.data.evaluation_set import EvaluationSet
from photomend.data.sources import FolderSource
from photomend.models.weights import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from photomend.train.adversarial import AdversarialTrainer
from photomend.train.checkpoint import STATE, restore
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.log import LOG, by_kind, read_log
from photomend.train.loop import train
from photomend.train.optimizers import Optimizer
from photomend.train.trainer import PhotoTrainer
from photomend.train.validation import Validation, Validator

from .interrupting import interrupt

pytestmark = pytest.mark.slow  # whole training runs

TINY: dict[str, Any] = {"width": 16, "dilations": [1], "window": 64}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runtime.seed_everything(0)
    network = models.build("attention", **TINY)
    path = tmp_path_factory.mktemp("start") / "attention.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))
    return path


def config(start: Path, **settings: Any) -> AdversarialConfig:
    given = {
        "initial_weights": str(start),
        "model_config": TINY,
        "steps": 4,
        "batch_size": 2,
        "workers": 0,
        "validation_interval": 2,
    }
    return AdversarialConfig(**{**given, **settings})


def run(settings: AdversarialConfig, photos: FolderSource, out: Path, **options: Any) -> PhotoTrainer[Any]:
    return train(settings, photos, Validator(EvaluationSet(photos)), out, quiet=True, **options)


def test_the_same_seed_gives_the_same_weights(photos: FolderSource, start: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        run(config(start, steps=3), photos, tmp_path / name)
    run(config(start, steps=3, seed=1), photos, tmp_path / "other")
    once, twice, other = (load_checkpoint(tmp_path / name / LAST).weights for name in ("once", "twice", "other"))
    assert all(torch.equal(once[key], twice[key]) for key in once)
    assert not all(torch.equal(once[key], other[key]) for key in once)


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        (AdversarialTrainer, "step", 1),
        (AdversarialTrainer, "step", 3),
        (AdversarialTrainer, "_score", 3),  # between the two networks' steps
        (Optimizer, "step", 5),
        (Validator, "__call__", 1),
        (Validator, "__call__", 2),
    ],
)
def test_a_cut_run_goes_on_as_if_it_had_never_stopped(
    owner: Any,
    method: str,
    call: int,
    photos: FolderSource,
    start: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(config(start), photos, tmp_path / "whole")
    moved = tmp_path / "moved"
    moved.write_bytes(start.read_bytes())
    with monkeypatch.context() as patch:
        interrupt(owner, method, call, patch)
        with pytest.raises(KeyboardInterrupt):
            run(config(moved), photos, tmp_path / "cut")
    moved.unlink()  # what it started from isn't needed any more
    run(config(moved), photos, tmp_path / "cut", resume=True)
    for file in (LAST, BEST):
        whole, cut = load_checkpoint(tmp_path / "whole" / file), load_checkpoint(tmp_path / "cut" / file)
        assert (whole.model, whole.step, whole.metrics) == (cut.model, cut.step, cut.metrics)
        assert all(torch.equal(whole.weights[key], cut.weights[key]) for key in whole.weights)
    logs = [read_log(tmp_path / name / LOG) for name in ("whole", "cut")]
    for log in logs:
        for record in log:  # wall-clock time is its own
            record.pop("seconds", None)
            record.pop("photos_s", None)
    assert logs[0] == logs[1]


def test_the_state_has_all_of_the_discriminator(photos: FolderSource, start: Path, tmp_path: Path) -> None:
    trainer = run(config(start, steps=2), photos, tmp_path)
    assert isinstance(trainer, AdversarialTrainer)
    again = AdversarialTrainer(trainer.config)
    again.photos = trainer.photos
    restore(again, tmp_path / STATE)
    for ours, theirs in ((trainer.discriminator, again.discriminator), (trainer.network, again.network)):
        assert all(torch.equal(array, theirs.state_dict()[name]) for name, array in ours.state_dict().items())
    assert again.balance == trainer.balance
    assert again.balance.rise != 0
    assert again.discriminator_optimizer.steps == trainer.discriminator_optimizer.steps


def test_a_run_goes_on_with_the_weights_it_began_with_and_no_others(
    photos: FolderSource, start: Path, tmp_path: Path
) -> None:
    run(config(start, steps=1), photos, tmp_path / "run")
    moved, other = tmp_path / "moved", tmp_path / "other"
    moved.write_bytes(start.read_bytes())
    network = models.build("attention", **TINY)
    save_checkpoint(other, Checkpoint("attention", network.state_dict(), network.config))
    with pytest.raises(
        PhotomendError, match=r"began with the weights of .*, and can't go on with initial_weights \(=.*other\)"
    ):
        run(config(other, steps=2), photos, tmp_path / "run", resume=True)
    with pytest.raises(PhotomendError, match="no such checkpoint"):
        run(config(tmp_path / "gone", steps=2), photos, tmp_path / "run", resume=True)
    run(config(moved, steps=2), photos, tmp_path / "run", resume=True)
    moved.unlink()
    assert run(config(moved, steps=3), photos, tmp_path / "run", resume=True).progress.steps == 3


def worsening(photos: FolderSource, *hole_maes: float) -> Validator:
    """A validator that finds these errors, one after the other."""
    errors = iter(hole_maes)

    class Scripted(Validator):
        def __call__(self, model: Any) -> Validation:
            return Validation({"mse": 1.0, "mae": 1.0, "hole_mae": next(errors), "sharpness": 1.0}, [])

    return Scripted(EvaluationSet(photos))


def test_a_run_that_goes_wrong_stops_and_its_last_good_weights_stay(
    photos: FolderSource, start: Path, tmp_path: Path
) -> None:
    settings = config(start, steps=12, validation_interval=2)
    trainer = train(settings, photos, worsening(photos, 20.0, 21.0, 22.5, 23.5), tmp_path, quiet=True)
    assert trainer.progress.steps == 6
    assert load_checkpoint(tmp_path / BEST).step == 4
    assert load_checkpoint(tmp_path / BEST).metrics["hole_mae"] == 22.5
    assert load_checkpoint(tmp_path / LAST).step == 6
    with pytest.raises(PhotomendError, match="this run stopped at step 6: its hole MAE is more than 15 % above"):
        run(settings, photos, tmp_path, resume=True)


def test_weights_within_the_tolerance_are_kept_though_they_are_worse(
    photos: FolderSource, start: Path, tmp_path: Path
) -> None:
    train(
        config(start, steps=4, validation_interval=2), photos, worsening(photos, 20.0, 21.0, 22.0), tmp_path, quiet=True
    )
    best = load_checkpoint(tmp_path, model="gan")
    assert best.step == 4
    assert best.config == models.build("gan", **TINY).config


def test_the_log_has_what_tells_a_collapse(photos: FolderSource, start: Path, tmp_path: Path) -> None:
    run(config(start, steps=4, ramp=1.0), photos, tmp_path)
    steps, validations = by_kind(read_log(tmp_path / LOG))
    assert {"d_real", "d_fake", "d_loss", "gradient_ratio", "hole_mae"} <= steps[0].keys()
    assert [round(record["adversarial_weight"], 6) for record in steps] == [0.01, 0.0325, 0.055, 0.0775]
    assert all({"hole_mae", "sharpness"} <= record.keys() for record in validations)


def test_the_other_training_does_not_take_a_gan(photos: FolderSource, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="gan trains against a discriminator"):
        train(TrainConfig(model="gan", model_config=TINY, steps=1), photos, None, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
