"""Looking into a network while it runs: what its modules were given and gave, without changing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...core import Module


@contextmanager
def listening(modules: Mapping[str, Module], heard: Callable[[str, tuple[Any, ...], Any], object]) -> Iterator[None]:
    """Inside this context, `heard` is told the name, the arguments and the result of each call of these modules.

    A module is called through its `forward`; here it has one of its own for a while, which an instance may.
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
