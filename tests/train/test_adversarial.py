"""A step against the discriminator: the twin's in torch.nn, who is changed when, and the ramp of the weight."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from photomend import models
from photomend.core import Array, PhotomendError
from photomend.models.discriminator import hole_patches
from photomend.models.weights import Checkpoint, save_checkpoint
from photomend.tests.models.holes import crops
from photomend.tests.reference import gan_twins, model_twins
from photomend.train.adversarial import LEAST_MAE, AdversarialTrainer
from photomend.train.config import AdversarialConfig
from photomend.train.ema import EMA
from photomend.train.initial_weights import initial_settings
from photomend.train.optimizers import Adam

TINY: dict[str, Any] = {"width": 16, "dilations": [1, 2], "window": 48}


def config(path: Path, **settings: Any) -> AdversarialConfig:
    given = {"initial_weights": str(path), "model_config": TINY, "steps": 10, "batch_size": 2, "workers": 0, **settings}
    return AdversarialConfig(**given)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of an attention model that has learned something, though nothing useful."""
    torch.manual_seed(0)
    network = models.build("attention", **TINY)
    network.head[2].weight.data.normal_(0, 0.05)
    path = tmp_path_factory.mktemp("start") / "attention.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))
    return path


def in_float64(settings: AdversarialConfig) -> AdversarialTrainer:
    trainer = AdversarialTrainer(settings)
    trainer.begin()
    trainer.network.to(dtype=torch.float64)
    trainer.discriminator.to(dtype=torch.float64)
    trainer.optimizer = settings.make_optimizer(trainer.parameters)
    discriminated = trainer.discriminator.parameters()
    trainer.discriminator_optimizer = Adam(discriminated, settings.discriminator_lr, betas=(0.0, 0.9))
    trainer.ema = EMA(trainer.network, settings.ema)
    return trainer


def twin_steps(
    generator: torch.nn.Module, discriminator: torch.nn.Module, settings: AdversarialConfig, batches: list[Any]
) -> list[tuple[float, float]]:
    """The losses of both networks, in torch's own modules, autograd and optimizers: one loss for the generator, whose
    gradient goes all the way through the discriminator and the filled photo."""
    ours = torch.optim.Adam(generator.parameters(), settings.lr, betas=(0.0, 0.9))
    theirs = torch.optim.Adam(discriminator.parameters(), settings.discriminator_lr, betas=(0.0, 0.9))
    losses = []
    for step, (photo, mask) in enumerate(batches):
        inside = F.max_pool2d(mask, 4) > 0
        prediction = generator(photo * (1 - mask), mask)
        filled = photo * (1 - mask) + prediction.clamp(0, 1) * mask
        assert not torch.equal(prediction, prediction.clamp(0, 1))  # the clamp has something to do

        rate = min(1, 2 * (1 - step / settings.total))
        ours.param_groups[0]["lr"] = rate * settings.lr
        theirs.param_groups[0]["lr"] = rate * settings.discriminator_lr
        theirs.zero_grad()
        scores = discriminator.train()(torch.cat((photo, filled.detach())), torch.cat((mask, mask)))
        real, fake = (part[inside] for part in scores.chunk(2))
        discriminator_loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        discriminator_loss.backward()
        theirs.step()

        ours.zero_grad()
        weight = 0.01 + 0.09 * min(1, step / settings.total / settings.ramp)
        error = F.l1_loss(prediction[mask.expand_as(photo) > 0], photo[mask.expand_as(photo) > 0])
        loss = error - weight * discriminator.eval()(filled, mask)[inside].mean()
        loss.backward()
        ours.step()
        losses.append((loss.item(), discriminator_loss.item()))
    return losses


