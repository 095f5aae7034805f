"""What a step's forward and backward pass compute in: float32, TF32 or bfloat16. The weights are kept in float32.

bfloat16 has float32's range with 8 binary digits. Products of such numbers are two to four times as fast where the
processor has instructions for them, and arrays take half the memory. But a weight that changes by less than 1/256 of
itself wouldn't change at all; so the optimizer's weights stay in float32, and each step starts from a rounded copy of
them. Because of the range no scaling of the loss is needed, as it is with float16.

TF32 is a way to multiply, not to store: NVIDIA's GPUs round the factors of a float32 product to 11 binary digits and
add up in float32.

Sources: Micikevicius et al., *Mixed precision training* (2018), §3.1; Kalamkar et al., *A study of bfloat16 for deep
learning training* (2019); NVIDIA, *A100 Tensor Core GPU architecture* (2020), for TF32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from ..core import Module, PhotomendError

#: What a step may compute in, and what its arrays are stored as.
PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}

Network = TypeVar("Network", bound=Module)


class MixedPrecision(Generic[Network]):
    """A network's copy in bfloat16, which takes its weights from the network and gives it gradients.

        low = MixedPrecision(network, lambda: AttentionModel())
        loss(low.ready()(x)).backward()
        low.give_gradients()           # network's parameters have gradients in float32 now

    Running statistics are the network's own, in float32, and change as the copy sees them.

    Args:
        network: whose weights are trained, in float32.
        make: builds another network like it.
    """

    def __init__(self, network: Network, make: Callable[[], Network]) -> None:
        device = next(parameter.device for parameter in network.parameters())
        self.network = make().to(device, torch.bfloat16).train(network.training)
        self._pairs = list(zip(self.network.parameters(), network.parameters(), strict=True))
        for copy, parameter in self._pairs:
            copy.tracked = parameter.tracked
            if copy.ndim == 4:  # kernels as the matrices that images with their channels last are multiplied by
                copy.data = copy.data.contiguous(memory_format=torch.channels_last)
        for (_, mine), (_, theirs) in zip(self.network.named_buffers(), network.named_buffers(), strict=True):
            mine.data = theirs.data

    def ready(self) -> Network:
        """The copy, with the weights that the network has now."""
        for copy, parameter in self._pairs:
            copy.data.copy_(parameter.data)
        return self.network

    def give_gradients(self) -> None:
        """Hand the copy's gradients over to the network, in float32; the copy has none afterwards."""
        for copy, parameter in self._pairs:
            if copy.grad is not None:
                parameter.grad = torch.empty_like(parameter.data).copy_(copy.grad)
                copy.grad = None


class Precision(Generic[Network]):
    """What a network's steps are computed in. Where that is bfloat16, `network` is its copy, else itself.

    precision = Precision("bfloat16", network, make)
    with precision() as computed:
        loss(computed(x)).backward()
    network.parameters()           # have their gradients, in float32
    """

    def __init__(self, precision: str, network: Network, make: Callable[[], Network]) -> None:
        self.precision, self.network = precision, network
        self.copy: MixedPrecision[Network] | None = None
        if PRECISIONS[precision] == torch.bfloat16:
            with torch.random.fork_rng(devices=()):  # the copy's own first weights aren't used
                self.copy = MixedPrecision(network, make)
            self.network = self.copy.network

    @contextmanager
    def __call__(self) -> Iterator[Network]:
        with products_in(self.precision):
            if self.copy is None:
                yield self.network
            else:
                yield self.copy.ready()
                self.copy.give_gradients()


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Inside this context float32 arrays are multiplied in TF32, if that is the precision; if not, nothing is changed.

    What `torch.set_float32_matmul_precision` was told before is told again afterwards.
    """
    if precision != "tf32":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def require_precision(precision: str, device: torch.device) -> None:
    """Raise PhotomendError where the device can't compute in this precision."""
    on_gpu = device.type == "cuda"
    if precision == "tf32" and not (on_gpu and has_tf32(device)):
        raise PhotomendError(f"training: precision (=tf32) needs an NVIDIA GPU of Ampere or later, not {_name(device)}")
    if precision == "bfloat16" and on_gpu and not torch.cuda.is_bf16_supported():
        raise PhotomendError(f"training: precision (=bfloat16) is not supported by {_name(device)}")


def has_tf32(device: torch.device | None = None) -> bool:
    """Whether a CUDA device, or the current one, multiplies in TF32; AMD's go by the same name in torch and don't."""
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
