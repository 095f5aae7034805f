"""What a step's forward and backward pass compute in: float32, TF32 or bfloat16. The weights are kept in float32.

bfloat16 has float32's range with 8 binary digits, so the loss needs no scaling, as it does with float16. Products are
faster where the processor has instructions for them, and arrays take half the memory. But a weight that changes by less
than 1/256 of itself wouldn't change at all; so each step starts from a rounded copy of float32 weights.

In TF32 NVIDIA's GPUs round the factors of a float32 product to 11 binary digits, and add up in float32.

Sources: Micikevicius et al., *Mixed precision training* (2018), §3.1; Kalamkar et al., *A study of bfloat16 for deep
learning training* (2019); NVIDIA, *A100 Tensor Core GPU architecture* (2020), for TF32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from ..core import Module, Parameter, PhotomendError

#: What a step may compute in, and what its arrays are stored as.
PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}

Network = TypeVar("Network", bound=Module)


class Precision(Generic[Network]):
    """What a network's steps are computed in: `network` is the network itself, or its copy where that is bfloat16.

        precision = Precision("bfloat16", network, make)
        with precision() as computed:
            loss(computed(x)).backward()
        network.parameters()           # have their gradients, in float32

    A copy takes its weights from the network at the start of each step, and hands its gradients over at the end.
    Running statistics are the network's own, in float32, and change as the copy sees them.

    Args:
        precision: one of PRECISIONS.
        network: whose weights are trained, in float32.
        make: builds another network like it.
    """

    def __init__(self, precision: str, network: Network, make: Callable[[], Network]) -> None:
        self.precision, self.network = precision, network
        self._pairs: list[tuple[Parameter, Parameter]] = []  # the copy's and the network's
        if PRECISIONS[precision] != torch.bfloat16:
            return
        with torch.random.fork_rng(devices=()):  # the copy's own first weights aren't used
            self.network = make().to(network.parameters()[0].device, torch.bfloat16).train(network.training)
        self._pairs = list(zip(self.network.parameters(), network.parameters(), strict=True))
        for copy, parameter in self._pairs:
            copy.tracked = parameter.tracked
            if copy.ndim == 4:  # kernels as the matrices that images with their channels last are multiplied by
                copy.data = copy.data.contiguous(memory_format=torch.channels_last)
        for (_, mine), (_, theirs) in zip(self.network.named_buffers(), network.named_buffers(), strict=True):
            mine.data = theirs.data

    @contextmanager
    def __call__(self) -> Iterator[Network]:
        for copy, parameter in self._pairs:
            copy.data.copy_(parameter.data)
        with products_in(self.precision):
            yield self.network
        for copy, parameter in self._pairs:
            if copy.grad is not None:
                parameter.grad = torch.empty_like(parameter.data).copy_(copy.grad)
                copy.grad = None


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
