"""The engine: Tensor and tape, primitives with their pullbacks, modules, initial weights, the gradient checker."""

from importlib import import_module
from typing import TYPE_CHECKING

from . import init
from .anomaly import detect_anomaly
from .arrays import kind_of
from .backend import runtime
from .errors import PhotomendError, did_you_mean
from .files import replacing
from .gradcheck import GradientError, check, gradcheck
from .mode import is_recording, keep_values, no_grad
from .module import Buffer, Module, Parameter, StateDictError, in_mode
from .ops.elementwise import (
    absolute,
    add,
    cast,
    clamp,
    divide,
    exp,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sqrt,
    subtract,
    where,
)
from .ops.matmul import matmul
from .ops.reductions import amax, amin, mean, sum, variance
from .ops.shaping import (
    broadcast_to,
    cat,
    concatenate,
    getitem,
    pad,
    permute,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unsqueeze,
)
from .primitive import Primitive, all_primitives, primitive
from .recompute import recompute
from .tape import HALF_PRECISION, Pullback
from .tape import Array as Array  # not in __all__: help(photomend.core) would show the whole manual of torch.Tensor
from .tape import Constant as Constant
from .tensor import Tensor

if TYPE_CHECKING:
    from .drawing import Drawing, draw

__all__ = [
    "HALF_PRECISION",
    "Buffer",
    "Drawing",
    "GradientError",
    "Module",
    "Parameter",
    "PhotomendError",
    "Primitive",
    "Pullback",
    "StateDictError",
    "Tensor",
    "absolute",
    "add",
    "all_primitives",
    "amax",
    "amin",
    "broadcast_to",
    "cast",
    "cat",
    "check",
    "clamp",
    "concatenate",
    "detect_anomaly",
    "did_you_mean",
    "divide",
    "draw",
    "exp",
    "getitem",
    "gradcheck",
    "in_mode",
    "init",
    "is_recording",
    "keep_values",
    "kind_of",
    "log",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "multiply",
    "negative",
    "no_grad",
    "pad",
    "permute",
    "power",
    "primitive",
    "recompute",
    "replacing",
    "reshape",
    "runtime",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "transpose",
    "unsqueeze",
    "variance",
    "where",
]


def __getattr__(name: str) -> object:
    if name in ("Drawing", "draw"):  # imported when they are first asked for: most programs draw nothing
        return getattr(import_module(".drawing", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "Array"])
