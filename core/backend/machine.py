"""What a machine is good at, in four numbers, and which library multiplies its matrices.

Which way to convolve is the fastest follows from these numbers by one rule (`layers/convolution/choose.py`), so nothing
else needs to know who made the processor. By default they are one of the fixed descriptions below, so that the same
program gives the same bits every time. `photomend tune` measures them once instead (`profile.py`).

On processors with AVX-512 that are not Intel's, MKL does not use the widest instructions, and oneDNN multiplies large
matrices up to 2.6 times as fast. AMD processors before Zen 5 compute 512 bits in two halves: there MKL loses little,
and multiplies a batch of small matrices faster, because it takes them in one call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Machine:
    """What two cores do, measured on arrays like those of a convolution.

    Attributes:
        large: multiplications a nanosecond in a large float32 matrix product.
        batch: the same in a batch of 36 small ones.
        memory: float32 numbers a nanosecond that are copied from one array to another.
        call: nanoseconds that an operation takes whatever its size.
        onednn: whether oneDNN, and not torch's own library, multiplies large matrices.
        onednn_batches: the same for batches of small ones.
    """

    large: float
    batch: float
    memory: float
    call: float
    onednn: bool = False
    onednn_batches: bool = False


#: torch's own library multiplies: Intel, ARM, and every processor that nobody has measured.
TORCH = Machine(large=104, batch=78, memory=10, call=7000)
#: oneDNN multiplies everything: AMD from Zen 5 on.
ONEDNN = Machine(large=260, batch=125, memory=20, call=4000, onednn=True, onednn_batches=True)
#: oneDNN multiplies large matrices, torch's own library batches of small ones: AMD's Zen 4, others with AVX-512.
ONEDNN_LARGE = Machine(large=106, batch=55, memory=10, call=10_000, onednn=True)

#: AMD's number for the family of Zen 5, whose units are 512 bits wide.
_ZEN5 = 26

_measured: Machine | None = None


def machine() -> Machine:
    """The description in use: what was measured, if `use` was called, or the fixed one for this kind of processor."""
    return _measured or _known()


def use(description: Machine | None) -> None:
    """Use this description from now on; None goes back to the fixed one."""
    global _measured
    _measured = description


@contextmanager
def using(description: Machine) -> Iterator[None]:
    """Inside this context this description is in use."""
    before = _measured
    use(description)
    try:
        yield
    finally:
        use(before)


@functools.cache
def _known() -> Machine:
    """The fixed description for this kind of processor."""
    maker, family = _processor()
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or maker in ("GenuineIntel", ""):
        return TORCH
    return ONEDNN_LARGE if maker == "AuthenticAMD" and family < _ZEN5 else ONEDNN


@functools.cache
def _processor() -> tuple[str, int]:
    """The processor's maker and its number for the family, as Linux gives them, or "" and 0."""
    named = processor_facts()
    family = named.get("cpu family", "")
    return named.get("vendor_id", ""), int(family) if family.isdecimal() else 0


def processor_facts() -> dict[str, str]:
    """What Linux says of the first core; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    parted = [line.partition(":") for line in reversed(lines)]  # the first core's lines overwrite the others'
    return {name.strip(): value.strip() for name, _, value in parted}
