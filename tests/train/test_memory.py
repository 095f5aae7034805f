"""What is alive after a training step, counted: parameters, gradients, optimizer state, averages and buffers, no more.

All tensors that Python knows of are found through its garbage collector, and told apart by the memory they own.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from photomend.core import Array, Module, Tensor
from photomend.models.weights import save_checkpoint
from photomend.tests.models.holes import crops
from photomend.tests.pretended_cuda.device import CudaArray
from photomend.train.adversarial import AdversarialTrainer
from photomend.train.config import AdversarialConfig, TrainConfig
from photomend.train.losses import hole_loss
from photomend.train.optimizers import Optimizer
from photomend.train.trainer import Trainer
from torch._subclasses import FakeTensor, FakeTensorMode

pytestmark = pytest.mark.slow  # whole training steps

Storages = dict[int, int]

AnyTrainer = Trainer | AdversarialTrainer

SMALL: dict[str, dict[str, Any]] = {
    "attention": {"width": 16, "dilations": [1, 2], "window": 32},
    "attention-report": {"width": 16, "window": 32},
    "cnn": {"width": 4, "window": 32},
    "linear": {"window": 32},
}


def storage(array: Array) -> tuple[int, int] | None:
    """Address and bytes of the memory behind an array, or None where it has none of its own.

    That is so for sparse arrays, those of the meta or a pretended device, and those that stand for others while torch
    traces or compiles, some of which it keeps. Some kinds answer only with an error.
    """
    if issubclass(type(array), FakeTensor):  # it would warn, and answer 0
        return None
    try:
        memory = array.untyped_storage()
        return (memory.data_ptr(), memory.nbytes()) if memory.nbytes() and not array.is_meta else None
    except (RuntimeError, NotImplementedError):
        return None


def storages(arrays: Iterable[Array]) -> Storages:
    """The memory behind arrays: address → bytes, once however many views there are."""
    return dict(filter(None, map(storage, arrays)))


def alive() -> list[Array]:
    return [x for x in gc.get_objects() if issubclass(type(x), torch.Tensor)]


class Counter:
    """What has come to life since this was made; what lived then is held, so that no address is used anew."""

    def __init__(self) -> None:
        gc.collect()
        self.before = alive()

    def born(self) -> Storages:
        old = storages(self.before)
        return {address: size for address, size in storages(alive()).items() if address not in old}


@pytest.fixture(autouse=True)
def _without_garbage_collection() -> Iterator[None]:
    """Nothing may need the collector, or the peak would be a matter of luck."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _made_once() -> None:
    """Convolutions' scratch and tables are made when they are needed first, and stay."""
    photo, mask = crops(2, 32, dtype=torch.float32)
    for model in SMALL:
        make(model).step(photo, mask)


def trained(network: Module, optimizer: Optimizer) -> list[Array]:
    """A network's weights and buffers, its gradients, and what the optimizer keeps of them."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    slots = [array for slots in optimizer.slots for array in slots.values()]
    return [*network.state_dict().values(), *gradients, *slots]


def known(trainer: AnyTrainer) -> list[Array]:
    """All that should outlive a step."""
    return [*trained(trainer.network, trainer.optimizer), *trainer.ema.weights.values(), *trainer.seen.values()]


def sizes(network: Module) -> tuple[int, int]:
    """Bytes of a network's weights, and of its buffers."""
    weights = sum(p.data.nbytes for p in network.parameters())
    return weights, sum(b.data.nbytes for _, b in network.named_buffers())


def make(model: str, **settings: Any) -> Trainer:
    return Trainer(TrainConfig(model=model, model_config=SMALL[model], steps=10, batch_size=2, workers=0, **settings))


def test_arrays_without_memory_of_their_own_are_not_counted() -> None:
    """Tests that trace, or that pretend a device, leave some behind in the same process."""
    dense = torch.ones(3)
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(dense)
    functional = torch._to_functional_tensor(dense.clone())
    on_cuda = CudaArray(dense)
    kept = [dense.to_sparse(), torch.ones(3, device="meta"), fake, functional, on_cuda, torch.ones(0)]
    assert storages([dense, dense[1:], *kept]) == {dense.untyped_storage().data_ptr(): 12}
    torch.vmap(lambda row: kept.append(row) or row)(torch.ones(2, 3))  # type: ignore[func-returns-value]
    assert storages(kept) == {}


