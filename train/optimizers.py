"""First-order optimizers: the update formula of each paper, in the form that torch gives it.

Where the two differ, torch's form decides what a learning rate means: in SGD it multiplies the velocity and is no part
of it, and weight decay is multiplied by the rate.

They work on anything that has `.data` and `.grad` (a `Parameter`), update `.data` in place, and skip a parameter whose
gradient is None. The learning rate is the attribute `lr`: set it before a step to follow a schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

import torch

from ..core import Array, Parameter

State = dict[str, Array | float]


class Optimizer:
    """What every optimizer shares: its parameters, one learning rate, and state arrays shaped like the parameters.

    `slot_names` names the running averages that a subclass keeps; `slots[name][i]` belongs to parameter i. Steps are
    counted for each parameter, because the bias correction of one that was frozen at first starts when it does.

    Raises ValueError for no parameters, and for a negative lr or weight_decay.
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
                slots = (arrays[index] for arrays in self.slots.values())
                self.update(self.steps[index], parameter.data, parameter.grad, *slots)

    def update(self, t: int, θ: Array, g: Array, *slots: Array) -> None:
        """Change the weights θ and their slots in place, for the t-th time; the gradient g stays as it is."""
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
            theirs = torch.as_tensor(state[key])
            if isinstance(value, torch.Tensor) and value.shape != theirs.shape:
                raise ValueError(f"state {key!r} has shape {tuple(theirs.shape)}, the parameter {tuple(value.shape)}")
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

    Raises ValueError for a negative lr, momentum or weight_decay.
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        require_at_least_zero(momentum=momentum)
        self.momentum = float(momentum)
        self.slot_names = ("velocity",) if momentum else ()
        super().__init__(parameters, lr, weight_decay)

    def update(self, t: int, θ: Array, g: Array, *slots: Array) -> None:
        if not slots:  # μ = 0
            θ.mul_(1 - self.lr * self.weight_decay).add_(g, alpha=-self.lr)
        for v in slots:
            v.mul_(self.momentum).add_(g).add_(θ, alpha=self.weight_decay)
            θ.add_(v, alpha=-self.lr)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1).

        g ← g + λθ                                    λ = weight_decay
        m ← β₁m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)
        θ ← θ − η m̂ / (√v̂ + ε)

    The corrections of m and v are taken into the step size and into ε, as at the end of the paper's section 2:

        η m̂ / (√v̂ + ε) = η' m / (√v + ε')      η' = η √(1 − β₂ᵗ) / (1 − β₁ᵗ),  ε' = ε √(1 − β₂ᵗ)

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

    def update(self, t: int, θ: Array, g: Array, *slots: Array) -> None:
        if self.weight_decay:
            g = g.add(θ, alpha=self.weight_decay)
        self.descend(t, self.lr, θ, g, *slots)

    def descend(self, t: int, η: float, θ: Array, g: Array, m: Array, v: Array) -> None:
        """The algorithm's last three lines, at the learning rate η."""
        β1, β2 = self.betas
        correction = sqrt(1 - β2**t)
        m.lerp_(g, 1 - β1)
        v.mul_(β2).addcmul_(g, g, value=1 - β2)
        θ.addcdiv_(m, v.sqrt().add_(self.eps * correction), value=-η * correction / (1 - β1**t))


class AdamW(Adam):
    """Adam with the weight decay taken out of the gradient (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101).

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

    def update(self, t: int, θ: Array, g: Array, *slots: Array) -> None:
        θ.mul_(1 - self.lr * self.weight_decay)
        self.descend(t, self.lr, θ, g, *slots)


def clip_grad_norm(parameters: Sequence[Parameter], max_norm: float) -> float:
    """Scale all gradients, in place, by max_norm / ‖g‖ where the norm of all of them together is larger.

    Returns ‖g‖ as it was before. Where that is infinite or not a number, the gradients are left as they are.
    Raises ValueError for max_norm ≤ 0.

    Source: Pascanu, Mikolov & Bengio, *On the difficulty of training recurrent neural networks* (2013),
    https://arxiv.org/abs/1211.5063.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm (={max_norm}) must be above zero")
    norm = grad_norm(parameters)
    if max_norm < norm < float("inf"):
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(max_norm / norm)
    return norm


def grad_norm(parameters: Sequence[Parameter]) -> float:
    """‖g‖, the norm of all gradients together; by `sum`, which adds in pairs, as torch's norm on a CPU doesn't."""
    squares = [parameter.grad.square().sum() for parameter in parameters if parameter.grad is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0


def require_at_least_zero(**values: float) -> None:
    """Raise ValueError naming the first value that is negative (or not a number)."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} (={value}) must not be negative")
