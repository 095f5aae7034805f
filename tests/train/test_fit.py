"""`fit`: it learns, repeats itself, goes on from where it was cut off, and says in one line what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import photomend
import pytest
import torch
from photomend.core import Array, Module, PhotomendError, Tensor, exp, log, mean
from photomend.core import sum as total
from photomend.layers import BatchNorm1d, Dropout, Linear, ReLU, Sequential
from photomend.layers import cross_entropy as layers_cross_entropy
from photomend.train import History, fit
from photomend.train.array_trainer import ArrayTrainer, ArrayValidator
from photomend.train.checkpoint import STATE
from photomend.train.log import LOG
from photomend.train.optimizers import SGD, Adam
from photomend.train.schedules import StepLR
from torch.utils.data import DataLoader, TensorDataset

from .interrupting import interrupt

POINTS = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
LABELS = (POINTS.norm(dim=1) > 1).long()
DATA = (POINTS, LABELS)


def classifier(seed: int = 0) -> Sequential:
    """With running statistics and dropout, so that a resumed run needs buffers and random numbers too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Sequential(Linear(2, 16), BatchNorm1d(16), ReLU(), Dropout(0.1), Linear(16, 2))


def cross_entropy(scores: Tensor, labels: Array) -> Tensor:
    chosen = scores[torch.arange(len(labels)), labels]
    return mean(log(total(exp(scores), dim=1)) - chosen)


def squared_error(prediction: Tensor, y: Array) -> Tensor:
    return mean((prediction - y) ** 2)


def train(model: Module, data: Any = DATA, loss: Any = cross_entropy, **settings: Any) -> History:
    length = {} if "steps" in settings else {"epochs": 3}
    return fit(model, data, loss, **{"batch_size": 8, "quiet": True, **length, **settings})


def same(a: Module, b: Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns_and_says_how_well() -> None:
    model = Sequential(Linear(2, 32), ReLU(), Linear(32, 2))
    history = train(model, epochs=60, lr=0.03, schedule="cosine", validation_data=DATA, metrics=["accuracy"])
    assert len(history.losses) == 60 * 7
    first, *_, last = history.validation
    assert (first["step"], last["step"], len(history.validation)) == (0, 420, 61)
    assert first.keys() == {"validation", "step", "val_loss", "val_accuracy"}
    assert last.keys() == first.keys() | {"loss"}
    assert last["val_accuracy"] > 0.9 > first["val_accuracy"]
    assert last["loss"] == pytest.approx(sum(history.losses[-7:]) / 7)
    scores = model.eval()(POINTS)
    assert last["val_accuracy"] == pytest.approx((scores.data.argmax(dim=1) == LABELS).float().mean().item())
    assert last["val_loss"] == pytest.approx(cross_entropy(scores, LABELS).item(), rel=1e-5)


@pytest.mark.parametrize("clip", [1e9, 0.3])
def test_its_curve_is_torchs(clip: float) -> None:
    """The hand-written step on x and y against torch's layers, autograd and optimizer over the same batches."""
    ours = Sequential(Linear(2, 8), ReLU(), Linear(8, 2)).to(dtype=torch.float64)
    twin = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).double()
    twin.load_state_dict(ours.state_dict())
    history = train(ours, optimizer="sgd", lr=0.5, clip=clip, shuffle=False)
    optimizer = torch.optim.SGD(twin.parameters(), 0.5)
    for step, loss in enumerate(history.losses):
        x, y = (array[slice(8 * (step % 7), 8 * (step % 7) + 8)] for array in DATA)
        optimizer.zero_grad()
        theirs = torch.nn.functional.cross_entropy(twin(x.double()), y)
        theirs.backward()
        gradients = [parameter.grad for parameter in twin.parameters() if parameter.grad is not None]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        if norm > clip:  # torch's own clipping adds 1e-6 to the norm, which would show here
            torch._foreach_mul_(gradients, clip / norm)
        optimizer.step()
        assert loss == pytest.approx(theirs.item(), rel=1e-6)


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_generator_alone() -> None:
    once, twice, other = classifier(), classifier(), classifier()
    before = torch.get_rng_state()
    losses = [train(model, seed=seed).losses for model, seed in ((once, 0), (twice, 0), (other, 1))]
    assert torch.equal(before, torch.get_rng_state())
    assert losses[0] == losses[1] != losses[2]
    assert same(once, twice)
    assert not same(once, other)


