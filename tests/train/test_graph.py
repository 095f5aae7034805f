"""A step as a CUDA graph: the same as without. On a CPU the recording is played by a function that runs again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from photomend.core import Array, PhotomendError
from photomend.tests.models.holes import crops
from photomend.train.config import TrainConfig
from photomend.train.graph import WARM_UP, Captured, is_captured
from photomend.train.trainer import Trainer

SETTINGS = {"attention": {"width": 16, "dilations": [1, 2], "window": 32}, "attention-report": {"window": 32}}


def make(model: str, device: str = "cpu", **settings: Any) -> Trainer:
    given = {"model_config": SETTINGS[model], "steps": 8, "batch_size": 2, "workers": 0, **settings}
    return Trainer(TrainConfig(model, **given), device)


class Player:
    """Records as a GPU does: warms up, writes the result to one place, and reads what it is given from where it was."""

    def __init__(self) -> None:
        self.recorded = self.played = 0

    def __call__(self, function: Callable[[], Array]) -> tuple[Callable[[], None], Array]:
        self.recorded += 1
        for _ in range(WARM_UP):
            function()
        result = torch.full_like(function(), float("nan"))

        def replay() -> None:
            self.played += 1
            result.copy_(function())

        return replay, result


def batches(count: int, device: str = "cpu") -> list[tuple[Array, Array]]:
    made = (crops(2, 32, seed=seed, dtype=torch.float32) for seed in range(count))
    return [(photo.to(device), mask.to(device)) for photo, mask in made]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", SETTINGS)
def test_steps_are_the_same_as_without_recording(model: str, precision: str) -> None:
    """Weights and running statistics, too: what the recording does to these is undone."""
    plain, recorded, player = make(model, precision=precision), make(model, precision=precision), Player()
    recorded.graph = Captured(recorded._gradients, recorded.network, player)
    for photo, mask in batches(5):
        assert plain.step(photo, mask) == recorded.step(photo, mask)
    assert (player.recorded, player.played) == (1, 5)
    for name, array in plain.network.state_dict().items():
        assert torch.equal(recorded.network.state_dict()[name], array), name


def test_a_call_with_other_shapes_records_anew() -> None:
    player = Player()
    trainer = make("attention")
    trainer.graph = Captured(trainer._gradients, trainer.network, player)
    for count in (2, 2, 1, 1):
        trainer.step(*crops(count, 32, dtype=torch.float32))
    assert (player.recorded, player.played) == (2, 4)


def test_what_is_given_stays_the_callers() -> None:
    kept: list[Array] = []

    def double(x: Array) -> Array:
        kept.append(x)
        return 2 * x

    captured, given = Captured(double, make("attention").network, Player()), torch.ones(2)
    assert captured(given).tolist() == [2, 2]
    assert captured(3 * given).tolist() == [6, 6]
    assert all(x.data_ptr() == kept[0].data_ptr() != given.data_ptr() for x in kept)


def test_a_cpu_records_nothing() -> None:
    assert not is_captured(torch.ones(1))
    with pytest.raises(PhotomendError, match=r"training: cuda_graph \(=True\) needs a CUDA device, not cpu"):
        make("attention", cuda_graph=True)


def test_a_graph_cannot_be_recomputed() -> None:
    with pytest.raises(PhotomendError, match="cuda_graph and recompute don't go together"):
        make("attention", cuda_graph=True, recompute=True)


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", SETTINGS)
def test_a_gpu_steps_as_without_its_graph(model: str, precision: str) -> None:
    plain, recorded = (make(model, "cuda", precision=precision, cuda_graph=graph) for graph in (False, True))
    for photo, mask in batches(5, "cuda"):
        (loss, norm), (its_loss, its_norm) = plain.step(photo, mask), recorded.step(photo, mask)
        assert its_loss == pytest.approx(loss, rel=1e-4)
        assert its_norm == pytest.approx(norm, rel=1e-2)
    for name, array in plain.network.state_dict().items():
        torch.testing.assert_close(recorded.network.state_dict()[name], array, rtol=1e-2, atol=1e-3)


@pytest.mark.cuda
def test_a_graph_is_for_networks_that_prepare() -> None:
    with pytest.raises(PhotomendError, match="is not for model 'cnn'"):
        Trainer(TrainConfig("cnn", {"window": 32}, steps=1, cuda_graph=True), "cuda")