@pytest.mark.parametrize("model", SMALL)
def test_after_a_step_only_what_is_known_is_alive(model: str) -> None:
    photo, mask = crops(2, 32, dtype=torch.float32)
    counter = Counter()
    trainer = make(model)
    for _ in range(3):
        trainer.step(photo, mask)
        assert counter.born() == storages(known(trainer))
    weights, buffers = sizes(trainer.network)
    # Weights, gradients, AdamW's two slots and the average; buffers and theirs.
    assert sum(counter.born().values()) == 5 * weights + 2 * buffers


def test_after_a_step_of_two_networks_only_what_is_known_is_alive(tmp_path: Path) -> None:
    """The generator's, as above; and the discriminator's weights, gradients and Adam's two slots, and its u and v."""
    start = make("attention").weights(averaged=False, metrics={})
    save_checkpoint(tmp_path / "start.safetensors", start)
    photo, mask = crops(2, 32, dtype=torch.float32)
    counter = Counter()
    settings = SMALL["attention"]
    trainer = AdversarialTrainer(
        AdversarialConfig(
            initial_weights=str(tmp_path / "start.safetensors"), model_config=settings, steps=10, workers=0
        )
    )
    trainer.begin()
    for _ in range(3):
        trainer.step(photo, mask)
        rival = trained(trainer.discriminator, trainer.discriminator_optimizer)
        assert counter.born() == storages([*known(trainer), *rival])
    (weights, buffers), (rivals, vectors) = sizes(trainer.network), sizes(trainer.discriminator)
    numbers = sum(storages(trainer.seen.values()).values())
    assert sum(counter.born().values()) == 5 * weights + 2 * buffers + 4 * rivals + vectors + numbers


def loss_of(trainer: Trainer, photo: Array, mask: Array) -> Tensor:
    return hole_loss(trainer.network(photo * (1 - mask), mask), photo, mask)


def test_the_counter_sees_a_tape_that_is_held_and_one_that_was_walked() -> None:
    """A loss kept for the books holds every activation, until its backward pass frees all but its own number."""
    photo, mask = crops(2, 32, dtype=torch.float32)
    counter = Counter()
    trainer = make("attention")
    trainer.step(photo, mask)
    expected = storages(known(trainer))
    assert counter.born() == expected
    loss = loss_of(trainer, photo, mask)
    held = counter.born()
    assert held.items() > expected.items()
    assert sum(held.values()) > 2 * sum(p.data.nbytes for p in trainer.parameters)
    trainer.optimizer.zero_grad()
    loss.backward()
    assert counter.born() == storages([*known(trainer), loss.data])
    del loss
    assert counter.born() == storages(known(trainer))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("model", "share"), [("attention", 0.75), ("attention-report", 0.95)])
def test_recomputed_blocks_hold_less_and_a_step_is_the_same(model: str, share: float, precision: str) -> None:
    """Most of the report's network isn't residual blocks."""
    photo, mask = crops(2, 32, dtype=torch.float32)
    plain, again = (make(model, precision=precision, recompute=recompute) for recompute in (False, True))
    held = []
    for trainer in (plain, again):
        trainer.step(photo, mask)
        counter = Counter()
        with trainer.precision() as network:
            loss = hole_loss(network(photo * (1 - mask), mask), photo, mask)
        held.append(sum(counter.born().values()))
        del loss
    assert held[1] < share * held[0]
    assert plain.step(photo, mask) == again.step(photo, mask)
    for name, array in plain.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], array), name


def test_a_tape_that_was_never_walked_goes_with_its_result() -> None:
    photo, mask = crops(2, 32, dtype=torch.float32)
    counter = Counter()
    trainer = make("attention")
    loss = loss_of(trainer, photo, mask)
    assert len(counter.born()) > len(storages(known(trainer)))
    del loss
    assert counter.born() == storages(known(trainer))


def test_reconstruction_leaves_nothing_but_the_photo() -> None:
    photo, mask = crops(2, 32, dtype=torch.float32)
    counter = Counter()
    network = make("attention").network
    rebuilt = network.reconstruct(photo * (1 - mask), mask)
    assert counter.born() == storages([*network.state_dict().values(), rebuilt])
