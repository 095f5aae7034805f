"""The loop: its curve is the torch.nn twin's, its runs repeat, and a cut run goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import Array, PhotomendError
from photomend.data.sources import FolderSource
from photomend.models.weights import BEST, LAST, load_checkpoint
from photomend.tests.models.holes import crops
from photomend.tests.reference import cell_twins, model_twins
from photomend.train.checkpoint import PREVIOUS, STATE
from photomend.train.config import TrainConfig
from photomend.train.ema import EMA
from photomend.train.log import LOG, read_log
from photomend.train.loop import CONFIG, train
from photomend.train.recorder import Interval
from photomend.train.trainer import Trainer
from photomend.train.validation import Validator
from scipy import ndimage

from .interrupting import interrupt
from .runs import TINY, config, run

pytestmark = pytest.mark.slow  # whole training runs

REPORT = {"window": 64}


def twin_curve(
    trainer: Trainer, twin: torch.nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]
) -> list[float]:
    """The losses of torch's own modules, autograd and optimizer over the same batches."""
    settings = trainer.config
    optimizer = torch.optim.AdamW(twin.parameters(), settings.lr, weight_decay=settings.weight_decay)
    schedule = settings.make_schedule()
    losses = []
    for step, (photo, mask) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = schedule(step / settings.total)
        optimizer.zero_grad()
        error = (twin(photo * (1 - mask), mask) - photo) * mask
        count = 3 * mask.sum()
        loss = (settings.mse_weight * error.square().sum() + settings.mae_weight * error.abs().sum()) / count
        loss.backward()
        gradients = [parameter.grad for parameter in twin.parameters() if parameter.grad is not None]
        norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))
        if norm > settings.clip:  # torch's own clipping adds 1e-6 to the norm, which would show here
            torch._foreach_mul_(gradients, settings.clip / norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("name", "model_config", "twin"),
    [
        ("attention", TINY, model_twins.AttentionModel(16, (1, 2))),
        ("attention-report", REPORT, model_twins.AttentionReportModel()),
        ("linear", {}, cell_twins.LinearModel(2)),
        ("cnn", {"width": 8}, cell_twins.BasicNetwork(8)),
    ],
)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_twenty_steps_in_float64_are_the_twins_curve(
    name: str, model_config: dict[str, Any], twin: torch.nn.Module, device: str
) -> None:
    """Twenty different batches, so that no step can hide behind the one before; clipping is at work in some of them."""
    trainer = Trainer(config(model=name, model_config=model_config, steps=20, clip=0.2), device)
    trainer.network.to(dtype=torch.float64).train()
    trainer.optimizer = trainer.config.make_optimizer(trainer.parameters)
    trainer.ema.weights = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    twin.to(device).double().train().load_state_dict(trainer.network.state_dict())
    batches = [(photo.to(device), mask.to(device)) for photo, mask in (crops(2, 64, seed=s) for s in range(20))]
    theirs = twin_curve(trainer, twin, batches)
    stepped = [trainer.step(photo, mask) for photo, mask in batches]
    ours, norms = [loss for loss, _ in stepped], [norm for _, norm in stepped]
    assert max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True)) < 1e-9
    assert any(norm > 0.2 for norm in norms)
    for key, array in twin.state_dict().items():
        difference = (trainer.network.state_dict()[key] - array).abs().max()
        assert difference <= 1e-8 * max(1.0, array.abs().max().item()), key


def test_training_learns(photos: FolderSource, tmp_path: Path) -> None:
    intervals: list[Interval] = []
    settings = config(steps=60, batch_size=4, validation_interval=20)
    run(settings, photos, tmp_path, on_validation=intervals.append)
    errors = [each.validation.metrics["mse"] for each in intervals if each.validation]
    assert [(each.number, each.step) for each in intervals] == [(0, 0), (1, 20), (2, 40), (3, 60)]
    assert errors[-1] < errors[0]
    assert intervals[-1].validation is not None
    assert len(intervals[-1].validation.shown) == 6