def test_every_module_keeps_its_mode() -> None:
    model = classifier().eval()
    model[1].train()
    train(model, validation_data=DATA)
    assert [layer.training for _, layer in model.named_modules()] == [False, False, True, False, False, False]
    assert model[1].state_dict()["num_batches_tracked"] == 21


LOADER = {"data": DataLoader(TensorDataset(*DATA), 8, shuffle=True), "batch_size": None}


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [(ArrayTrainer, "step", 1), (ArrayTrainer, "step", 12), (ArrayValidator, "__call__", 3)],
)
@pytest.mark.parametrize("settings", [{"optimizer": "adamw", "schedule": "cosine", "clip": 1.0}, LOADER])
def test_a_cut_run_goes_on_as_if_it_had_never_stopped(
    settings: dict[str, Any],
    owner: Any,
    method: str,
    call: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"validation_data": DATA, "metrics": ["accuracy"], **settings}
    whole, cut, resumed = classifier(), classifier(), classifier(seed=1)
    uninterrupted = train(whole, out=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        interrupt(owner, method, call, patch)
        with pytest.raises(KeyboardInterrupt):
            train(cut, out=tmp_path / "cut", **settings)
    torch.rand(3)
    history = train(resumed, out=tmp_path / "cut", resume=True, **settings)
    assert same(whole, resumed)
    assert history.records == uninterrupted.records
    assert (tmp_path / "whole" / LOG).read_bytes() == (tmp_path / "cut" / LOG).read_bytes()
    for file in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()
    assert same(whole, photomend.load(tmp_path / "cut" / "last.safetensors", into=classifier()))


def test_a_finished_run_goes_on_when_given_more_steps(tmp_path: Path) -> None:
    whole, longer = classifier(), classifier()
    train(whole, epochs=4)
    train(longer, out=tmp_path)
    with pytest.raises(PhotomendError, match="holds a run already"):
        train(longer, out=tmp_path)
    with pytest.raises(PhotomendError, match=r"finished \(21 steps\)"):
        train(longer, out=tmp_path, resume=True)
    assert len(train(longer, epochs=4, out=tmp_path, resume=True).losses) == 28
    assert same(whole, longer)


def test_what_cannot_be_gone_on_with(tmp_path: Path) -> None:
    train(classifier(), out=tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"data": (POINTS + 1, LABELS)}, "was trained on other data"),
        ({"data": (POINTS[:40], LABELS[:40])}, "was trained on other data (40 samples instead of 50)"),
        ({"seed": 1}, "was made with seed (=0), and can't go on with seed (=1)"),
        ({"optimizer": "sgd"}, "was made with optimizer (=Adam), and can't go on with optimizer (=SGD)"),
        ({"model": Linear(2, 2)}, "holds a run of 'Sequential', not of 'Linear'"),
        ({"model": Sequential(Linear(2, 2))}, f"{STATE}: state dict does not fit Sequential"),
        ({"out": tmp_path / "nothing"}, "no such checkpoint"),
        ({"out": None}, "resume (=True) needs out"),
    ]
    for settings, message in wrong:
        with pytest.raises(PhotomendError) as error:
            train(**{"model": classifier(), "out": tmp_path, "resume": True, "epochs": 4, **settings})
        assert message in str(error.value)
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert STATE in before


def test_a_dataset_of_other_samples_is_not_gone_on_with(tmp_path: Path) -> None:
    train(classifier(), TensorDataset(*DATA), out=tmp_path)
    with pytest.raises(PhotomendError, match="was trained on other data"):
        train(classifier(), TensorDataset(POINTS + 1, LABELS), out=tmp_path, resume=True, epochs=4)
    train(classifier(), TensorDataset(*DATA), out=tmp_path, resume=True, epochs=4)


def test_a_dataset_that_draws_its_samples_can_be_gone_on_with(tmp_path: Path) -> None:
    class Noisy(TensorDataset):
        def __getitem__(self, index: int) -> tuple[Array, ...]:
            return POINTS[index] + torch.randn(2), LABELS[index]

    train(classifier(), Noisy(*DATA), out=tmp_path)
    train(classifier(), Noisy(*DATA), out=tmp_path, resume=True, epochs=4)


