"""Module: what it finds in itself, what it carries, and what it says."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch
from photomend.core import Buffer, Module, Parameter, Tensor, sum
from photomend.layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    GlobalAvgPool2d,
    GroupNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    PixelShuffle,
    ReLU,
    ResidualBlock,
    Sequential,
    Sigmoid,
    SiLU,
    SpatialAttention,
    SqueezeExcitation,
    Tanh,
)


class Net(Module):
    """Every way to hold a sub-module: an attribute, a sequence, a list."""

    def __init__(self) -> None:
        self.scale = Parameter(torch.ones(1))
        self.body = Sequential(Conv2d(2, 3, 3, padding=1), BatchNorm2d(3), ReLU())
        self.heads = [Conv2d(3, 1, 1), Conv2d(3, 1, 1, bias=False)]
        self.count = Buffer(torch.tensor(0))

    def forward(self, x):
        y = self.body(x * self.scale)
        return self.heads[0](y) + self.heads[1](y)


class TorchNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.body = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU())
        self.heads = torch.nn.ModuleList([torch.nn.Conv2d(3, 1, 1), torch.nn.Conv2d(3, 1, 1, bias=False)])
        self.register_buffer("count", torch.tensor(0))


def test_names_are_those_of_torch() -> None:
    ours, twin = Net(), TorchNet()
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in twin.named_parameters()]
    assert {n for n, _ in ours.named_buffers()} == {n for n, _ in twin.named_buffers()}
    assert ours.state_dict().keys() == twin.state_dict().keys()
    theirs = [n for n, m in twin.named_modules() if not isinstance(m, torch.nn.ModuleList)]
    assert [n for n, _ in ours.named_modules()] == theirs
    assert ours.parameter_count() == len(torch.nn.utils.parameters_to_vector(twin.parameters()))


def test_a_shared_parameter_counts_once() -> None:
    net = Net()
    net.heads[1].weight = net.heads[0].weight
    names = [n for n, _ in net.named_parameters()]
    assert "heads.0.weight" in names
    assert "heads.1.weight" not in names
    assert len(net.parameters()) == len(Net().parameters()) - 1
    assert {"heads.0.weight", "heads.1.weight"} <= net.state_dict().keys()  # as torch saves it


def test_a_shared_module_counts_once() -> None:
    layer = Linear(2, 2)
    net = Sequential(layer, layer)
    assert net.parameter_count() == 6
    sum(net(torch.ones(1, 2))).backward()
    assert layer.weight.grad is not None


def test_train_and_eval_reach_everything_below() -> None:
    net = Net()
    assert all(m.training for _, m in net.named_modules())
    assert net.eval() is net
    assert not any(m.training for _, m in net.named_modules())
    assert net.train() is net
    assert all(m.training for _, m in net.named_modules())


def test_zero_grad_and_freeze() -> None:
    net = Net()
    x = torch.ones(1, 2, 4, 4)
    net.body.freeze()
    sum(net(x)).backward()
    graded = {n for n, p in net.named_parameters() if p.grad is not None}
    assert graded == {"scale", "heads.0.weight", "heads.0.bias", "heads.1.weight"}
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.body.freeze(False)
    sum(net(x)).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_nothing_flows_to_a_constant_input() -> None:
    net = Net().freeze()
    y = net(torch.ones(1, 2, 4, 4))
    assert not y.tracked
    x = Tensor(torch.ones(1, 2, 4, 4))
    sum(net(x)).backward()
    assert x.grad is not None
    assert all(p.grad is None for p in net.parameters())


def test_to_moves_parameters_gradients_and_floating_point_buffers() -> None:
    net = Net()
    sum(net(torch.ones(1, 2, 4, 4))).backward()
    held = net.parameters()
    assert net.to(dtype=torch.float64) is net
    assert net.parameters() == held  # the optimizer still holds the same ones
    assert all(p.dtype == torch.float64 for p in held)
    assert all(p.grad is not None and p.grad.dtype == torch.float64 for p in held)
    dtypes = {n: b.data.dtype for n, b in net.named_buffers()}
    assert dtypes["count"] == dtypes["body.1.num_batches_tracked"] == torch.int64
    assert dtypes["body.1.running_var"] == torch.float64
    assert net.to("cpu")(torch.ones(1, 2, 4, 4, dtype=torch.float64)).dtype == torch.float64


def test_gradients_flow_in_whatever_a_module_was_moved_to() -> None:
    """Its parameters were on the tape as arrays of another kind before."""
    net = Net()
    for dtype in (torch.float64, torch.float32):
        net.to(dtype=dtype).zero_grad()
        sum(net(torch.ones(1, 2, 4, 4, dtype=dtype))).backward()
        assert all(p.grad is not None and p.grad.dtype == dtype for p in net.parameters())


@pytest.mark.cuda
def test_to_cuda_and_back() -> None:
    net = Net().to("cuda")
    assert {a.device.type for a in net.state_dict().values()} == {"cuda"}
    assert net(torch.ones(1, 2, 4, 4, device="cuda")).device.type == "cuda"
    assert {a.device.type for a in net.to("cpu").state_dict().values()} == {"cpu"}


def test_forward_is_needed() -> None:
    with pytest.raises(NotImplementedError, match="Module has no forward method"):
        Module()(1)


def test_repr_is_the_tree() -> None:
    assert repr(Sequential(Linear(2, 3, bias=False), ReLU(), Sequential(Dropout(0.2)))) == "\n".join(
        (
            "Sequential()",
            "  (0): Linear(2, 3, bias=False)",
            "  (1): ReLU()",
            "  (2): Sequential()",
            "    (0): Dropout(p=0.2)",
        )
    )
    assert repr(Conv2d(4, 6, (3, 1), groups=2)) == (
        "Conv2d(4, 6, kernel_size=(3, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=2, bias=True)"
    )


def test_state_dict_shares_memory_with_the_module() -> None:
    block = ResidualBlock(2)
    block.state_dict()["bn1.weight"].fill_(3)
    assert torch.equal(block.bn1.weight.data, torch.full((2,), 3.0))  # type: ignore[union-attr]


def test_lists_of_lists_and_dicts_of_lists_are_found() -> None:
    """Under the names that torch's ModuleList and ModuleDict give them."""

    class Nested(Module):
        def __init__(self) -> None:
            self.rows = [[Linear(1, 2), ReLU()], (Linear(2, 3),)]
            self.heads = {"a": [Linear(1, 1)], "b": {"c": Parameter(torch.ones(1))}}
            self.sizes = [[1, 2], {"n": 3}]

    class Twin(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            lists, linear = torch.nn.ModuleList, torch.nn.Linear
            self.rows = lists([lists([linear(1, 2), torch.nn.ReLU()]), lists([linear(2, 3)])])
            self.heads = torch.nn.ModuleDict(
                {"a": lists([linear(1, 1)]), "b": torch.nn.ParameterDict({"c": torch.ones(1)})}
            )

    ours, twin = Nested(), Twin()
    assert ours.state_dict().keys() == twin.state_dict().keys()
    twin.load_state_dict(ours.state_dict())
    ours.eval()
    assert not ours.rows[0][1].training


@pytest.mark.parametrize("container", [set, frozenset, deque])
def test_modules_without_an_order_or_a_name_are_refused(container: type) -> None:
    class Hidden(Module):
        def __init__(self) -> None:
            self.parts = container([Linear(1, 1)])
            self.sizes = container([1, 2])

    with pytest.raises(TypeError, match=rf"Hidden.parts is a {container.__name__}, .*; use a list or a dict"):
        Hidden().parameters()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((Linear(1, 1) for _ in range(2)), "Module.parts is a generator, .* make a list"),
        (map(Linear, [1], [1]), "Module.parts is a map, .* make a list"),
        (np.array([Linear(1, 1)], dtype=object), "Module.parts is a NumPy array, .* use a list"),
        (torch.nn.Parameter(torch.ones(1)), "Module.parts is a torch.nn.Parameter, which is not trained here"),
        (torch.nn.Linear(1, 1), "Module.parts is a torch.nn.Linear, .* use a layer of photomend.layers"),
        (type("Parts", (set,), {})([Linear(1, 1)]), "Module.parts is a Parts, whose members have no names"),
        (type("Theirs", (torch.nn.Linear,), {})(1, 1), "Module.parts is a Theirs, which is not trained here"),
    ],
)
def test_what_would_not_be_trained_is_refused(value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        setattr(Module(), "parts", value)  # noqa: B010


def test_it_is_refused_in_a_list_where_it_is_looked_for() -> None:
    net = Module()
    setattr(net, "parts", [torch.nn.Linear(1, 1)])  # noqa: B010
    with pytest.raises(TypeError, match=r"Module\.parts\.0 is a torch\.nn\.Linear"):
        net.parameters()


def test_keys_that_are_one_name() -> None:
    net = Module()
    setattr(net, "parts", {0: Linear(1, 1), "0": Linear(1, 1)})  # noqa: B010
    with pytest.raises(ValueError, match=r"Module\.parts has the keys 0 and '0', which are one name"):
        net.parameters()


@pytest.mark.parametrize("ask", [Module.parameters, Module.state_dict, Module.eval, lambda m: list(m.named_modules())])
def test_a_module_that_contains_itself(ask) -> None:
    class Loop(Module):
        def __init__(self) -> None:
            self.child = Net()
            self.child.up = self  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match=r"the Loop called 'child\.up' contains itself"):
        ask(Loop())
    assert "..." in repr(Loop())