def test_steps_in_float64_are_the_twins(start: Path) -> None:
    trainer = in_float64(config(start, steps=8, ramp=0.5, lr=1e-3, discriminator_lr=4e-3))
    network: Any = trainer.network
    network.head[2].weight.data.mul_(20)  # so that some of its colours are none
    generator = model_twins.AttentionModel(16, (1, 2)).double()
    generator.load_state_dict(trainer.network.state_dict())
    discriminator = gan_twins.PatchDiscriminator((32, 64, 128)).double()
    discriminator.load_state_dict(trainer.discriminator.state_dict())
    batches = [crops(2, 48, seed=seed) for seed in range(6)]
    expected = twin_steps(generator, discriminator, trainer.config, batches)
    for (photo, mask), (loss, discriminator_loss) in zip(batches, expected, strict=True):
        assert trainer.step(photo, mask)[0] == pytest.approx(loss, rel=1e-8)
        assert trainer.observed["d_loss"] == pytest.approx(discriminator_loss, rel=1e-8)
    for ours, twin in ((trainer.network, generator), (trainer.discriminator, discriminator)):
        for name, array in twin.state_dict().items():
            difference = (ours.state_dict()[name] - array).abs().max()
            assert difference <= 1e-8 * max(1.0, array.abs().max().item()), name


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array.clone() for name, array in arrays.items()}


def same(arrays: dict[str, Array], before: dict[str, Array]) -> bool:
    return all(torch.equal(array, before[name]) for name, array in arrays.items())


