"""A CUDA device that isn't there, for machines without one.

Its arrays say that they are on `cuda:0`, and hold their numbers on the CPU. It refuses what CUDA refuses, arrays on two
devices in one operation, and notes what a GPU would have to be waited for or what goes astray:

    read-back          a number or an array that the host asks the device for: `.item()`, `bool(x)`, `.cpu()`, x[mask]
    upload             an array on the CPU that is copied to the device
    made on the CPU    an array that nobody told to be on the device

    with pretended_cuda() as events:
        x = torch.ones(3, device="cuda:0")
        x.sum().item()
    events              # [read-back: _local_scalar_dense at …:9 in <module>]

What it can't show is speed, and what CUDA's own kernels round or refuse. torch's autograd doesn't run on it. Write
"cuda:0" for its name, not "cuda": torch would ask a CUDA build for the number.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda", 0)
ROOT = Path(__file__).resolve().parents[2]
READ_BACK, UPLOAD, MADE = "read-back", "upload", "made on the CPU"

aten = torch.ops.aten
#: Operations whose result, or its size, the host needs at once.
_READS = {
    *(aten._local_scalar_dense, aten.equal, aten.nonzero, aten.masked_select, aten.bincount, aten.repeat_interleave),
    *(aten._unique2, aten.unique_dim, aten.unique_consecutive, aten.allclose),
}
_COPIES = {aten._to_copy, aten.copy_}
_INDEXES = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
#: Of these not even single numbers may be on the CPU.
_STRICT = {aten.cat, aten.stack, aten.mm, aten.bmm, aten.addmm}


class MixedDevicesError(RuntimeError):
    """Arrays on two devices have met in an operation that takes them on one."""


@dataclass(frozen=True)
class Event:
    """Something that was noted, and the innermost line of photomend that did it."""

    kind: str
    operation: str
    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.operation} at {self.file}:{self.line} in {self.function}"

    __repr__ = __str__


_events: list[Event] | None = None


class CudaArray(torch.Tensor):
    """An array on the pretended device; `numbers` are its numbers, on the CPU."""

    numbers: torch.Tensor

    @staticmethod
    def __new__(cls, numbers: torch.Tensor) -> CudaArray:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=CUDA,
        )

    def __init__(self, numbers: torch.Tensor) -> None:
        self.numbers = numbers

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _run(op, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"CudaArray({self.numbers})"

    # What torch does in C++ without an operation that could be seen:

    def tolist(self) -> Any:
        _note(READ_BACK, "tolist")
        return self.numbers.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    def __format__(self, format_spec: str) -> str:
        return format(self.item(), format_spec)

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None, **options: Any) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=dtype or self.dtype, **{"device": self.device} | options)

    def data_ptr(self) -> int:
        return self.numbers.data_ptr()

    def __getitem__(self, index: Any) -> Any:
        return torch.Tensor.__getitem__(self, _lists_as_arrays(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        torch.Tensor.__setitem__(self, _lists_as_arrays(index), value)


def _lists_as_arrays(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_lists_as_arrays, index))
    return torch.tensor(index) if isinstance(index, list) else index


def numbers(value: Any) -> Any:
    """An array's numbers on the CPU, unnoticed; anything else as it is."""
    return value.numbers if isinstance(value, CudaArray) else value


