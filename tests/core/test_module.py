"""Module: what it finds in itself, what it carries, and what it says."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Buffer, Module, Parameter, Tensor, sum
from photomend.layers import BatchNorm2d, Conv2d, Dropout, Linear, ReLU, ResidualBlock, Sequential


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