def test_optimizers_and_schedules() -> None:
    for optimizer in ("sgd", "adam", "adamw", "muon"):
        rates = [r["lr"] for r in train(classifier(), optimizer=optimizer, schedule="cosine").records if "lr" in r]
        assert rates[0] > rates[10] > rates[-1] > 0
    model = classifier()
    stepped = train(model, optimizer=SGD(model.parameters(), 0.1), schedule=StepLR(0.1, 10))
    assert [r["lr"] for r in stepped.records if "lr" in r] == pytest.approx([0.1] * 10 + [0.01] * 10 + [0.001])
    part = Adam(model[0].parameters(), 0.1)
    before = copy.copy({name: array.clone() for name, array in model.state_dict().items()})
    train(model, optimizer=part)
    moved = {name for name, array in model.state_dict().items() if not torch.equal(before[name], array)}
    assert moved >= {"0.weight", "0.bias"}
    assert not moved & {"4.weight", "4.bias"}


def test_steps_an_interval_and_a_metric_of_ones_own() -> None:
    def share_of_ones(prediction: Array, y: Array) -> float:
        return prediction.argmax(dim=1).float().mean().item()

    told: list[int] = []
    history = train(
        classifier(),
        steps=10,
        validation_interval=4,
        validation_data=DataLoader(TensorDataset(*DATA), 7),
        metrics=[share_of_ones],
        on_validation=lambda interval: told.append(interval.step),
    )
    assert told == [record["step"] for record in history.validation] == [0, 4, 8, 10]
    assert 0 <= history.validation[-1]["val_share_of_ones"] <= 1


def test_an_iterable_without_a_length_is_trained_on_for_so_many_steps() -> None:
    class Stream:
        def __iter__(self) -> Iterator[tuple[Array, Array]]:
            return ((POINTS[i : i + 5], LABELS[i : i + 5]) for i in range(0, 50, 5))

    history = train(classifier(), Stream(), steps=25, batch_size=None)
    assert len(history.losses) == 25
    with pytest.raises(PhotomendError, match="doesn't say how many batches make an epoch"):
        train(classifier(), Stream(), batch_size=None)


def test_a_model_of_several_inputs() -> None:
    class Sum(Module):
        def __init__(self) -> None:
            self.a, self.b = Linear(2, 1), Linear(2, 1)

        def forward(self, x: Array, x2: Array) -> Tensor:
            return self.a(x) + self.b(x2)

    y = POINTS[:, :1] - POINTS[:, 1:]
    history = train(Sum(), (POINTS, POINTS.flip(1), y), squared_error, lr=0.1, epochs=20)
    assert history.losses[-1] < 0.01 * history.losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": (POINTS, LABELS[:-1])}, "x has 50 samples, but y has 49"),
        ({"data": (POINTS[:0], LABELS[:0])}, "data: is empty"),
        ({"data": (POINTS, LABELS + 1)}, "y's labels run from 1 to 2, but the model has 2 classes, 0 to 1"),
        ({"data": (LABELS, POINTS)}, "; x (8,) and y (8, 2) may be swapped"),
        ({"data": (POINTS[:, :1], LABELS)}, "at step 0 the model refuses x ((8, 1) float32): linear: input (8, 1)"),
        (
            {"loss": lambda p, y: p @ y},
            "at step 0 the loss refuses the prediction and y ((8, 2) float32, (8,) int64): ",
        ),
        ({"loss": lambda p, y: mean(p, dim=0)}, "one number, not one of shape (2,)"),
        ({"loss": lambda p, y: p.data.mean()}, "one number, not torch.Tensor"),
        (
            {"loss": lambda p, y: Tensor(torch.ones(()))},
            "the loss is a constant, and must be computed from the prediction",
        ),
        ({"loss": lambda p, y: 0.5}, "one number, not float"),
        ({"steps": 5, "epochs": 1}, "epochs or as steps, one of the two"),
        ({"epochs": None}, "epochs or as steps, one of the two"),
        ({"epochs": 1.5}, "epochs (=1.5) must be a whole number above 0"),
        ({"steps": 0, "epochs": None}, "steps (=0) must be above 0"),
        ({"batch_size": 0}, "batch_size (=0) must be a whole number above 0"),
        ({"clip": 0}, "clip (=0) must be above 0"),
        ({"seed": -1}, "seed (=-1) must not be negative"),
        ({"lr": -1.0}, "lr (=-1.0) must be a finite number of at least 0"),
        ({"optimizer": "adm"}, "optimizer 'adm' is unknown; did you mean 'adam'?"),
        ({"optimizer": Adam(classifier().parameters())}, "the optimizer has none of the model's parameters"),
        ({"optimizer": Adam(classifier().parameters()), "lr": 1e-3}, "lr (=0.001) is for an optimizer given by its"),
        ({"schedule": "cosin"}, "schedule 'cosin' is unknown; did you mean 'cosine'?"),
        ({"metrics": ["acuracy"], "validation_data": DATA}, "metric 'acuracy' is unknown; did you mean 'accuracy'?"),
        ({"data": LOADER["data"]}, "batch_size (=8) is for arrays and datasets"),
        (
            {"model": torch.nn.Linear(2, 2)},
            "model must be a Module of photomend, such as Sequential(…), not a torch.nn.Li",
        ),
        ({"model": exp}, "model must be a Module of photomend, such as Sequential(…), not exp"),
        ({"model": classifier().freeze()}, "the model (Sequential) is frozen; call model.freeze(False)"),
        ({"optimizer": Adam}, "optimizer is the class Adam; make one of"),
        ({"optimizer": torch.optim.SGD([torch.ones(1)])}, "not a torch.optim.SGD"),
        ({"data": {"x": POINTS, "y": LABELS}}, "data must be a tuple (x, y), a dataset or batches, not a dict"),
        ({"data": [POINTS, LABELS]}, "data is a list of arrays; pass the tuple (x, y)"),
        ({"metrics": "accuracy", "validation_data": DATA}, "metrics must be a list; write metrics=[…]"),
        ({"metrics": ["accuracy"]}, "metrics are for validation_data, and there is none"),
        (
            {"metrics": [lambda p, y: 0.0, lambda p, y: 1.0], "validation_data": DATA},
            "two metrics are called '<lambda>'",
        ),
        ({"device": "gpu"}, "device (='gpu') is unknown"),
        ({"model": ReLU()}, "the model (ReLU) has no parameters to train"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PhotomendError) as error:
        fit(**{"model": classifier(), "data": DATA, "loss": cross_entropy, "epochs": 1, "batch_size": 8, **settings})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_is_not_compared_with_a_row() -> None:
    with pytest.raises(PhotomendError, match=r"y \(8,\) must have the prediction's shape \(8, 1\)"):
        train(Linear(2, 1), (POINTS, POINTS[:, 0]), squared_error)


