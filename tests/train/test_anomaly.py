"""A run without numbers: it says the step, the photos and where it began, and the last state with numbers stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.core import Array, Module, PhotomendError, Tensor, detect_anomaly, exp, log, mean, sqrt, where
from photomend.core.anomaly import AnomalyError
from photomend.data.sources import FolderSource
from photomend.layers import BatchNorm1d, Linear, Sequential, softmax
from photomend.tests.models.holes import crops
from photomend.train.anomaly import explain
from photomend.train.checkpoint import STATE, load_state
from photomend.train.fitting import fit
from photomend.train.trainer import Trainer

from .runs import config, run


class Exponential(Module):
    def forward(self, x: Tensor) -> Tensor:
        return exp(x * 1000.0)


def test_a_primitive_that_makes_nan_or_infinity_is_named() -> None:
    x = Tensor(torch.tensor([4.0, 0.0, -1.0]))
    with detect_anomaly():
        with pytest.raises(AnomalyError, match=r"log: 1 of 3 numbers of its value are NaN; x lies in \[-1, 4\]"):
            log(x)
        with pytest.raises(AnomalyError, match="exp: 1 of 3 numbers of its value are infinite"):
            exp(x * 100.0)
        root = sqrt(x[:2])
        with pytest.raises(AnomalyError, match="sqrt: 1 of 2 numbers of the gradient of argument x are infinite"):
            root.sum().backward()
    assert log(x).data[2].isnan()  # outside nobody looks


def test_an_infinity_that_was_put_there_is_none() -> None:
    scores = Tensor(torch.randn(3, 4))
    seen = torch.ones(3, 4).tril() > 0
    with detect_anomaly():
        weights = softmax(where(seen, scores, torch.tensor(-torch.inf)), dim=1)
        mean(weights * scores).backward()
    with detect_anomaly(), pytest.raises(AnomalyError, match="softmax: 4 of 12 numbers of its value are NaN"):
        softmax(where(seen & (torch.arange(3) > 0)[:, None], scores, torch.tensor(-torch.inf)), dim=1)


def test_a_step_names_the_layer_in_which_it_began_and_changes_nothing() -> None:
    network = Sequential(Linear(2, 3), BatchNorm1d(3), Exponential(), Linear(3, 1))
    before = {name: parameter.data.clone() for name, parameter in network.named_parameters()}
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    with pytest.raises(PhotomendError) as error:
        fit(network, (x, y), lambda p, y: mean((p - y) ** 2), steps=3, batch_size=8, quiet=True)
    said = str(error.value)
    assert said.startswith("training: at step 0 the loss is ")
    assert "; it began in layer 2 (Exponential), exp: " in said
    assert all(torch.equal(array, network.state_dict()[name]) for name, array in before.items())
    assert not any("forward" in vars(module) for module in network.modules())
    with detect_anomaly(), pytest.raises(PhotomendError, match=r"at step 0 in layer 2 \(Exponential\), exp: "):
        fit(network, (x, y), lambda p, y: mean((p - y) ** 2), steps=3, batch_size=8, quiet=True)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda p, y: mean(sqrt((p - p) ** 2)), "sqrt: .* of the gradient of argument x are"),
        (lambda p, y: mean(log(p - p)), "log: .* numbers of its value are infinite"),
    ],
)
def test_the_loss_or_a_pullback_may_be_where_it_began(loss: Any, message: str) -> None:
    with pytest.raises(PhotomendError, match=f"it began in {message}"):
        fit(Linear(2, 1), (torch.randn(8, 2), torch.randn(8, 1)), loss, steps=3, quiet=True)


def test_photos_are_named_and_a_batch_or_a_weight_that_is_no_number() -> None:
    trainer = Trainer(config())
    photo, mask = crops(2, 64, dtype=torch.float32)
    error = AnomalyError("at step 0 the loss is nan")
    said = str(explain(trainer, (torch.where(mask > 0, torch.nan, photo), mask), error, ["a.png", "b.png"]))
    assert said == (
        "training: at step 0 the loss is nan; it began in the batch, which holds NaN or infinities; "
        "photos of this step: a.png, b.png; a lower lr may help"
    )
    assert "c18.png" not in str(explain(trainer, (photo, mask), error, [f"c{i}.png" for i in range(20)]))
    trainer.parameters[0].data[0] = torch.inf
    assert "it began in the weight stem.1.weight" in str(explain(trainer, (photo, mask), error))


@pytest.mark.slow  # training runs
def test_the_last_state_with_numbers_stays(
    photos: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update of step 4 makes a weight infinite; what step 3 has saved is not replaced by it."""
    step = Trainer.step

    def overflowing(self: Trainer, *batch: Array) -> tuple[float, float]:
        done = step(self, *batch)
        if self.progress.steps == 4:
            self.parameters[0].data[0] = torch.inf
        return done

    monkeypatch.setattr(Trainer, "step", overflowing)
    with pytest.raises(PhotomendError) as error:
        run(config(validation_interval=3, steps=6), photos, tmp_path / "run")
    assert "at step 4 the loss is nan" in str(error.value)
    assert "it began in the weight stem.1.weight; photos of this step: " in str(error.value)
    with pytest.raises(PhotomendError, match=r"after step 4 the weight stem.1.weight is no longer finite; the last"):
        run(config(validation_interval=2, steps=6), photos, tmp_path / "other")
    for out, last in (("run", 3), ("other", 2)):
        state = load_state(tmp_path / out / STATE)
        assert state["progress"]["steps"] == last
        assert all(torch.isfinite(array).all() for array in state["weights"].values())
