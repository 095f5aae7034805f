"""Gradients added up over all ranks, in buckets, while the backward pass goes on.

The walk over the tape finds the last layers' gradients first. Parameters are sorted into buckets in that order; as soon
as every gradient of a bucket is there, its sum over all ranks is begun, and the walk goes on to the layers before. What
is computed meanwhile hides the time on the wire.

    walk      │ layer 4 │ layer 3 │ layer 2 │ layer 1 │
    network             │ bucket 1: 4, 3    │ bucket 2: 2, 1 │  the step waits for what is left

Each rank's gradient is its share of the gradient over the whole batch (`distributed.mean_loss`), so the sum is that.

Source: Li et al., *PyTorch distributed: experiences on accelerating data parallel training* (2020), §3.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from ..core import Array, Module, Parameter, Tensor
from ..core.mode import reporting
from ..core.recompute import having
from ..layers.norm import BatchNorm1d, BatchNorm2d, ChannelNorm
from .distributed import Total, here, start_total, total

#: Bytes of gradients that are sent together: large enough for the wire's full speed, small enough to be sent early.
BUCKET_BYTES = 2**20


def averaging(parameters: Sequence[Parameter], network: Module | None = None) -> AbstractContextManager[None]:
    """A context whose walk leaves at the parameters what the gradients of all ranks add up to.

    Statistics that the `network`'s norms have gathered from this rank's share of the batch become the ranks' mean.
    """
    return nullcontext() if here().size == 1 else _averaging(parameters, network)


@contextmanager
def _averaging(parameters: Sequence[Parameter], network: Module | None) -> Iterator[None]:
    buckets = Buckets([parameter for parameter in parameters if parameter.tracked])
    with reporting(buckets.add):
        yield
    buckets.finish()
    if network is not None and (statistics := own_statistics(network)):
        mean = total(torch.cat([array.reshape(-1) for array in statistics])) / here().size
        for array, part in zip(statistics, mean.split([array.numel() for array in statistics]), strict=True):
            array.copy_(part.view_as(array))


class Buckets:
    """The parameters' gradients, sorted into buckets in the order in which the walk finds them: about the reverse of
    that in which the network uses them."""

    def __init__(self, parameters: Sequence[Parameter], most: int = BUCKET_BYTES) -> None:
        self.buckets: list[Bucket] = []
        self.of: dict[int, Bucket] = {}
        self.begun = 0
        for parameter in reversed(parameters):
            if not self.buckets or not self.buckets[-1].takes(parameter, most):
                self.buckets.append(Bucket())
            self.buckets[-1].parameters.append(parameter)
            self.of[id(parameter)] = self.buckets[-1]

    def add(self, leaf: Tensor) -> None:
        """This Tensor's gradient is complete."""
        if (bucket := self.of.get(id(leaf))) is not None:
            bucket.arrived += 1
        while self.begun < len(self.buckets) and self.buckets[self.begun].is_full:
            self._begin()

    def finish(self) -> None:
        """Begin what has not been begun, for want of a gradient, and wait for all."""
        while self.begun < len(self.buckets):
            self._begin()
        for bucket in self.buckets:
            bucket.finish()

    def _begin(self) -> None:
        """One bucket after another, so that all ranks send the same ones at the same time."""
        self.buckets[self.begun].begin()
        self.begun += 1


class Bucket:
    """Some parameters whose gradients travel as one array. Behind each bucket's gradients stand, as 0 or 1 for each
    parameter, whether it has one: where no rank has, there is none, and the optimizer passes over it."""

    def __init__(self) -> None:
        self.parameters: list[Parameter] = []
        self.arrived = 0
        self.sum: Total | None = None

    def takes(self, parameter: Parameter, most: int) -> bool:
        """Whether there is room for one more, and it is of the same kind."""
        first = self.parameters[0].data
        size = sum(p.data.numel() for p in (*self.parameters, parameter)) * first.element_size()
        return size <= most and first.dtype == parameter.dtype and first.device == parameter.device

    @property
    def is_full(self) -> bool:
        return self.arrived == len(self.parameters)

    def begin(self) -> None:
        """Pack the gradients and begin to add them up."""
        present = [float(parameter.grad is not None) for parameter in self.parameters]
        first = self.parameters[0].data
        pieces = [torch.zeros_like(p.data) if p.grad is None else p.grad for p in self.parameters]
        flat = torch.cat([*(piece.reshape(-1) for piece in pieces), first.new_tensor(present)])
        self.sum = start_total(flat)

    def finish(self) -> None:
        """Wait for the sums and unpack them."""
        assert self.sum is not None
        sizes = [parameter.data.numel() for parameter in self.parameters]
        *parts, present = self.sum.wait().split([*sizes, len(sizes)])
        for i, (parameter, part) in enumerate(zip(self.parameters, parts, strict=True)):
            if parameter.grad is not None:
                parameter.grad.copy_(part.view_as(parameter.grad))
            elif present[i]:
                parameter.grad = part.view(parameter.shape).clone()


def own_statistics(network: Module) -> list[Array]:
    """The running means and variances that each rank gathers from its own share of a batch."""
    norms = [module for _, module in network.named_modules() if isinstance(module, ChannelNorm) and module.training]
    own = [norm for norm in norms if getattr(norm, "total", None) is None]
    return [buffer.data for norm in own for buffer in (norm.running_mean, norm.running_var) if buffer is not None]


@contextmanager
def synchronised_batch_norms(on: bool, *networks: Module) -> Iterator[None]:
    """Inside, if this is on, batch norms take their statistics from the whole batch, over all ranks, instead of each
    rank's share."""
    norms = [m for network in networks for _, m in network.named_modules() if isinstance(m, BatchNorm1d | BatchNorm2d)]
    with having(norms, "total", [total if on and here().size > 1 else None] * len(norms)):
        yield
