"""First-order optimizers, each the update formula of its paper and nothing else.

They work on anything that has `.data` and `.grad` (a `Parameter`), update `.data` in place, and skip a
parameter whose gradient is None. The learning rate is the attribute `lr`: set it before a step to follow a
schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt

import torch

from ..core import Array, Parameter

State = dict[str, Array | float]


class Optimizer:
    """What every optimizer shares: its parameters, one learning rate, and slots of state shaped like the
    parameters.

    `slot_names` names the running averages a subclass keeps; `slots[name][i]` belongs to parameter i. A
    step count is kept for each parameter, because the bias correction of one that was frozen at first
    starts when it does.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, parameters: Iterable[Parameter], lr: float, weight_decay: float = 0.0) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("parameters: an optimizer needs at least one")
        require_at_least_zero(lr=lr, weight_decay=weight_decay)
        self.lr = float(lr)
        self.weight_decay = float(weight_decay)
        self.steps = [0] * len(self.parameters)
        self.slots = {name: [torch.zeros_like(p.data) for p in self.parameters] for name in self.slot_names}

    def step(self) -> None:
        """Move every parameter that has a gradient by one update."""
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.steps[index] += 1
                self.update(index, parameter.data, parameter.grad)

    def update(self, index: int, weight: Array, grad: Array) -> None:
        """Change `weight`, which is parameter `index`, in place; `grad` belongs to the caller and stays as it is."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward pass starts from nothing."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> State:
        """The learning rate, the step counts and the slots (`velocity.0`, `velocity.1`, …); arrays are not copied."""
        state: State = {"lr": self.lr, "steps": torch.tensor(self.steps)}
        for name, arrays in self.slots.items():
            state.update({f"{name}.{index}": array for index, array in enumerate(arrays)})
        return state

    def load_state_dict(self, state: Mapping[str, Array | float]) -> None:
        """Take over a state that `state_dict` gave, so that training continues as if it had never stopped.

        Raises ValueError when keys or shapes are not those of this optimizer and its parameters.
        """
        mine = self.state_dict()
        if unlike := sorted(mine.keys() ^ state.keys()):
            side = "missing" if unlike[0] in mine else "unknown"
            raise ValueError(f"state of another optimizer: key {unlike[0]!r} is {side}")
        for key, value in mine.items():
            if isinstance(value, torch.Tensor) and value.shape != torch.as_tensor(state[key]).shape:
                theirs = tuple(torch.as_tensor(state[key]).shape)
                raise ValueError(f"state {key!r} has shape {theirs}, the parameter {tuple(value.shape)}")
        self.lr = float(state["lr"])
        self.steps = [int(count) for count in torch.as_tensor(state["steps"])]
        for name, arrays in self.slots.items():
            for index, array in enumerate(arrays):
                array.copy_(torch.as_tensor(state[f"{name}.{index}"]))


class SGD(Optimizer):
    """Stochastic gradient descent with optional momentum.

        g ← g + λθ          λ = weight_decay
        v ← μv + g          μ = momentum
        θ ← θ − η v         plain momentum (Polyak 1964)
        θ ← θ − η (g + μv)  Nesterov (Sutskever et al. 2013)

    Raises ValueError for a negative lr, momentum or weight_decay, and for Nesterov without momentum.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        require_at_least_zero(momentum=momentum)
        if nesterov and momentum == 0:
            raise ValueError("nesterov (=True) needs momentum (=0) above zero")
        self.momentum = float(momentum)
        self.nesterov = nesterov
        self.slot_names = ("velocity",) if momentum else ()
        super().__init__(parameters, lr, weight_decay)

    def update(self, index: int, weight: Array, grad: Array) -> None:
        velocity = self.slots["velocity"][index] if self.momentum else None
        if velocity is not None:
            velocity.mul_(self.momentum).add_(grad).add_(weight, alpha=self.weight_decay)
        if velocity is None or self.nesterov:  # the step holds g + λθ itself
            weight.mul_(1 - self.lr * self.weight_decay).add_(grad, alpha=-self.lr)
        if velocity is not None:
            weight.add_(velocity, alpha=-self.lr * (self.momentum if self.nesterov else 1.0))


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1).

        g ← g + λθ                                    λ = weight_decay
        m ← β₁m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)
        θ ← θ − η m̂ / (√v̂ + ε)

    Raises ValueError for a negative lr, eps or weight_decay and for a beta outside [0, 1).
    """

    slot_names = ("mean", "square")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas (={betas}) must lie in [0, 1)")
        require_at_least_zero(eps=eps)
        self.betas = betas
        self.eps = float(eps)
        super().__init__(parameters, lr, weight_decay)

    def update(self, index: int, weight: Array, grad: Array) -> None:
        if self.weight_decay:
            grad = grad.add(weight, alpha=self.weight_decay)
        self.descend(index, weight, grad)

    def descend(self, index: int, weight: Array, grad: Array) -> None:
        """The algorithm's four lines, the bias corrections folded into the step size and the root."""
        (beta1, beta2), t = self.betas, self.steps[index]
        mean, square = self.slots["mean"][index], self.slots["square"][index]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = square.sqrt().div_(sqrt(1 - beta2**t)).add_(self.eps)
        weight.addcdiv_(mean, root, value=-self.lr / (1 - beta1**t))


class AdamW(Adam):
    """Adam with the weight decay taken out of the gradient (Loshchilov & Hutter 2019,
    https://arxiv.org/abs/1711.05101).

    θ ← θ − ηλθ, then Adam's step with λ = 0
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def update(self, index: int, weight: Array, grad: Array) -> None:
        weight.mul_(1 - self.lr * self.weight_decay)
        self.descend(index, weight, grad)


def require_at_least_zero(**values: float) -> None:
    """Raise ValueError naming the first value that is negative (or not a number)."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} (={value}) must not be negative")
