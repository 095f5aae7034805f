"""Watching a network run: the arguments and results of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...core import Module


@contextmanager
def listening(modules: Mapping[str, Module], heard: Callable[[str, tuple[Any, ...], Any], object]) -> Iterator[None]:
    """Inside this context, `heard` gets the name, the arguments and the result of each call of these modules.

    Each module gets a `forward` of its own meanwhile, which shadows its class's.
    """

    def overheard(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def forward_and_tell(*arguments: Any) -> Any:
            result = forward(*arguments)
            heard(name, arguments, result)
            return result

        return forward_and_tell

    for name, module in modules.items():
        vars(module)["forward"] = overheard(name, module.forward)
    try:
        yield
    finally:
        for module in modules.values():
            del vars(module)["forward"]
