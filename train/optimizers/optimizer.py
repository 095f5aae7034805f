"""What every optimizer shares: groups of parameters with their options, running averages, and their state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import torch

from ...core import Array, Parameter, did_you_mean
from .checks import at_least_zero, grouped, listed, require_gradient, require_unmoved

#: A group's options by name, as torch spells them, and "params", its parameters.
Group = dict[str, Any]
#: A parameter's running averages by name.
Slots = dict[str, Array]
State = dict[str, Any]


class Optimizer:
    """Parameters in groups, each group with options of its own, and running averages shaped like the parameters.

        optimizer = AdamW([{"params": matrices}, {"params": biases, "weight_decay": 0.0}], lr=1e-3, weight_decay=0.1)
        optimizer.lr = 5e-4                                  # of all groups
        optimizer.param_groups[1]["weight_decay"] = 0.01     # of one

    `step` updates `.data` of each parameter in place, and skips one whose gradient is None. A subclass says with
    `options` and `slot_names` what it is given and what it keeps, and in `update` what it does.

    Args:
        parameters: a list of Parameters or of pairs (name, Parameter), or a list of groups: dicts of "params", which
            is such a list, and the options in which they differ from `defaults`.
        defaults: the options of groups that don't say otherwise.

    Attributes:
        param_groups: the groups, all options filled in. A group's "lr_share" is its learning rate as a share of `lr`.
        parameters: those of all groups, one after the other; `names`: theirs, in messages.
        steps: how many updates each parameter has had; the bias correction of one that was frozen at first starts when
            it is updated first.
        slots: each parameter's running averages.

    Raises TypeError and ValueError for wrong parameters, groups or options.
    """

    #: What an option must be: a function of its name and value that returns the value, or raises.
    options: ClassVar[dict[str, Callable[[str, Any], Any]]] = {"lr": at_least_zero, "weight_decay": at_least_zero}

    def __init__(self, parameters: Iterable[Any], **defaults: Any) -> None:
        self.defaults = self.checked(defaults)
        self.param_groups: list[Group] = []
        self.parameters: list[Parameter] = []
        self.names: list[str] = []
        self.steps: list[int] = []
        self.slots: list[Slots] = []
        groups, where = grouped(parameters)
        for group in groups:
            self.add_param_group(group, where)
        if not self.parameters:
            raise ValueError("parameters: an optimizer needs at least one")

    def checked(self, options: Mapping[str, Any]) -> Group:
        """The options as `options` has them. Raises TypeError and ValueError naming a wrong one."""
        return {name: check(name, options[name]) for name, check in self.options.items()}

    def add_param_group(self, group: Mapping[str, Any], where: str = "") -> None:
        """Optimize these parameters too: "params" and the options that differ from the optimizer's.

        Args:
            where: what messages call the parameters, "group 1: params" if left out.

        Raises TypeError and ValueError: not such a group, an unknown option or a wrong one, or a parameter that a group
        has already.
        """
        number = len(self.param_groups)
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"group {number} (={group!r:.80}) must be a dict that has 'params'")
        own = {name: value for name, value in group.items() if name != "params"}
        if unknown := own.keys() - self.options.keys():
            name = min(unknown)
            raise ValueError(f"group {number}: unknown option {name!r}; {did_you_mean(name, self.options)}")
        named = listed(group["params"], where or f"group {number}: params")
        here = {id(parameter): f"group {k}" for k, each in enumerate(self.param_groups) for parameter in each["params"]}
        for index, (_, parameter) in enumerate(named):
            if id(parameter) in here:
                raise ValueError(f"group {number}: params[{index}] is in {here[id(parameter)]} already")
        try:
            options = self.checked({**self.defaults, **own})
        except (TypeError, ValueError) as error:
            raise type(error)(f"group {number}: {error}") from None
        rate, base = options["lr"], self.defaults["lr"]
        if rate and not base:
            raise ValueError(f"group {number}: lr (={rate}) can't be a share of the optimizer's lr (={base})")
        share = 1.0 if rate == base else rate / base
        self.param_groups.append({"params": [p for _, p in named], **options, "lr_share": share})
        for name, parameter in named:
            self.names.append(name or f"parameters[{len(self.parameters)}]")
            self.parameters.append(parameter)
            self.steps.append(0)
            kept = self.slot_names(options, parameter.data)
            self.slots.append({slot: self.initial(slot, options, parameter.data) for slot in kept})

    def slot_names(self, group: Group, θ: Array) -> tuple[str, ...]:
        """The running averages that are kept of a weight in this group."""
        return ()

    def initial(self, slot: str, group: Group, θ: Array) -> Array:
        """What a running average begins with."""
        return torch.zeros_like(θ)

    @property
    def lr(self) -> float:
        """The learning rate: set it before a step to follow a schedule.

        A group that was given a rate of its own keeps its share: made with 1e-3 and a group's 1e-4, ``lr = 5e-4`` gives
        that group 5e-5. Read, it is what the groups' rates say, however they were set.

        Raises TypeError and ValueError for a rate that is no finite number of at least 0.
        """
        group = max(self.param_groups, key=lambda group: (group["lr_share"] == 1, group["lr_share"]))
        share: float = group["lr_share"]
        return group["lr"] / share if share else self.defaults["lr"]

    @lr.setter
    def lr(self, rate: float) -> None:
        rate = at_least_zero("lr", rate)
        for group in self.param_groups:
            group["lr"] = rate * group["lr_share"]

    def indexed(self) -> Iterator[tuple[int, Group, Parameter]]:
        """Every parameter with its number and its group."""
        index = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                yield index, group, parameter
                index += 1

    def step(self) -> None:
        """Move every parameter that has a gradient by one update.

        Raises TypeError and ValueError, and moves nothing, if a gradient is sparse or has another shape, dtype or
        device than its parameter, if the parameter itself has another one than when the optimizer was made, or if an
        option was switched on for which nothing was kept so far.
        """
        self._require_ready()
        for index, group, parameter in self.indexed():
            if parameter.grad is not None:
                self.steps[index] += 1
                self.update(group, self.steps[index], parameter.data, parameter.grad, self.slots[index])

    def _require_ready(self) -> None:
        for index, group, parameter in self.indexed():
            grad, data = parameter.grad, parameter.data
            if grad is not None:
                require_gradient(grad, data, self.names[index])
                require_unmoved(self.slots[index], data, self.names[index])
            if parameter is group["params"][0] and not self.slots[index].keys() >= {*self.slot_names(group, data)}:
                missing = min({*self.slot_names(group, data)} - self.slots[index].keys())
                raise ValueError(f"{self.names[index]}: an option needs {missing!r}, which this optimizer did not keep")

    def update(self, group: Group, t: int, θ: Array, g: Array, slots: Slots) -> None:
        """Change the weights θ and their slots in place, for the t-th time; the gradient g stays as it is."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients, so that the next backward pass starts from nothing."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> State:
        """The learning rate, the step counts, the slots (`velocity.0`, `velocity.1`, …) and `param_groups`: their
        options, with the parameters' numbers as "params". Arrays are not copied."""
        state: State = {"lr": self.lr, "steps": torch.tensor(self.steps), **self._arrays(), "param_groups": []}
        index = 0
        for group in self.param_groups:
            numbers = list(range(index, index := index + len(group["params"])))
            state["param_groups"].append({**group, "params": numbers})
        return state

    def _arrays(self) -> dict[str, Array]:
        """The slots by the names that a state gives them."""
        return {f"{name}.{index}": array for index, slots in enumerate(self.slots) for name, array in slots.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `state_dict` gave, options included, so that training continues as if never stopped.

        A state without `param_groups` leaves the options as they are, and has the learning rate alone.

        Raises ValueError when keys, shapes or groups are not those of this optimizer and its parameters, and what a
        wrong option raises; then nothing has been changed.
        """
        mine = {"lr": self.lr, "steps": torch.tensor(self.steps), **self._arrays()}
        empty = {key for key, value in state.items() if isinstance(value, Array) and not value.numel()}
        if unlike := sorted(mine.keys() ^ (state.keys() - empty - {"param_groups"})):
            side = "missing" if unlike[0] in mine else "unknown"
            raise ValueError(f"state of another optimizer: key {unlike[0]!r} is {side}")
        for key, value in mine.items():
            theirs = torch.as_tensor(state[key])
            if isinstance(value, torch.Tensor) and value.shape != theirs.shape:
                raise ValueError(f"state {key!r} has shape {tuple(theirs.shape)}, the parameter {tuple(value.shape)}")
        groups = self._taken_over(state["param_groups"]) if "param_groups" in state else None
        if groups is None:
            self.lr = float(state["lr"])
        else:
            self.param_groups = groups
        self.steps = [int(count) for count in torch.as_tensor(state["steps"])]
        for key, array in self._arrays().items():
            array.copy_(torch.as_tensor(state[key]).detach())

    def _taken_over(self, groups: list[Group]) -> list[Group]:
        """This optimizer's groups with the options of a state's."""
        sizes, theirs = ([len(group["params"]) for group in each] for each in (self.param_groups, groups))
        if sizes != theirs:
            raise ValueError(f"state of another optimizer: its groups have {theirs} parameters, and not {sizes}")
        return [
            {"params": mine["params"], **self.checked(group), "lr_share": at_least_zero("lr_share", group["lr_share"])}
            for mine, group in zip(self.param_groups, groups, strict=True)
        ]