@pytest.mark.parametrize(
    ("x", "y", "model"),
    [
        (POINTS, LABELS, Linear(2, 1)),
        (POINTS, LABELS > 0, Linear(2, 1)),
        (POINTS[:8], POINTS[:8, 0], Linear(2, 8)),
        (POINTS[:3], POINTS[:3, 0], Linear(2, 3)),
    ],
)
def test_samples_are_not_compared_with_other_samples(x: Array, y: Array, model: Module) -> None:
    with pytest.raises(PhotomendError, match="must have the prediction's shape"):
        train(model, (x, y), squared_error)


def test_labels_of_as_many_classes_as_samples_and_parameters_of_a_density() -> None:
    def gaussian(p: Tensor, y: Array) -> Tensor:
        return mean((p[:, 0] - y) ** 2 * exp(-p[:, 1]) + p[:, 1])

    train(Linear(2, 8), (POINTS[:8], LABELS[:8]), layers_cross_entropy)
    train(Linear(2, 2), (POINTS, POINTS[:, 0]), gaussian)  # whose last batch has 2 samples
    train(Linear(2, 2), (POINTS, LABELS), layers_cross_entropy)


def test_a_loss_that_is_no_number_names_its_step_and_spares_the_weights() -> None:
    model, steps = Linear(2, 1), count()
    states: list[dict[str, Array]] = []

    def failing(prediction: Tensor, y: Array) -> Tensor:
        states.append({name: array.clone() for name, array in model.state_dict().items()})
        return mean(prediction - y) * (float("nan") if next(steps) == 3 else 1.0)

    with pytest.raises(PhotomendError, match="at step 3 the loss is nan"):
        train(model, (POINTS, POINTS[:, :1]), failing)
    assert all(torch.equal(states[3][name], array) for name, array in model.state_dict().items())


@pytest.mark.cuda
def test_on_a_gpu() -> None:
    model = classifier()
    train(model, device="cuda", validation_data=DATA, metrics=["accuracy"])
    assert {array.device.type for array in model.state_dict().values()} == {"cuda"}
    with pytest.raises(PhotomendError, match="move the model there before its optimizer is made"):
        train(model, device="cpu", optimizer=Adam(model.parameters()))
