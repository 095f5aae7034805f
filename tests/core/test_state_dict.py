"""Loading weights: both ways between a module and its torch.nn twin, and what happens when they don't fit."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Array, Module, Parameter, PhotomendError, StateDictError
from photomend.layers import BatchNorm2d, Conv2d, Sequential


def net() -> Sequential:
    return Sequential(Conv2d(2, 3, 3), BatchNorm2d(3))


def twin() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))


def copies(module: Module) -> dict[str, Array]:
    return {name: array.clone() for name, array in module.state_dict().items()}


def test_to_torch_and_back() -> None:
    ours, theirs, x = net(), twin(), torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        ours(x)  # so that the running statistics are their own
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours.eval()(x).data, theirs.eval()(x).detach(), rtol=1e-5, atol=1e-5)
    back = net().eval()
    back.load_state_dict(theirs.state_dict())
    assert torch.equal(back(x).data, ours(x).data)
    assert back.state_dict()["1.num_batches_tracked"] == 3


def test_loading_copies_and_keeps_dtype() -> None:
    ours, state = net(), {k: v.double() for k, v in copies(net()).items()}
    parameters = ours.parameters()
    ours.load_state_dict(state)
    assert ours.parameters() == parameters
    assert ours.state_dict()["0.weight"].dtype == torch.float32
    assert ours.state_dict()["1.num_batches_tracked"].dtype == torch.int64
    state["0.weight"].zero_()
    assert ours.state_dict()["0.weight"].abs().sum() > 0


def missing(state: dict[str, Array]) -> None:
    del state["0.bias"], state["1.weight"]


def many_missing(state: dict[str, Array]) -> None:
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        del state[name]


def unexpected(state: dict[str, Array]) -> None:
    state["2.weight"] = torch.zeros(1)


def mis_shaped(state: dict[str, Array]) -> None:
    state["0.weight"] = torch.zeros(3, 2, 4, 4)


def all_of_it(state: dict[str, Array]) -> None:
    del state["0.bias"]
    unexpected(state)
    mis_shaped(state)


def with_value(key: str, value: object):
    """Spoils one value, the last of the keys among them: those before it must not have been copied yet."""

    def spoil(state: dict[str, object]) -> None:
        state[key] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing, "missing 0.bias, 1.weight"),
        (many_missing, "missing 0.weight, 0.bias, 1.weight and 1 more"),
        (unexpected, "unexpected 2.weight"),
        (mis_shaped, "0.weight is (3, 2, 4, 4) but should be (3, 2, 3, 3)"),
        (with_value("0.weight", [1.0]), "0.weight is a list, not an array"),
        (with_value("0.weight", None), "0.weight is a NoneType, not an array"),
        (
            with_value("0.weight", torch.zeros(3, 2, 3, 3, dtype=torch.complex64)),
            "0.weight is torch.complex64 but should be a floating-point array",
        ),
        (
            with_value("1.bias", torch.zeros(3, dtype=torch.int64)),
            "1.bias is torch.int64 but should be a floating-point array",
        ),
        (
            with_value("1.bias", torch.zeros(3, dtype=torch.bool)),
            "1.bias is torch.bool but should be a floating-point array",
        ),
        (
            with_value("1.num_batches_tracked", torch.tensor(0.5)),
            "1.num_batches_tracked is torch.float32 but should be an integer array",
        ),
        (
            with_value("1.running_var", torch.zeros(3, device="meta")),
            "1.running_var is on the meta device, which holds no numbers",
        ),
        (with_value("1.bias", torch.zeros(3).to_sparse()), "1.bias is torch.sparse_coo, not a dense array"),
        (all_of_it, "missing 0.bias; unexpected 2.weight; 0.weight is (3, 2, 4, 4) but should be (3, 2, 3, 3)"),
    ],
    ids=lambda p: p.__name__ if callable(p) else "",
)
def test_what_does_not_fit_is_named_in_one_line_and_nothing_changes(spoil, message: str) -> None:
    ours, state = net(), {k: v + 1 for k, v in copies(net()).items()}
    spoil(state)
    before = copies(ours)
    with pytest.raises(StateDictError) as caught:
        ours.load_state_dict(state)
    assert isinstance(caught.value, PhotomendError)
    assert str(caught.value) == f"state dict does not fit Sequential: {message}"
    assert all(torch.equal(before[k], v) for k, v in ours.state_dict().items())


def test_shared_parameters_load() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.a = Parameter(torch.zeros(2))
            self.b = self.a

    tied = Tied()
    tied.load_state_dict({"a": torch.ones(2), "b": torch.ones(2)})
    assert tied.a is tied.b
    assert torch.equal(tied.a.data, torch.ones(2))


@pytest.mark.parametrize("state", [None, [1], Conv2d(1, 1, 1)])
def test_what_is_no_state_dict(state: object) -> None:
    with pytest.raises(StateDictError, match=f"a state dict is due for Sequential, not a {type(state).__name__}"):
        net().load_state_dict(state)  # type: ignore[arg-type]


def test_torchs_module_in_a_state_dicts_place_is_called_torchs() -> None:
    with pytest.raises(StateDictError, match=r"not a torch\.nn\.Linear; pass its \.state_dict\(\)"):
        net().load_state_dict(torch.nn.Linear(3, 2))  # type: ignore[arg-type]


def test_two_names_exchanged() -> None:
    """The arrays of a module's own state dict, under each other's names."""

    class Two(Module):
        def __init__(self) -> None:
            self.a, self.b = Parameter(torch.zeros(2)), Parameter(torch.ones(2))

    two = Two()
    state = two.state_dict()
    two.load_state_dict({"a": state["b"], "b": state["a"]})
    assert torch.equal(two.a.data, torch.ones(2))
    assert torch.equal(two.b.data, torch.zeros(2))
