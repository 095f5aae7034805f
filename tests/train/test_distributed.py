"""Several ranks with a share of the batch each are one rank with all of it: the same steps, and the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import Array, Module, Parameter, Tensor, mean
from photomend.layers import BatchNorm1d, Linear, ReLU, Sequential
from photomend.models.weights import Checkpoint, save_checkpoint
from photomend.tests.models.holes import crops
from photomend.train import fit
from photomend.train.adversarial import AdversarialTrainer
from photomend.train.averaging import synchronised_batch_norms
from photomend.train.checkpoint import draw_apart
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.distributed import join, of_each
from photomend.train.optimizers import AdamW
from photomend.train.trainer import PhotoTrainer, Trainer

from .ranks import on_ranks

TINY: dict[str, Any] = {"width": 16, "dilations": [1, 2], "window": 48}
SHORT: dict[str, Any] = {"steps": 3, "batch_size": 6, "workers": 0}
SETTINGS: dict[str, dict[str, Any]] = {
    "attention": {"model": "attention", "model_config": TINY, "optimizer": "muon", "clip": 0.01},
    "recomputed": {"model": "attention", "model_config": TINY, "optimizer": "adamw", "recompute": True},
    "cnn": {"model": "cnn", "model_config": {"width": 8, "window": 48}},
    "attention-report": {"model": "attention-report", "model_config": {"width": 16}},
}


@pytest.fixture(autouse=True)
def _in_float64() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def adversarial(folder: Path) -> AdversarialConfig:
    """Against a discriminator, from an attention model that has learned something, though nothing useful."""
    torch.manual_seed(0)
    network = models.build("attention", **TINY).to(dtype=torch.float32)
    network.head[2].weight.data.normal_(0, 0.05)  # type: ignore[attr-defined, index]
    path = folder / "begun.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))  # type: ignore[attr-defined]
    return AdversarialConfig(initial_weights=str(path), model_config=TINY, **SHORT)


def trained(settings: TrainConfig | AdversarialConfig, sync: bool, share: slice) -> dict[str, Any]:
    """What three steps on a share of each batch leave: weights and statistics, and what was logged."""
    trainer: PhotoTrainer[Any]
    trainer = AdversarialTrainer(settings) if isinstance(settings, AdversarialConfig) else Trainer(settings)
    trainer.begin()
    side = trainer.network.window
    logged = []
    with synchronised_batch_norms(sync, trainer.network):
        for step in range(3):
            photos, masks = crops(6, side, seed=step)
            logged += [(*trainer.step(photos[share], masks[share]), *trainer.observed.values())]
    left = {f"network {name}": array.clone() for name, array in trainer.network.state_dict().items()}
    if isinstance(trainer, AdversarialTrainer):
        left |= {f"discriminator {name}": array for name, array in trainer.discriminator.state_dict().items()}
    return left | {"logged": torch.tensor(logged)}


def share_of(rank: int, size: int, count: int = 6) -> slice:
    return slice(rank * count // size, (rank + 1) * count // size)


def require_equal(ranks: Sequence[dict[str, Array]], alone: dict[str, Array]) -> None:
    """All ranks to the bit, and to 1e-10 what one has alone."""
    for name, expected in alone.items():
        for other in ranks[1:]:
            assert torch.equal(other[name], ranks[0][name]), name
        assert torch.allclose(ranks[0][name], expected, rtol=1e-10, atol=1e-10), name


@pytest.mark.parametrize(("kind", "size"), [*((kind, 2) for kind in SETTINGS), ("attention", 3), ("gan", 2)])
def test_ranks_make_the_steps_of_one(kind: str, size: int, tmp_path: Path) -> None:
    settings = adversarial(tmp_path) if kind == "gan" else TrainConfig(**SHORT, **SETTINGS[kind])

    def rank(number: int) -> dict[str, Any]:
        join(torch.device("cpu"))
        return trained(settings, True, share_of(number, size))

    areas = crops(6, 48)[1].sum(dim=(1, 2, 3))
    assert areas[:3].sum() != areas[3:].sum()  # a mean of the ranks' means would be another number
    require_equal(on_ranks(size, tmp_path, rank), trained(settings, True, slice(None)))


def test_batch_norms_of_their_own_end_alike(tmp_path: Path) -> None:
    """Not synchronised, each rank standardises by its share; the weights and the running statistics are still one."""
    settings = TrainConfig(**SHORT, **SETTINGS["cnn"])

    def rank(number: int) -> dict[str, Any]:
        join(torch.device("cpu"))
        return trained(settings, False, share_of(number, 2))

    first, second = on_ranks(2, tmp_path, rank)
    alone = trained(settings, False, slice(None))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.allclose(first["logged"], alone["logged"], rtol=1e-6)
    means = [name for name in first if name.endswith("running_mean")]
    assert means
    torch.testing.assert_close(first[means[0]], alone[means[0]], rtol=1e-2, atol=1e-2)


class Partly(Module):
    """A model with a parameter that no batch uses, and one that only large inputs do."""

    def __init__(self) -> None:
        self.body = Sequential(Linear(3, 8, bias=False), BatchNorm1d(8), ReLU(), Linear(8, 1))
        self.unused = Parameter(torch.ones(2))
        self.seldom = Parameter(torch.ones(1))

    def forward(self, x: Array) -> Tensor:
        y = self.body(x)
        return y * self.seldom if float(x.max()) > 2.4 else y


def fitted(**options: Any) -> dict[str, Any]:
    """Eleven samples in batches of four, the last of three: two ranks have two and two, or one and two."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(11, 3, generator=generator)
    y = x.sum(dim=1, keepdim=True) + 0.1 * torch.randn(11, 1, generator=generator)
    torch.manual_seed(options.pop("first", 0))
    model = Partly()
    optimizer = AdamW(model.parameters(), 1e-2, weight_decay=0.1)
    history = fit(
        *(model, (x, y), lambda p, y: mean((p - y) ** 2)),
        **{"epochs": 3, "batch_size": 4, "optimizer": optimizer, "quiet": True, "sync_batch_norm": True, **options},
        validation_data=(x[:5], y[:5]),
        metrics=[lambda p, y: (p - y).abs().mean()],
    )
    validations = [[r["val_loss"], r["val_<lambda>"]] for r in history.validation]
    return model.state_dict() | {"losses": torch.tensor(history.losses), "validations": torch.tensor(validations)}


