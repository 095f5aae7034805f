"""First-order optimizers, each the update formula of its paper in torch's form.

Where the two differ, the form decides what a learning rate means: in SGD it multiplies the velocity and isn't part of
it, so that a change of the rate acts at once; and weight decay is multiplied by the rate.

They work on anything that has `.data` and `.grad` (a `Parameter`), update `.data` in place, and skip a
parameter whose gradient is None. The learning rate is the attribute `lr`: set it before a step to follow a
schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, sqrt

import torch

from ..core import Array, Parameter
from ..core.workers import share

#: Numbers that a thread updates together. Measured with Adam's six lines on the 102 parameters of the attention model
#: (1.2 million numbers): 4.5 ms one by one, 2.0 in groups of 2¹⁷, 2.6 in such of 2¹⁴ and all in one group. To Muon,
#: whose products take ten times as long, it makes no difference.
TOGETHER = 2**17

State = dict[str, Array | float]
Arrays = list[Array] | tuple[Array, ...]


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
        """Move every parameter that has a gradient by one update.

        On a CPU each thread takes whole parameters, some small ones or a large one at a time (`TOGETHER`), whose arrays
        stay in its cache from one line of the formula to the next. Elsewhere each line is one call for all parameters
        that have moved equally often.
        """
        moving = [index for index, parameter in enumerate(self.parameters) if parameter.grad is not None]
        for index in moving:
            self.steps[index] += 1
        most = TOGETHER if _on_cpu([self.parameters[index] for index in moving]) else inf
        for t in sorted({self.steps[index] for index in moving}):
            alike = [index for index in moving if self.steps[index] == t]
            share(self._update, [(job,) for job in self._jobs(alike, most)])

    def _jobs(self, indices: list[int], most: float) -> list[list[int]]:
        """These parameters, the largest first, in groups of so many numbers at most, or of a single larger one."""
        jobs: list[list[int]] = []
        room = 0.0
        for index in sorted(indices, key=lambda index: -self.parameters[index].data.numel()):
            size = self.parameters[index].data.numel()
            if not jobs or size > room:
                jobs.append([])
                room = most
            jobs[-1].append(index)
            room -= size
        return jobs

    def _update(self, indices: list[int]) -> None:
        moving = [self.parameters[index] for index in indices]
        slots = [[arrays[index] for index in indices] for arrays in self.slots.values()]
        grads = [parameter.grad for parameter in moving if parameter.grad is not None]
        self.update(self.steps[indices[0]], [parameter.data for parameter in moving], grads, *slots)

    def update(self, t: int, weights: Arrays, grads: Arrays, *slots: Arrays) -> None:
        """Change the arrays `weights` and their `slots` in place, for the t-th time; `grads` belong to the caller and
        stay as they are. ``torch._foreach_mul_(weights, 2)`` is ``w.mul_(2)`` for each of them."""
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

    Raises ValueError for a negative lr, momentum or weight_decay.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        require_at_least_zero(momentum=momentum)
        self.momentum = float(momentum)
        self.slot_names = ("velocity",) if momentum else ()
        super().__init__(parameters, lr, weight_decay)

    def update(self, t: int, weights: Arrays, grads: Arrays, *slots: Arrays) -> None:
        if not slots:  # without momentum
            torch._foreach_mul_(weights, 1 - self.lr * self.weight_decay)
            torch._foreach_add_(weights, grads, alpha=-self.lr)
        for velocity in slots:
            torch._foreach_mul_(velocity, self.momentum)
            torch._foreach_add_(velocity, grads)
            torch._foreach_add_(velocity, weights, alpha=self.weight_decay)
            torch._foreach_add_(weights, velocity, alpha=-self.lr)


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

    def update(self, t: int, weights: Arrays, grads: Arrays, *slots: Arrays) -> None:
        if self.weight_decay:
            grads = torch._foreach_add(grads, weights, alpha=self.weight_decay)
        self.descend(t, self.lr, weights, grads, *slots)

    def descend(self, t: int, lr: float, weights: Arrays, grads: Arrays, mean: Arrays, square: Arrays) -> None:
        """The algorithm's four lines. The corrections of m and v go into the step size and into ε, as at the end of the
        paper's section 2: η m̂ / (√v̂ + ε) = η' m / (√v + ε') with η' = η √(1 − β₂ᵗ) / (1 − β₁ᵗ), ε' = ε √(1 − β₂ᵗ)."""
        beta1, beta2 = self.betas
        correction = sqrt(1 - beta2**t)
        torch._foreach_lerp_(mean, grads, 1 - beta1)
        torch._foreach_mul_(square, beta2)
        torch._foreach_addcmul_(square, grads, grads, value=1 - beta2)
        root = torch._foreach_sqrt(square)
        torch._foreach_add_(root, self.eps * correction)
        torch._foreach_addcdiv_(weights, mean, root, value=-lr * correction / (1 - beta1**t))


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

    def update(self, t: int, weights: Arrays, grads: Arrays, *slots: Arrays) -> None:
        torch._foreach_mul_(weights, 1 - self.lr * self.weight_decay)
        self.descend(t, self.lr, weights, grads, *slots)


def _on_cpu(parameters: Iterable[Parameter]) -> bool:
    return all(parameter.device.type == "cpu" for parameter in parameters)


def require_at_least_zero(**values: float) -> None:
    """Raise ValueError naming the first value that is negative (or not a number)."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} (={value}) must not be negative")
