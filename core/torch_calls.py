"""What happens when torch or NumPy is handed a Tensor, which they don't know: an error that says what to write."""

from __future__ import annotations

from typing import Any, NoReturn


class NotForTorch:
    """Refuses torch's functions and NumPy's; an array's own operators then ask the Tensor: ``array + tensor``."""

    __slots__ = ()

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> NoReturn:
        """Of ``array + tensor`` torch catches this error, and asks the Tensor's `__radd__`."""
        name = getattr(function, "__name__", str(function))
        raise TypeError(
            f"torch's {name} takes arrays, and this is a {cls.__name__} of photomend; call photomend's own function or "
            "method, which records a gradient, or pass .data, a constant"
        )

    #: ``numpy_array + tensor`` asks `__radd__`, too.
    __array_ufunc__ = None

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"NumPy can't read a {type(self).__name__} of photomend; pass .data.numpy(), a constant")
