"""Four independent opinions on one gradient, each as the error it finds (0 is perfect).

They fail in different ways: differences know nothing of any rule but only see about nine digits; the adjoint identity
sees all digits but only of linear operations, and not whether the operation is the right one; torch's autograd knows
the right operation but may share a convention with us; the NumPy loops are the definition, of the forward pass only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from photomend.core import Array, Module, Tensor, gradcheck
from photomend.tests.verification.case import Case, Device

#: The largest relative error that each oracle allows in float64.
TOLERANCE = {"differences": 1e-8, "adjoint": 1e-12, "torch": 1e-10, "loops": 1e-10}

#: Added to the seed of every cotangent: one that no caller draws inputs from, or v could be x itself.
_COTANGENTS = 0x5EED_C07A

#: A way to lay the same numbers out in memory.
Layout = Callable[[Array], Array]


def contiguous(x: Array) -> Array:
    return x.contiguous()


def channels_last(x: Array) -> Array:
    """Images with a pixel's channels side by side; anything else with its axes stored in reverse order."""
    if x.ndim == 4:
        return x.contiguous(memory_format=torch.channels_last)
    reverse = tuple(reversed(range(x.ndim)))
    return x.permute(reverse).contiguous().permute(reverse)


def sliced(x: Array) -> Array:
    """Every second element of a larger array, starting off its first."""
    if x.ndim == 0:
        return torch.stack((x, x))[1]
    larger = torch.full((*x.shape[:-1], 2 * x.shape[-1] + 1), torch.nan, dtype=x.dtype, device=x.device)
    larger[..., 1::2] = x
    return larger[..., 1::2]


LAYOUTS: dict[str, Layout] = {f.__name__: f for f in (contiguous, channels_last, sliced)}


def random_like(y: Array, seed: int, *, expanded: bool = False) -> Array:
    """A random cotangent; `expanded`: one random number repeated along the last axis, without memory of its own."""
    shape = (*y.shape[:-1], 1) if expanded and y.ndim else y.shape
    generator = torch.Generator().manual_seed(_COTANGENTS + seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(y.device, y.dtype).expand(y.shape)


def difference_error(case: Case, device: Device = "cpu") -> float:
    """Relative error of the pullback against central differences; whoever asks for many has no time for hints."""
    return gradcheck(case.ours(device=device), *case.inputs(device=device), step=case.step, explain=False)


def adjoint_error(case: Case, group: tuple[int | str, ...], device: Device = "cpu") -> float:
    """Relative error of ⟨A a, v⟩ = ⟨a, Aᵀ v⟩ for the arguments a of one group in which the operation is linear."""
    module, leaves = case.ours(device=device), [Tensor(x) for x in case.inputs(device=device)]
    y = module(*leaves)
    v = random_like(y.data, seed=3)
    y.backward(v.clone())  # a pullback that overwrites its cotangent must not meet its own damage here
    named = dict(module.named_parameters())
    left = (y.data * v).sum()
    terms = []
    for key in group:
        argument = named[key] if isinstance(key, str) else leaves[key]
        assert argument.grad is not None
        terms.append((argument.data * argument.grad).sum())
    scale = (y.data * v).abs().sum()
    return ((left - sum(terms)).abs() / scale).item()


def results(module: Module, inputs: tuple[Array, ...], *, expanded: bool = False) -> tuple[dict[str, Array], Array]:
    """Ours: the value, every gradient and every buffer afterwards, by name; and a copy of the cotangent from before."""
    leaves = [Tensor(x) for x in inputs]
    y = module(*leaves)
    v = random_like(y.data, seed=3, expanded=expanded)
    before = v.clone()
    y.backward(v)
    found = {"value": y.data}
    found.update((f"gradient of input {i}", leaf.grad) for i, leaf in enumerate(leaves))
    found.update((f"gradient of {name}", p.grad) for name, p in module.named_parameters())
    found.update((name, buffer.data) for name, buffer in module.named_buffers())
    return found, before


def twin_results(twin: torch.nn.Module, inputs: tuple[Array, ...], v: Array) -> dict[str, Array]:
    """The same from torch's autograd."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = twin(*leaves)
    y.backward(v)
    found = {"value": y.detach()}
    found.update((f"gradient of input {i}", leaf.grad) for i, leaf in enumerate(leaves))
    found.update((f"gradient of {name}", p.grad) for name, p in twin.named_parameters())
    found.update((name, b) for name, b in twin.named_buffers())
    return found


def against_torch(
    case: Case,
    dtype: torch.dtype = torch.float64,
    layout: Layout = contiguous,
    *,
    expanded: bool = False,
    device: Device = "cpu",
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Ours and the twin's value, gradients and buffers by name."""
    module = case.ours(dtype, device)
    twin = case.twin(module)
    inputs = case.inputs(dtype, device)
    ours, v = results(module, tuple(layout(x) for x in inputs), expanded=expanded)
    return ours, twin_results(twin, inputs, v)


def torch_error(case: Case, layout: Layout = contiguous, *, expanded: bool = False, device: Device = "cpu") -> float:
    """Largest relative error against torch's autograd in float64, over the value, gradients and buffers."""
    ours, theirs = against_torch(case, layout=layout, expanded=expanded, device=device)
    if ours.keys() != theirs.keys():
        return float("inf")
    return max(relative_error(ours[name], theirs[name]) for name in theirs)


def loops_error(case: Case, device: Device = "cpu") -> float:
    """Largest relative error of the value, and of the buffers afterwards, against the NumPy loops."""
    module, inputs = case.ours(device=device), case.inputs(device=device)
    state = {name: array.cpu().numpy().copy() for name, array in module.state_dict().items()}
    expected = case.loops(state, *(x.cpu().numpy() for x in inputs))
    value = module(*inputs)
    errors = [relative_error(value.data if isinstance(value, Tensor) else value, torch.from_numpy(np.array(expected)))]
    errors += [relative_error(b.data, torch.from_numpy(np.array(state[name]))) for name, b in module.named_buffers()]
    return max(errors)


def trespasses(case: Case) -> list[str]:
    """What a backward pass does to arrays that aren't its own: the callers' that were changed, and the gradients that
    share memory with them (the optimizer will change those in place). No oracle, but a promise of every rule."""
    module, inputs = case.ours(), case.inputs()
    leaves = [Tensor(x) for x in inputs]
    named = [(f"input {i}", leaf) for i, leaf in enumerate(leaves)] + list(module.named_parameters())
    y = module(*leaves)
    v = random_like(y.data, seed=3)
    before = {name: t.data.clone() for name, t in named} | {"the cotangent": v.clone()}
    y.backward(v)
    after = {name: t.data for name, t in named} | {"the cotangent": v}
    found = [f"{name} was changed" for name in after if not torch.equal(after[name], before[name])]
    held = {array.untyped_storage().data_ptr() for array in after.values()}
    for name, variable in named:
        assert variable.grad is not None
        if variable.grad.untyped_storage().data_ptr() in held:
            found.append(f"the gradient of {name} shares memory")
    return found


def relative_error(ours: Array | None, theirs: Array | None) -> float:
    """Largest difference, relative to the largest entry; infinite where shapes differ, one has no gradient, or a number
    is NaN (which `max` over several errors would pass over)."""
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return float("inf")
    if theirs.numel() == 0:
        return 0.0
    ours, theirs = ours.double().cpu(), theirs.double().cpu()
    error = (ours - theirs).abs().max().item() / (theirs.abs().max().item() or 1.0)
    return float("inf") if math.isnan(error) else error
