"""What a run that has no numbers left says: the step, the batch's photos, and the layer in which it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..core import Array, Module, PhotomendError
from ..core.anomaly import AnomalyError, detect_anomaly, is_finite
from ..core.mode import is_checking
from .distributed import apart, texts
from .trainer import BaseTrainer

#: Photos of a batch that are named.
NAMED = 16


def explain(
    trainer: BaseTrainer[Any], batch: Sequence[Array], error: PhotomendError, names: Sequence[str] = ()
) -> PhotomendError:
    """The error of a step with where it began, and which photos were in the batch: the step is made again, watched.

    The weights and the buffers stay as they are. Of several ranks each makes it by itself; a loss is that of all, who
    hear what the first has found that has found something, but a primitive stops only the rank that it is watched on.
    """
    with apart():
        first = _first_fault(trainer, batch)
    if not is_checking():
        found = list(zip(texts(first), texts("\n".join(names)), strict=True))
        first, named = next((pair for pair in found if pair[0]), found[0])
        names = named.splitlines()
    said = str(error)
    if said in first:  # anomalies were looked for already
        said = f"at step {trainer.progress.steps} in {first}"
    elif first:
        said = f"{said}; it began in {first}"
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        said = f"{said}; photos of this step: {', '.join(names[:NAMED])}{more}"
    return PhotomendError(f"training: {said}; a lower lr may help")


def require_finite_weights(trainer: BaseTrainer[Any]) -> None:
    """Raise PhotomendError where a weight is no longer a number, so that the last state that has numbers stays."""
    if name := _not_finite(trainer.network):
        raise PhotomendError(
            f"training: after step {trainer.progress.steps} the weight {name} is no longer finite; the last state that "
            "was saved stays; a lower lr may help"
        )


def _not_finite(network: Module) -> str:
    """The first parameter that has NaN or infinities, or ""."""
    return next((name for name, parameter in network.named_parameters() if not is_finite(parameter.data)), "")


def _first_fault(trainer: BaseTrainer[Any], batch: Sequence[Array]) -> str:
    """Where a step's first NaN or infinity comes from, or ""."""
    if name := _not_finite(trainer.network):
        return f"the weight {name}"
    if not all(is_finite(array) for array in batch if array.is_floating_point()):
        return "the batch, which holds NaN or infinities"
    buffers = [(buffer, buffer.data.clone()) for _, buffer in trainer.network.named_buffers()]
    trainer.optimizer.zero_grad()
    try:
        with trainer.precision() as network, _watched(network) as running, detect_anomaly():
            try:
                prediction = trainer.predict(network, *trainer.inputs(*batch))
                _, gradient = trainer.loss(prediction.data, *batch)
                running.append("")  # no layer any more
                prediction.backward(gradient)
            except AnomalyError as fault:
                return f"{running[-1]}{fault}{_weight_of(network, fault)}" if running else str(fault)
    finally:
        trainer.optimizer.zero_grad()
        for buffer, before in buffers:
            buffer.data.copy_(before)
    return ""


def _weight_of(network: Module, fault: AnomalyError) -> str:
    """The parameter that a pullback which failed was to find the gradient of or by, in brackets, or ""."""
    leaves = [parent.leaf() for parent in fault.node.parents if parent and parent.leaf] if fault.node else []
    for name, parameter in network.named_parameters():
        if any(parameter is leaf for leaf in leaves):
            return f" ({name})"
    return ""


@contextmanager
def _watched(network: Module) -> Iterator[list[str]]:
    """The layers that are running, the innermost last; one that raises stays."""
    running: list[str] = []

    def watched(forward: Callable[..., Any], name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            running.append(name)
            result = forward(*args, **kwargs)
            running.pop()
            return result

        return run

    modules = dict(network.named_modules())
    for name, module in modules.items():
        kind = type(module).__name__
        module.forward = watched(module.forward, f"layer {name} ({kind}), " if name else f"{kind}, ")  # type: ignore[method-assign]
    try:
        yield running
    finally:
        for module in modules.values():
            with suppress(AttributeError):
                del module.forward
