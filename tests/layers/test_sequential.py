"""Sequential: what it is made of, what subclasses add to it, and what it refuses."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import photomend
import pytest
import torch
from photomend.core import Parameter, Tensor
from photomend.layers import Linear, ReLU, Sequential, relu


class WithHead(Sequential):
    def __init__(self) -> None:
        super().__init__(Linear(3, 3), ReLU())
        self.head = Linear(3, 2)
        self.scale = Parameter(torch.ones(1))

    def forward(self, x: Any) -> Tensor:
        return self.head(super().forward(x)) * self.scale


def test_a_subclass_keeps_its_other_layers(tmp_path: Path) -> None:
    model = WithHead()
    names = ["0.weight", "0.bias", "head.weight", "head.bias", "scale"]
    assert {name for name, _ in model.named_parameters()} == set(names) == model.state_dict().keys()
    assert [name for name, _ in model.named_children()] == ["0", "1", "head"]
    assert model.parameter_count() == 12 + 8 + 1
    assert "(head): Linear(3, 2" in repr(model)
    model.eval()
    assert not model.head.training
    photomend.save(model, tmp_path / "model.safetensors")
    twin = photomend.load(tmp_path / "model.safetensors", into=WithHead())
    assert torch.equal(twin.state_dict()["head.weight"], model.head.weight.data)


def test_a_slice_is_a_sequential() -> None:
    layers = Sequential(Linear(3, 4), ReLU(), Linear(4, 2))
    front = layers[:1]
    assert isinstance(front, Sequential)
    assert list(front) == [layers[0]]
    assert list(layers[::-1]) == [layers[2], layers[1], layers[0]]
    assert list(layers[5:]) == []


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Linear(3, 2)], "layers[0] is a list; unpack it: Sequential(*layers)"),
        ((layer for layer in [ReLU()]), "layers[0] is a generator; unpack it: Sequential(*layers)"),
        (OrderedDict(a=ReLU()), "layers[0] is a OrderedDict; unpack it: Sequential(*layers.values())"),
        (None, "layers[0] is None; Identity() is the layer that does nothing"),
        (ReLU, "layers[0] is the class ReLU; a layer is due: ReLU(…)"),
        (relu, "layers[0] is the function relu; a layer is due, as ReLU() is for relu"),
        (torch.tanh, "layers[0] is the function tanh; a layer is due"),
        (torch.nn.Linear(1, 1), "layers[0] is a torch.nn.Linear; use the layer of photomend.layers"),
        (torch.ones(1), "layers[0] must be a layer, not a torch.Tensor"),
        (3, "layers[0] must be a layer, not a int"),
    ],
)
def test_what_is_no_layer(layers: Any, message: str) -> None:
    with pytest.raises(TypeError) as error:
        Sequential(layers)
    assert str(error.value).startswith(f"Sequential: {message}")
