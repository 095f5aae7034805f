"""A step as a CUDA graph: the same as without. On a CPU the recording is played by a function that runs again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend.core import Array, Module, PhotomendError
from photomend.layers.convolution import planner
from photomend.layers.convolution.taps import TAPS
from photomend.tests.models.holes import crops
from photomend.train.config import TrainConfig
from photomend.train.graph import WARM_UP, CapturedFunction, is_capturing
from photomend.train.precision import has_tf32
from photomend.train.trainer import Trainer
from torch.utils._python_dispatch import TorchDispatchMode

SETTINGS = {"attention": {"width": 16, "dilations": [1, 2], "window": 32}, "attention-report": {"window": 32}}


def make(model: str, device: str = "cpu", **settings: Any) -> Trainer:
    given = {"model_config": SETTINGS[model], "steps": 8, "batch_size": 2, "workers": 0, **settings}
    return Trainer(TrainConfig(model, **given), device)


class Player:
    """Captures as a GPU does: it warms up; a replay reads its inputs from where they were, writes result and gradients
    to where they were, and no Python that is outside notices that the function ran."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.captured = self.played = 0

    def __call__(self, function: Callable[[], Array], device: torch.device) -> tuple[Callable[[], None], Array]:
        self.captured += 1
        for _ in range(WARM_UP):
            function()
        result = torch.full_like(function(), float("nan"))
        parameters = self.module.parameters()
        held = [p.grad for p in parameters]

        def replay() -> None:
            self.played += 1
            before = [p.grad for p in parameters]
            result.copy_(function())
            for p, place, earlier in zip(parameters, held, before, strict=True):
                if place is not None and p.grad is not None:
                    place.copy_(p.grad)
                p.grad = earlier

        return replay, result


class Looks(TorchDispatchMode):
    """Counts what makes the host wait for a GPU's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) in ("aten._local_scalar_dense.default", "aten.nonzero.default", "aten.is_nonzero.default"):
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def batches(count: int, device: str = "cpu") -> list[tuple[Array, Array]]:
    made = (crops(2, 32, seed=seed, dtype=torch.float32) for seed in range(count))
    return [(photo.to(device), mask.to(device)) for photo, mask in made]


def play(trainer: Trainer) -> Player:
    """Have the trainer's gradients captured by a Player."""
    player = Player(trainer.network)
    trainer.graph = CapturedFunction(trainer._gradients, trainer.network, player)
    return player


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", SETTINGS)
def test_steps_are_the_same_as_without_a_capture(model: str, precision: str) -> None:
    """Weights and running statistics, too: what the recording does to these is undone."""
    plain, captured = make(model, precision=precision), make(model, precision=precision)
    player = play(captured)
    for photo, mask in batches(5):
        assert plain.step(photo, mask) == captured.step(photo, mask)
        with captured.ema.averaged() as averaged:  # as a validation does
            averaged(photo * (1 - mask), mask)
        with plain.ema.averaged() as averaged:
            averaged(photo * (1 - mask), mask)
        captured.network.zero_grad()
    assert (player.captured, player.played) == (1, 5)
    for name, array in plain.network.state_dict().items():
        assert torch.equal(captured.network.state_dict()[name], array), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", SETTINGS)
def test_nothing_in_the_graph_looks_at_numbers(model: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes as on a GPU, where convolutions go tap by tap and a capture is under way."""
    monkeypatch.setattr("photomend.train.losses.is_capturing", lambda array: True)
    trainer = make(model, precision=precision)
    ((photo, mask),) = batches(1)
    prepared = trainer.network.prepare(photo * (1 - mask), mask)
    with planner.only(TAPS), Looks() as looks:
        trainer._gradients(photo, mask, *prepared)
        assert looks.seen == []
        trainer.network.prepare(photo * (1 - mask), mask)
        assert looks.seen  # which is why this isn't in the graph


def test_a_call_with_other_shapes_captures_anew() -> None:
    trainer = make("attention")
    player = play(trainer)
    for count in (2, 2, 1, 1):
        trainer.step(*crops(count, 32, dtype=torch.float32))
    assert (player.captured, player.played) == (2, 4)


def test_a_call_with_weights_in_another_place_captures_anew() -> None:
    plain, captured = make("attention"), make("attention")
    player = play(captured)
    for photo, mask in batches(4):
        parameter = captured.network.parameters()[0]
        parameter.data = parameter.data.clone()
        assert plain.step(photo, mask) == captured.step(photo, mask)
    assert (player.captured, player.played) == (4, 4)


def test_after_a_capture_that_failed_the_next_call_tries_again() -> None:
    trainer = make("attention-report")
    player = play(trainer)
    before = {name: array.clone() for name, array in trainer.network.state_dict().items()}

    def fails(function: Callable[[], Array], device: torch.device) -> tuple[Callable[[], None], Array]:
        function()
        raise torch.OutOfMemoryError("no room")

    assert trainer.graph is not None
    trainer.graph.capture = fails
    ((photo, mask),) = batches(1)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.step(photo, mask)
    for name, array in trainer.network.state_dict().items():
        assert torch.equal(array, before[name]), name
    trainer.graph.capture = player
    assert trainer.step(photo, mask) == make("attention-report").step(photo, mask)


def test_what_is_given_stays_the_callers() -> None:
    kept: list[Array] = []

    def double(x: Array) -> Array:
        kept.append(x)
        return 2 * x

    network = make("attention").network
    captured, given = CapturedFunction(double, network, Player(network)), torch.ones(2)
    assert captured(given).tolist() == [2, 2]
    assert captured(3 * given).tolist() == [6, 6]
    assert all(x.data_ptr() == kept[0].data_ptr() != given.data_ptr() for x in kept)


def test_a_cpu_captures_nothing() -> None:
    assert not is_capturing(torch.ones(1))
    with pytest.raises(PhotomendError, match=r"training: cuda_graph \(=True\) needs a CUDA device, not cpu"):
        make("attention", cuda_graph=True)


def test_a_graph_cannot_be_recomputed() -> None:
    with pytest.raises(PhotomendError, match="cuda_graph and recompute don't go together"):
        make("attention", cuda_graph=True, recompute=True)


@pytest.mark.parametrize("setting", ["cuda_graph", "recompute"])
def test_settings_that_a_model_has_no_use_for(setting: str) -> None:
    with pytest.raises(PhotomendError, match=rf"training: {setting} \(=True\) is not for model 'cnn'"):
        Trainer(TrainConfig("cnn", {"window": 32}, steps=1, **{setting: True}))  # type: ignore[arg-type]


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("model", SETTINGS)
def test_a_gpu_steps_as_without_its_graph(model: str, precision: str) -> None:
    if precision == "tf32" and not has_tf32():
        pytest.skip("this GPU has no TF32")
    plain, captured = (make(model, "cuda", precision=precision, cuda_graph=graph) for graph in (False, True))
    for photo, mask in batches(5, "cuda"):
        (loss, norm), (its_loss, its_norm) = plain.step(photo, mask), captured.step(photo, mask)
        assert its_loss == pytest.approx(loss, rel=1e-5)
        assert its_norm == pytest.approx(norm, rel=1e-4)
    for name, array in plain.network.state_dict().items():
        torch.testing.assert_close(captured.network.state_dict()[name], array, rtol=1e-4, atol=1e-5)