def test_each_network_learns_while_the_other_stands_still(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is stepped the other's state stays bit for bit, power iteration included, and gets no gradient."""
    trainer = AdversarialTrainer(config(start))
    trainer.begin()
    step_discriminator, score = trainer._step_discriminator, trainer._score
    seen = []

    def watched_step(*arrays: Array) -> dict[str, Array]:
        before = copies(trainer.network.state_dict()), copies(trainer.discriminator.state_dict())
        result = step_discriminator(*arrays)
        assert same(trainer.network.state_dict(), before[0])
        assert all(parameter.grad is None for parameter in trainer.parameters)
        assert not same(trainer.discriminator.state_dict(), before[1])
        seen.append("discriminator")
        return result

    def watched_score(*arrays: Array) -> tuple[Array, Array]:
        before = copies(trainer.discriminator.state_dict())
        trainer.discriminator.zero_grad()
        result = score(*arrays)
        assert same(trainer.discriminator.state_dict(), before)
        assert all(parameter.grad is None for parameter in trainer.discriminator.parameters())
        seen.append("score")
        return result

    monkeypatch.setattr(trainer, "_step_discriminator", watched_step)
    monkeypatch.setattr(trainer, "_score", watched_score)
    photo, mask = crops(2, 48, dtype=torch.float32)
    trainer.step(photo, mask)
    discriminator, generator = copies(trainer.discriminator.state_dict()), copies(trainer.network.state_dict())
    trainer.step(photo, mask)
    assert seen == ["discriminator", "score"] * 2
    assert not same(trainer.discriminator.state_dict(), discriminator)
    assert not same(trainer.network.state_dict(), generator)


def test_a_photo_may_have_several_holes(start: Path) -> None:
    trainer = AdversarialTrainer(config(start))
    photo, mask = crops(2, 48, dtype=torch.float32)
    mask[:] = 0
    mask[:, :, 4:18, 4:18] = 1
    mask[:, :, 26:44, 20:40] = 1
    loss, norm = trainer.step(photo, mask)
    assert math.isfinite(loss + norm)
    assert trainer.step(photo, mask)[0] != loss


def test_only_patches_of_the_hole_are_judged(start: Path) -> None:
    """What the discriminator says of other patches doesn't count, and the generator's gradient stays in the hole."""
    trainer = AdversarialTrainer(config(start))
    photo, mask = crops(2, 48, dtype=torch.float32)
    patches = hole_patches(mask)
    filled = torch.where(mask > 0.5, 1 - photo, photo)
    score, gradient = trainer._score(1 - photo, photo, mask, patches)
    assert (gradient[(mask == 0).expand_as(gradient)] == 0).all()
    assert (gradient[(mask == 1).expand_as(gradient)] != 0).any()
    scores = trainer.discriminator(filled, mask).data
    assert score == pytest.approx(scores[patches > 0].mean().item())
    assert (patches == 0).any()
    assert score != pytest.approx(scores.mean().item())


def test_what_is_no_colour_is_judged_as_the_nearest_and_gets_no_gradient(start: Path) -> None:
    trainer = AdversarialTrainer(config(start))
    photo, mask = crops(2, 48, dtype=torch.float32)
    prediction = 3 * photo - 1
    score, gradient = trainer._score(prediction, photo, mask, hole_patches(mask))
    assert score == trainer._score(prediction.clamp(0, 1), photo, mask, hole_patches(mask))[0]
    missing, inside = (mask > 0).expand_as(photo), (prediction >= 0) & (prediction <= 1)
    assert (gradient[missing & inside] != 0).any()
    assert (missing & ~inside).any()
    assert (gradient[~(missing & inside)] == 0).all()


def validated(trainer: AdversarialTrainer, hole_mae: float, sharpness: float = 0.5) -> bool:
    """Whether weights with these errors are kept."""
    return trainer.after_validation({"hole_mae": hole_mae, "sharpness": sharpness})


def test_photos_of_one_colour_and_errors_that_are_no_numbers(start: Path) -> None:
    """A start without error allows one of LEAST_MAE, and the tolerance above it; NaN is not good."""
    trainer = AdversarialTrainer(config(start, tolerance=0.1))
    assert validated(trainer, 0.0, math.nan)
    assert validated(trainer, 1.08 * LEAST_MAE, math.nan)
    assert not validated(trainer, 1.095 * LEAST_MAE, math.nan)
    assert trainer.fraction == 0
    assert not validated(trainer, 1.11 * LEAST_MAE)
    assert trainer.fraction == 1
    trainer = AdversarialTrainer(config(start))
    assert validated(trainer, 20.0)
    assert not validated(trainer, math.nan)
    assert trainer.balance.stopped


def test_the_weight_ramps_and_stays(start: Path) -> None:
    weight = config(start, ramp=0.4).weight
    assert [round(weight(p), 6) for p in (0, 0.1, 0.2, 0.4, 0.7, 1)] == [0.01, 0.0325, 0.055, 0.1, 0.1, 0.1]
    assert config(start, ramp=0.0).weight(0) == 0.1


def test_the_weight_follows_the_error_to_a_share_of_the_tolerance(start: Path) -> None:
    trainer = AdversarialTrainer(config(start, ramp=0.0, tolerance=0.2))
    weights = []
    for hole_mae in (20.0, 19.0, 23.2, 24.0, 23.8, 23.2, 22.0, 20.0):
        validated(trainer, hole_mae)
        weights.append(trainer.weight)
    factors = [1, 1, 1, math.exp(-0.2), math.exp(-0.35), math.exp(-0.35), math.exp(-0.05), 1]
    assert weights == pytest.approx([0.1 * factor for factor in factors])


def test_the_weight_settles_where_the_error_is_in_proportion_to_it(start: Path) -> None:
    trainer = AdversarialTrainer(config(start, ramp=0.0, tolerance=0.15))
    validated(trainer, 20.0)
    for _ in range(20):
        validated(trainer, 20.0 * (1 + 1.4 * trainer.weight))
    assert trainer.balance.rise == pytest.approx(0.8 * 0.15, rel=0.01)


def test_the_sharpest_within_the_tolerance_are_kept(start: Path) -> None:
    trainer = AdversarialTrainer(config(start, tolerance=0.1))
    seen = [(20.0, 0.1), (21.0, 0.5), (21.5, 0.4), (21.9, 0.9), (21.0, 1.3), (21.7, 0.8), (21.7, 1.2)]
    assert [validated(trainer, *one) for one in seen] == [True, True, False, False, True, True, True]
    assert not trainer.balance.stopped


def test_a_step_says_what_it_saw(start: Path) -> None:
    trainer = AdversarialTrainer(config(start))
    trainer.begin()
    loss, norm = trainer.step(*crops(2, 48, dtype=torch.float32))
    seen = trainer.observed
    assert set(seen) == {"d_real", "d_fake", "d_loss", "adversarial_weight", "gradient_ratio", "hole_mae"}
    assert all(math.isfinite(value) for value in (loss, norm, *seen.values()))
    assert seen["adversarial_weight"] == 0.01
    assert seen["gradient_ratio"] > 0


def test_the_run_is_over_when_the_hole_mae_has_risen_by_more_than_the_tolerance(start: Path) -> None:
    trainer = AdversarialTrainer(config(start, tolerance=0.15))
    assert validated(trainer, 20.0)  # the weights that it starts with
    assert validated(trainer, 22.6)
    assert not validated(trainer, 22.9)  # within the tolerance, but too near it to be kept
    assert trainer.fraction == 0
    assert not validated(trainer, 23.1)
    assert trainer.fraction == 1
    assert "stopped at step 0: its hole MAE is more than 15 % above the 20.00" in trainer.ending
    assert AdversarialTrainer(config(start)).after_validation(None)


def test_it_begins_where_the_attention_model_ended(start: Path) -> None:
    trainer = AdversarialTrainer(config(start))
    trainer.begin()
    attention = models.build("attention", **TINY)
    attention.load_state_dict(trainer.network.state_dict())
    photo, mask = crops(2, 48, dtype=torch.float32)
    assert torch.equal(attention(photo * (1 - mask), mask).data, trainer.network(photo * (1 - mask), mask).data)
    assert same(trainer.ema.weights, trainer.network.state_dict())
    assert initial_settings("gan", str(start)) == attention.config
    checkpoint = trainer.weights(averaged=True, metrics={})
    assert (checkpoint.model, checkpoint.config) == ("gan", attention.config)


def test_numbers_that_are_none_stop_the_run_and_spare_the_generator(start: Path) -> None:
    trainer = AdversarialTrainer(config(start))
    photo, mask = crops(2, 48, dtype=torch.float32)
    before = copies(trainer.network.state_dict())
    with pytest.raises(PhotomendError, match="at step 0 the loss is nan"):
        trainer.step(torch.where(mask > 0, torch.nan, photo), mask)
    assert same(trainer.network.state_dict(), before)


def test_starts_that_do_not_fit_are_refused(start: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="no such checkpoint"):
        AdversarialTrainer(config(tmp_path / "none.safetensors")).begin()
    wider = AdversarialTrainer(config(start, model_config={**TINY, "width": 32}))
    with pytest.raises(PhotomendError, match=r"attention.safetensors: state dict does not fit GanModel"):
        wider.begin()
    network = models.build("attention-report", window=48)
    save_checkpoint(tmp_path / "report", Checkpoint("attention-report", network.state_dict(), network.config))
    with pytest.raises(PhotomendError, match="holds the model 'attention-report', not 'attention'"):
        AdversarialTrainer(config(tmp_path / "report")).begin()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_weights": ""}, "gan goes on from a trained attention model; say which one: --from RUN"),
        ({"model": "attention"}, "model 'attention' can't train against a discriminator, only 'gan' can"),
        ({"discriminator_lr": 0.0}, r"discriminator_lr \(=0.0\) must be above 0"),
        ({"first_weight": -1.0}, r"first_weight \(=-1.0\) must not be negative"),
        ({"ramp": 1.5}, r"ramp \(=1.5\) must be from 0 to 1"),
        ({"tolerance": 0.0}, r"tolerance \(=0.0\) must be above 0"),
        ({"seed": -1}, r"seed \(=-1\) must not be negative"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str, start: Path) -> None:
    with pytest.raises(PhotomendError, match=message):
        config(start, **settings)


def test_settings_of_the_other_training_are_unknown() -> None:
    with pytest.raises(PhotomendError, match=r"file.toml: unknown key 'mse_weight'"):
        AdversarialConfig.from_dict({"mse_weight": 1.0}, "file.toml")