def test_a_list_that_contains_itself() -> None:
    net = Module()
    knot: list[object] = []
    knot.append(knot)
    net.knot = knot  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"Module\.knot\.0 is a list that contains itself"):
        net.parameters()


@pytest.mark.parametrize("name", ["parameters", "train", "state_dict", "forward", "named_modules"])
@pytest.mark.parametrize("value", [3, [1], Linear(1, 1), Parameter(torch.ones(1)), Buffer(torch.ones(1))])
def test_an_attribute_that_would_hide_a_method(name: str, value: object) -> None:
    net = Net()
    with pytest.raises(AttributeError, match=f"Net.{name} is a method; call the attribute otherwise"):
        setattr(net, name, value)
    assert callable(getattr(net, name))


def test_a_function_may_take_a_methods_place() -> None:
    net = Linear(1, 1)
    setattr(net, "forward", lambda x: x)  # noqa: B010
    assert net(3) == 3


@pytest.mark.parametrize("data", [[1.0], 3, None])
def test_a_buffer_holds_an_array(data: object) -> None:
    with pytest.raises(TypeError, match=f"Buffer: data must be an array, not {type(data).__name__}"):
        Buffer(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (Conv2d(2, 3, 1), "conv2d"),
        (Linear(2, 3), "linear"),
        (BatchNorm2d(2), "BatchNorm2d"),
        (GroupNorm(1, 2), "group_norm"),
        (MaxPool2d(2), "max_pool2d"),
        (AvgPool2d(2), "avg_pool2d"),
        (GlobalAvgPool2d(), "dim"),
        (PixelShuffle(2), "pixel_shuffle"),
        (SqueezeExcitation(4, 2), "dim"),
        (SpatialAttention(3), "dim"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_a_single_number_is_no_image(layer: Module, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        layer(Tensor(torch.tensor(1.0)))


@pytest.mark.parametrize("layer", [ReLU(), Sigmoid(), Tanh(), SiLU(), LeakyReLU(), Dropout(0.5).eval(), Sequential()])
def test_what_works_element_by_element_takes_a_single_number(layer: Module) -> None:
    x = Tensor(torch.tensor(1.0))
    y = layer(x)
    assert y.shape == ()
    (y * y).backward()
    assert x.grad is not None
    assert x.grad.shape == ()


def test_habits_of_torchs_users() -> None:
    inner = Module()
    model = Module()
    model.a = model.b = inner  # type: ignore[attr-defined]
    assert model.modules() == [model, inner]
    assert model.children() == [inner, inner]
    with pytest.raises(AttributeError, match=r"no attribute 'double'; write model.to\(dtype=torch.float64\)"):
        model.double()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="'Module' object has no attribute 'weight'"):
        model.weight  # type: ignore[attr-defined]  # noqa: B018


def test_gradients_of_zero() -> None:
    model = Module()
    p = model.p = Parameter(torch.ones(2))  # type: ignore[attr-defined]
    p.grad = torch.ones(2)
    model.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    model.zero_grad()
    assert p.grad is None
