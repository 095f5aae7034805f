"""The norm of all gradients together, and its limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

import torch

from ...core import Array, Parameter


def clip_grad_norm(parameters: Iterable[Parameter] | Parameter, max_norm: float) -> Array:
    """Scale all gradients, in place, by max_norm / ‖g‖ where the norm of all of them together is larger.
    `parameters` may be a single one.

    Returns ‖g‖ as it was before, a single number on their device, for which nobody has had to wait. Where that is
    infinite or not a number, the gradients are left as they are. Raises ValueError for max_norm ≤ 0.

    Source: Pascanu, Mikolov & Bengio, *On the difficulty of training recurrent neural networks* (2013),
    https://arxiv.org/abs/1211.5063.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm (={max_norm}) must be above zero")
    parameters = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    norm = grad_norm(parameters).double()
    if max_norm < inf:
        scale = torch.where((norm > max_norm) & norm.isfinite(), max_norm / norm, 1.0)
        if scale.device.type == "cpu" and scale == 1:  # elsewhere looking at it would mean to wait for it
            return norm
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(scale)
    return norm


def grad_norm(parameters: Sequence[Parameter]) -> Array:
    """‖g‖, the norm of all gradients together; by `sum`, which adds in pairs, as torch's norm on a CPU doesn't."""
    squares = [parameter.grad.square().sum() for parameter in parameters if parameter.grad is not None]
    return torch.stack(squares).sum().sqrt() if squares else torch.zeros(())