def test_the_same_seed_gives_the_same_weights(photos: FolderSource, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        run(config(), photos, tmp_path / name)
    run(config(seed=1), photos, tmp_path / "other")
    once, twice, other = (load_checkpoint(tmp_path / name / LAST).weights for name in ("once", "twice", "other"))
    assert all(torch.equal(once[key], twice[key]) for key in once)
    assert not all(torch.equal(once[key], other[key]) for key in once)


@pytest.mark.cuda
def test_the_same_seed_gives_the_same_weights_on_the_gpu(photos: FolderSource, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        run(config(), photos, tmp_path / name, device="cuda")
    once, twice = (load_checkpoint(tmp_path / name / LAST).weights for name in ("once", "twice"))
    assert all(torch.equal(once[key], twice[key]) for key in once)


def test_workers_do_not_change_the_weights(photos: FolderSource, tmp_path: Path) -> None:
    for workers in (0, 2):
        run(config(workers=workers, steps=3), photos, tmp_path / str(workers))
    none, two = (load_checkpoint(tmp_path / name / LAST).weights for name in ("0", "2"))
    assert all(torch.equal(none[key], two[key]) for key in none)


@pytest.mark.parametrize("name", ["attention", "attention-report"])
@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        (Trainer, "step", 1),
        (Trainer, "step", 5),
        (EMA, "update", 2),  # between the optimizer's update and the end of a step
        (Validator, "__call__", 1),
        (Validator, "__call__", 2),
        (Validator, "__call__", 3),  # the last one, when all steps are done
    ],
)
def test_a_cut_run_goes_on_as_if_it_had_never_stopped(
    name: str, owner: Any, method: str, call: int, photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(model=name, model_config=TINY if name == "attention" else REPORT)
    run(settings, photos, tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt(owner, method, call, patch)
        if (method, call) == ("__call__", 3):  # nothing is left to interrupt
            run(settings, photos, tmp_path / "cut")
        else:
            with pytest.raises(KeyboardInterrupt):
                run(settings, photos, tmp_path / "cut")
            run(settings, photos, tmp_path / "cut", resume=True)
    for file in (LAST, BEST):
        whole, cut = load_checkpoint(tmp_path / "whole" / file), load_checkpoint(tmp_path / "cut" / file)
        assert whole.step == cut.step
        assert whole.metrics == cut.metrics
        assert all(torch.equal(whole.weights[key], cut.weights[key]) for key in whole.weights)
    records = [read_log(tmp_path / run_ / LOG) for run_ in ("whole", "cut")]
    keys = ("validation", "step", "loss", "lr", "mse")
    whole_log, cut_log = ([{k: r.get(k) for k in keys} for r in log] for log in records)
    assert whole_log == cut_log


def test_a_killed_run_goes_on_from_its_last_state(photos: FolderSource, tmp_path: Path) -> None:
    """Killed for good at step 5: the state is that of step 3, and steps 4 and 5 are in the log already."""
    run(config(), photos, tmp_path / "whole")
    killed = tmp_path / "killed"

    def die(self: Trainer, photo: torch.Tensor, mask: torch.Tensor) -> tuple[float, float]:
        if self.progress.steps == 5:
            raise SystemExit
        return original(self, photo, mask)

    original = Trainer.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", die)
        with pytest.raises(SystemExit):
            run(config(), photos, killed)
    assert [r["step"] for r in read_log(killed / LOG) if "lr" in r] == [1, 2, 3, 4, 5]
    run(config(), photos, killed, resume=True)
    assert [r["step"] for r in read_log(killed / LOG) if "lr" in r] == [1, 2, 3, 4, 5, 6]
    whole, cut = load_checkpoint(tmp_path / "whole" / LAST).weights, load_checkpoint(killed / LAST).weights
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


def test_a_run_that_failed_at_once_can_be_resumed_with_a_lower_rate(photos: FolderSource, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="a lower lr may help"):
        run(config(lr=1e9, steps=30, warmup=0.0), photos, tmp_path)
    assert run(config(steps=6), photos, tmp_path, resume=True).progress.steps == 6


def test_a_finished_run_says_so_and_goes_on_when_given_more_steps(photos: FolderSource, tmp_path: Path) -> None:
    run(config(), photos, tmp_path)
    with pytest.raises(PhotomendError, match=r"finished \(6 steps\); give it more steps"):
        run(config(), photos, tmp_path, resume=True)
    assert run(config(steps=8), photos, tmp_path, resume=True).progress.steps == 8


def test_best_is_never_worse_than_the_start(photos: FolderSource, tmp_path: Path) -> None:
    """A rate far too high ruins the network; the weights it started with, the harmonic fill, stay the best."""
    run(config(lr=0.03, warmup=0.0, steps=4, validation_interval=2), photos, tmp_path)
    validations = [r for r in read_log(tmp_path / LOG) if "validation" in r]
    assert validations[-1]["mse"] > validations[0]["mse"]
    best = load_checkpoint(tmp_path / BEST)
    assert best.step == 0
    assert best.metrics["mse"] == validations[0]["mse"] == min(r["mse"] for r in validations)


def test_a_run_leaves_its_settings_log_and_weights(photos: FolderSource, tmp_path: Path) -> None:
    settings = config()
    trainer = run(settings, photos, tmp_path / "run")
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {CONFIG, LOG, BEST, LAST, STATE, PREVIOUS}
    assert TrainConfig.from_dict(json.loads((tmp_path / "run" / CONFIG).read_text())) == settings
    records = read_log(tmp_path / "run" / LOG)
    assert [r["step"] for r in records if "lr" in r] == [1, 2, 3, 4, 5, 6]
    assert [(r["validation"], r["step"]) for r in records if "validation" in r] == [(0, 0), (1, 3), (2, 6)]
    best = load_checkpoint(tmp_path / "run", model="attention")
    assert best.config == trainer.network.config
    assert best.metrics["mse"] == min(r["mse"] for r in records if "validation" in r)


def test_a_run_by_the_clock_ends_with_it(photos: FolderSource, tmp_path: Path) -> None:
    trainer = run(config(steps=None, minutes=0.05), photos, tmp_path)
    assert trainer.fraction == 1
    assert 2.5 <= trainer.progress.seconds < 10
    lrs = [r["lr"] for r in read_log(tmp_path / LOG) if "lr" in r]
    assert lrs[-1] < 0.1 * max(lrs)


def test_a_run_in_bfloat16_repeats(photos: FolderSource, tmp_path: Path) -> None:
    low = config(precision="bfloat16", optimizer="muon")
    whole = run(low, photos, tmp_path / "whole")
    run(low, photos, tmp_path / "again")
    again = load_checkpoint(tmp_path / "again" / LAST).weights
    for name, array in whole.network.state_dict().items():
        assert array.dtype == torch.float32
        assert torch.equal(array, again[name])


def test_without_validation_the_last_weights_are_the_best(photos: FolderSource, tmp_path: Path) -> None:
    train(config(), photos, None, tmp_path, quiet=True)
    assert load_checkpoint(tmp_path / BEST).step == 6


def test_a_folder_with_a_run_is_not_overwritten(photos: FolderSource, tmp_path: Path) -> None:
    run(config(steps=3), photos, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(PhotomendError, match="holds a run already"):
        run(config(steps=3), photos, tmp_path)
    with pytest.raises(PhotomendError, match="holds a run of 'attention', not of 'attention-report'"):
        run(config(model="attention-report", model_config=REPORT), photos, tmp_path, resume=True)
    with pytest.raises(PhotomendError, match=r"was made with width \(=16\), and can't go on with width \(=32\)"):
        run(config(model_config={**TINY, "width": 32}), photos, tmp_path, resume=True)
    whole = tmp_path / "whole"
    run(config(steps=1, model_config={**TINY, "without": ["mask"]}), photos, whole)
    with pytest.raises(PhotomendError, match=r"with without \(=\['mask'\]\), and can't go on with without \(=None\)"):
        run(config(), photos, whole, resume=True)
    shutil.rmtree(whole)
    with pytest.raises(PhotomendError, match=r"made with seed \(=0\), and can't go on with seed \(=1\)"):
        run(config(seed=1), photos, tmp_path, resume=True)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_resuming_without_a_run_is_refused(photos: FolderSource, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="no such checkpoint"):
        run(config(), photos, tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()


def test_a_loss_that_is_no_number_stops_the_run_and_spares_the_weights() -> None:
    trainer = Trainer(config())
    photo, mask = crops(2, 64, dtype=torch.float32)
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    with pytest.raises(PhotomendError, match="at step 0 the loss is nan"):
        trainer.step(torch.where(mask > 0, torch.nan, photo), mask)
    assert all(torch.equal(before[k], v) for k, v in trainer.network.state_dict().items())


def test_what_cannot_be_trained_says_so(photos: FolderSource, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="'harmonic' has nothing to train; choose from"):
        run(config(model="harmonic", model_config={}), photos, tmp_path)


def test_several_holes_are_for_networks_that_take_them(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    step = Trainer.step

    def counting(self: Trainer, photo: Array, mask: Array) -> tuple[float, float]:
        seen.extend(ndimage.label(missing[0])[1] for missing in mask)
        return step(self, photo, mask)

    monkeypatch.setattr(Trainer, "step", counting)
    run(config(steps=2, holes=3, model_config={**TINY, "window": 160}), photos, tmp_path / "several")
    assert 1 < max(seen) <= 3
    for model in ("linear", "cnn"):
        with pytest.raises(PhotomendError, match=rf"holes \(=3\) must be 1 for model '{model}'"):
            run(config(model=model, model_config={}, holes=3), photos, tmp_path / model)


@pytest.mark.parametrize(("optimizer", "schedule"), [("sgd", "step"), ("adam", "cosine"), ("muon", "cosine")])
def test_every_optimizer_and_schedule_runs(optimizer: str, schedule: str, photos: FolderSource, tmp_path: Path) -> None:
    settings = dataclasses.replace(config(steps=10), optimizer=optimizer, schedule=schedule, lr=1e-3, warmup=0.2)
    run(settings, photos, tmp_path)
    lrs = [r["lr"] for r in read_log(tmp_path / LOG) if "lr" in r]
    expected = {"step": [1e-3] * 3 + [3e-4] * 3 + [9e-5] * 3 + [2.7e-5]}.get(schedule)
    assert expected is None or np.allclose(lrs, expected)
    assert lrs[-1] < lrs[3]