def _run(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An operation on arrays of which some are on the device."""
    arrays = list(_arrays((args, *kwargs.values())))
    far = [a for a in arrays if isinstance(a, CudaArray)]
    near = [a for a in arrays if not isinstance(a, CudaArray) and a.device.type == "cpu"]
    to = kwargs.get("device")
    goes_far = bool(far) if to is None else to.type == "cuda"
    if far and near:
        _refuse_mixed(op, args, near)
    if goes_far and kwargs.get("generator") is not None:
        raise MixedDevicesError(f"Expected a 'cuda' device type for generator but found 'cpu' in {op}")
    _note_transfers(op, args, far, near, goes_far)
    plain = {name: _mapped(numbers, value) for name, value in kwargs.items()}
    if goes_far and "device" in plain:
        plain["device"] = torch.device("cpu")
    if "pin_memory" in plain:  # a CPU build has no such memory
        plain["pin_memory"] = False
    result = op(*_mapped(numbers, args), **plain)
    if not arrays and not goes_far and isinstance(result, torch.Tensor) and result.device.type == "cpu":
        _note(MADE, op)
    known = {id(numbers(array)): array for array in arrays}  # what an operation in place returns is its argument

    def returned(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if (argument := known.get(id(value))) is not None and op.overloadpacket is not aten._to_copy:
            if argument.shape != value.shape:
                raise NotImplementedError(f"{op} has changed its argument's shape")
            return argument
        return CudaArray(value) if goes_far else value

    return _mapped(returned, result)


def _refuse_mixed(op: Any, args: tuple[Any, ...], near: list[torch.Tensor]) -> None:
    """Raise MixedDevicesError where CUDA does: it takes single numbers from the CPU, copies, and indices."""
    kind = op.overloadpacket
    if kind in _COPIES:
        return
    single = all(a.ndim == 0 for a in near) and kind not in _STRICT
    changes_near = op._schema.is_mutable and any(a is args[0] for a in near if args)
    allowed = single and not changes_near
    if kind in _INDEXES:  # indices may be on the CPU, values may not, nor may what is indexed
        values = [a for a in args[2:3] if isinstance(a, torch.Tensor) and a.ndim]
        allowed = isinstance(args[0], CudaArray) and all(isinstance(v, CudaArray) for v in values)
    if not allowed:
        raise MixedDevicesError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu in {op}")


def _note_transfers(
    op: Any, args: tuple[Any, ...], far: list[CudaArray], near: list[torch.Tensor], goes_far: bool
) -> None:
    """Note what an operation copies from one device to the other."""
    kind = op.overloadpacket
    if far and (kind in _READS or (kind is aten._to_copy and not goes_far)):
        _note(READ_BACK, op)
    elif kind is aten._to_copy and near and goes_far:
        _note(UPLOAD, op)
    elif kind is aten.copy_ and far and near:
        _note(UPLOAD if isinstance(args[0], CudaArray) else READ_BACK, op)
    elif kind in _INDEXES and far:
        indices = list(_arrays(args[1]))
        if any(i.dtype in (torch.bool, torch.uint8) for i in indices):
            _note(READ_BACK, f"{op} by booleans")
        elif any(not isinstance(i, CudaArray) for i in indices):
            _note(UPLOAD, f"{op} by an index on the CPU")


def _note(kind: str, operation: object) -> None:
    if _events is None:
        return
    frame: Any = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path != Path(__file__) and ".venv" not in path.parts:
            file, function = path.relative_to(ROOT).as_posix(), frame.f_code.co_qualname
            _events.append(Event(kind, str(operation).removeprefix("aten."), file, frame.f_lineno, function))
            return
        frame = frame.f_back


def _arrays(value: Any) -> Iterator[torch.Tensor]:
    """The arrays in nested lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nested lists and tuples of what `function` makes of everything in them."""
    if isinstance(value, list | tuple):
        return type(value)(_mapped(function, item) for item in value)
    return function(value)


class _Everywhere(TorchDispatchMode):
    """Sees the operations that have no argument on the device, too."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler, in ten seconds, to tell it to look away

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(op, args, kwargs or {})


@contextmanager
def pretended_cuda() -> Iterator[list[Event]]:
    """Inside this context there is a CUDA device; gives the list of what is noted."""
    global _events
    before, _events = _events, []
    lift = torch._C._only_lift_cpu_tensors()  # type: ignore[attr-defined]
    with ExitStack() as stack:
        stack.callback(torch._C._set_only_lift_cpu_tensors, lift)  # type: ignore[attr-defined]
        torch._C._set_only_lift_cpu_tensors(True)  # type: ignore[attr-defined]  # or `torch.tensor(…, device=…)` goes past
        for name, answer in _ANSWERS.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        stack.enter_context(_device_guard())
        stack.enter_context(_Everywhere())
        try:
            yield _events
        finally:
            _events = before


#: What `torch.cuda` says. The device draws its random numbers from the CPU's generator, so that they are the CPU's.
_ANSWERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("_lazy_init", "synchronize", "manual_seed", "manual_seed_all", "empty_cache"), lambda *_: None),
    **dict.fromkeys(("is_available", "is_bf16_supported"), lambda *_: True),
    **dict.fromkeys(("memory_allocated", "max_memory_allocated", "current_device"), lambda *_: 0),
    "device_count": lambda: 1,
    "device": lambda *_: nullcontext(),
    "get_device_name": lambda *_: "pretended",
    "get_device_capability": lambda *_: (9, 0),
    "get_rng_state": lambda *_: torch.get_rng_state(),
    "set_rng_state": lambda state, *_: torch.set_rng_state(state),
}


@contextmanager
def _device_guard() -> Iterator[None]:
    """Let torch's C++ side find someone who changes the current device, whom indexing asks for before anything else.

    A CPU build has nobody in CUDA's place; here the meta device's stands in, who does nothing.
    """
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * 15).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    cuda, meta = 1, 14  # c10::DeviceType
    before, guards[cuda] = guards[cuda], guards[cuda] or guards[meta]
    try:
        yield
    finally:
        guards[cuda] = before
