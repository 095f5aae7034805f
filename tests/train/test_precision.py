"""What a step computes in: float32 keeps the weights; float32, TF32 or bfloat16 computes the gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from photomend import models
from photomend.core import Module, PhotomendError
from photomend.layers import BatchNorm2d, Conv2d, ReLU, Sequential
from photomend.train.config import TrainConfig
from photomend.train.precision import Precision, has_tf32, products_in, require_precision
from photomend.train.trainer import Trainer


def network() -> Module:
    return Sequential(Conv2d(3, 8, 3, padding=1), BatchNorm2d(8), ReLU(), Conv2d(8, 3, 3, padding=1))


def made() -> tuple[Module, Precision[Module]]:
    torch.manual_seed(0)
    kept = network()
    return kept, Precision("bfloat16", kept, network)


def test_the_copy_has_the_weights_rounded_and_gives_gradients_in_float32() -> None:
    kept, low = made()
    x = torch.randn(4, 3, 16, 16)
    with low() as copy:
        for mine, theirs in zip(copy.parameters(), kept.parameters(), strict=True):
            assert torch.equal(mine.data, theirs.data.bfloat16())
        y, ȳ = copy(x.bfloat16()), torch.randn(x.shape)
        y.backward(ȳ.bfloat16())
    found = [p.grad for p in kept.parameters()]
    assert all(p.grad is None for p in copy.parameters())
    kept.zero_grad()
    kept(x).backward(ȳ)
    for grad, parameter in zip(found, kept.parameters(), strict=True):
        assert grad is not None
        assert parameter.grad is not None
        assert (grad.dtype, grad.stride()) == (torch.float32, parameter.data.stride())
        assert (grad - parameter.grad).norm() < 0.1 * parameter.grad.norm() + 0.2


def test_a_change_too_small_for_bfloat16_is_kept() -> None:
    kept, low = made()
    weight = kept.parameters()[0]
    before = weight.data.clone()
    for _ in range(100):
        with low():
            pass
        weight.data.add_(weight.data, alpha=1e-4)
    torch.testing.assert_close(weight.data, before * 1.0001**100)
    with low() as copy:
        assert torch.equal(copy.parameters()[0].data, weight.data.bfloat16())


def test_running_statistics_are_the_networks_own_in_float32() -> None:
    kept, low = made()
    with low() as copy:
        copy(torch.randn(4, 3, 16, 16).bfloat16())
    own, theirs = (dict(module.named_buffers()) for module in (kept, low.network))
    for name, buffer in own.items():
        assert buffer.data is theirs[name].data
    assert next(b for n, b in own.items() if n.endswith("running_mean")).data.dtype == torch.float32
    assert next(b for n, b in own.items() if n.endswith("num_batches_tracked")).data == 1


def test_frozen_parameters_stay_frozen() -> None:
    kept = network()
    kept.parameters()[0].tracked = False
    low = Precision("bfloat16", kept, network)
    with low() as copy:
        y = copy(torch.randn(2, 3, 8, 8).bfloat16())
        y.backward(torch.ones_like(y.data))
    assert [p.grad is None for p in kept.parameters()] == [True] + [False] * 5


@pytest.mark.parametrize("model", ["linear", "cnn", "attention", "attention-report"])
def test_a_step_in_bfloat16_is_nearly_one_in_float32(model: str) -> None:
    config = {"window": 96} | ({} if model == "linear" else {"width": 16 if "attention" in model else 8})
    photo = torch.rand(4, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(4, 1, 96, 96)
    mask[:, :, 30:60, 20:66] = 1
    losses, norms = {}, {}
    for precision in ("float32", "bfloat16"):
        trainer = Trainer(TrainConfig(model, config, steps=10, precision=precision))
        losses[precision], norms[precision] = trainer.step(photo, mask)
        assert all(p.dtype == torch.float32 for p in trainer.network.parameters())
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=1e-2)
    assert norms["bfloat16"] == pytest.approx(norms["float32"], rel=0.1)


def test_the_first_weights_are_those_of_a_run_in_float32() -> None:
    both = [Trainer(TrainConfig(steps=1, precision=p, model_config={"width": 16})) for p in ("float32", "bfloat16")]
    for a, b in zip(*(trainer.network.parameters() for trainer in both), strict=True):
        assert torch.equal(a.data, b.data)
    assert isinstance(both[1].network, models.AttentionModel)


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(PhotomendError, match=r"precision \(=float16\) must be one of float32, tf32, bfloat16"):
        TrainConfig(steps=1, precision="float16")


def test_a_gpu_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_precision("bfloat16", torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old one")
    require_precision("float32", torch.device("cuda"))
    with pytest.raises(PhotomendError, match="not supported by an old one"):
        require_precision("bfloat16", torch.device("cuda"))


def test_tf32_is_refused_but_on_ampere_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PhotomendError, match=r"precision \(=tf32\) needs an NVIDIA GPU of Ampere or later, not cpu"):
        Trainer(TrainConfig(steps=1, precision="tf32", model_config={"width": 16}))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a Turing")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    with pytest.raises(PhotomendError, match="not a Turing"):
        require_precision("tf32", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    require_precision("tf32", torch.device("cuda"))


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("told", ["highest", "medium"])
def test_the_gradients_products_are_in_tf32_and_no_others(
    precision: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what torch has been told, which a CPU can be, too; what a GPU makes of it is a test of its own."""
    monkeypatch.setattr("photomend.train.trainer.require_precision", lambda *_: None)
    trainer = Trainer(TrainConfig("linear", {"window": 96}, steps=1, precision=precision))
    seen: dict[str, str] = {}

    def watch(owner: object, name: str) -> None:
        watched = getattr(owner, name)

        def watcher(*args: Any) -> Any:
            seen[name] = torch.get_float32_matmul_precision()
            return watched(*args)

        monkeypatch.setattr(owner, name, watcher)

    watch(trainer.network, "prepare")
    watch(trainer, "loss")
    watch(trainer.optimizer, "step")
    mask = torch.zeros(2, 1, 96, 96)
    mask[:, :, 30:60, 20:66] = 1
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(told)
        trainer.step(torch.rand(2, 3, 96, 96), mask)
        after = torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == {"prepare": told, "loss": "high" if precision == "tf32" else told, "step": told}
    assert after == told


def test_torch_is_told_what_it_was_after_an_error_too() -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyboardInterrupt), products_in("tf32"):
        raise KeyboardInterrupt
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.cuda
def test_tf32_rounds_the_factors_of_a_product() -> None:
    if not has_tf32():
        pytest.skip("this GPU has no TF32")
    a, b = torch.randn(2, 512, 512, device="cuda")
    true = a.double() @ b.double()
    with products_in("tf32"):
        rounded = a @ b
    error = (rounded - true).norm() / true.norm()
    assert 1e-5 < error < 1e-3
    with products_in("float32"):
        assert (a @ b - true).norm() < 1e-5 * true.norm()