def test_fit_on_ranks_is_fit_on_one(tmp_path: Path) -> None:
    alone = fitted()
    ranks = on_ranks(2, tmp_path, lambda rank: fitted(first=rank))  # rank 1's own first weights give way to rank 0's
    require_equal(ranks, alone)
    assert torch.equal(alone["unused"], torch.ones(2))  # no gradient, so no weight decay either


def test_a_batch_that_is_too_small_for_the_ranks_is_refused(tmp_path: Path) -> None:
    for error in on_ranks(2, tmp_path, lambda rank: fitted(batch_size=10)):
        assert "data: a batch of 1 can't be split among 2 ranks" in str(error)


def test_ranks_drop_out_differently_and_rank_0_as_one_alone(tmp_path: Path) -> None:
    def drawn(rank: int) -> Array:
        join(torch.device("cpu"))
        torch.manual_seed(3)
        draw_apart(3)
        return torch.rand(4)

    first, second = on_ranks(2, tmp_path, drawn)
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(4))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("count", [0, 2, 5])
def test_what_is_shared_is_computed_once_and_known_to_all(count: int, dtype: torch.dtype, tmp_path: Path) -> None:
    arrays = [torch.randn(3 + i, 4, generator=torch.Generator().manual_seed(i)).to(dtype) for i in range(count)]

    def shared(rank: int) -> tuple[list[Array], list[int]]:
        join(torch.device("cpu"))
        mine: list[int] = []

        def doubled(x: Array) -> Array:
            mine.append(len(x))
            return 2 * x

        return of_each(doubled, arrays), mine

    ranks = on_ranks(3, tmp_path, shared)
    for found, _ in ranks:
        assert [x.dtype for x in found] == [dtype] * count
        assert all(torch.equal(x, 2 * array) for x, array in zip(found, arrays, strict=True))
    assert sorted(size for _, mine in ranks for size in mine) == [3 + i for i in range(count)]
    assert max(len(mine) for _, mine in ranks) == -(-count // 3)
