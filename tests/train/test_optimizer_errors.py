"""What an optimizer refuses: one sentence that names the argument and its value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from photomend.core import Parameter, Tensor
from photomend.layers import Linear
from photomend.train.optimizers import SGD, Adagrad, Adam, AdamW, Muon, RMSprop

from .test_optimizers import SHAPES, Made, parameters, train

ONE = Parameter(torch.ones(2))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ValueError, "parameters: an optimizer needs at least one"),
        ([{"params": []}], ValueError, "an optimizer needs at least one"),
        (ONE, TypeError, r"parameters: a list of Parameters is due, not one Parameter; write \[parameter\]"),
        (torch.ones(2), TypeError, "not one torch.Tensor"),
        (Linear(1, 1), TypeError, r"not the Linear itself; pass its .parameters\(\)"),
        ({"params": [ONE]}, TypeError, "parameters: a list of Parameters is due, not a dict"),
        ({ONE}, TypeError, "not a set"),
        ("weight", TypeError, "not a str"),
        (None, TypeError, "not a NoneType"),
        (["weight"], TypeError, r"parameters\[0\] must be a Parameter or a pair \(name, Parameter\), not a str"),
        ([ONE, torch.ones(2)], TypeError, r"parameters\[1\] must be .*, not a torch.Tensor"),
        (
            [torch.nn.Parameter(torch.ones(2))],
            TypeError,
            r"parameters\[0\] must be a Parameter of photomend .*, not a torch\.nn\.Parameter",
        ),
        ([("a", torch.ones(2))], TypeError, "not a tuple"),
        ([(ONE, ONE)], TypeError, "not a tuple"),
        ([[ONE]], TypeError, "not a list"),
        ([2 * ONE], ValueError, r"parameters\[0\] was made by 'multiply'; only a leaf can be optimized"),
        ([ONE, ONE], ValueError, r"parameters\[1\] is the same Parameter as parameters\[0\]"),
        ([("a", ONE), Parameter(torch.ones(1))], ValueError, r"parameters\[1\]: either all parameters have a name"),
        ([{"params": [ONE]}, {"params": [ONE]}], ValueError, r"group 1: params\[0\] is in group 0 already"),
        ([{"params": [ONE, ONE]}], ValueError, r"group 0: params\[1\] is the same Parameter as group 0: params\[0\]"),
        ([{"params": ONE}], TypeError, r"group 0: params: a list of Parameters is due, not one Parameter"),
        ([{"lr": 0.1}], TypeError, r"group 0 \(=\{'lr': 0.1\}\) must be a dict that has 'params'"),
        ([{"params": [ONE]}, Parameter(torch.ones(1))], TypeError, r"group 1 \(=Parameter.* must be a dict"),
        ([{"params": [ONE], "learning_rate": 1}], ValueError, "group 0: unknown option 'learning_rate'; "),
        ([{"params": [ONE], "momentun": 0.9}], ValueError, "'momentun'; did you mean 'momentum'?"),
        ([{"params": [ONE], "lr": -1}], ValueError, r"group 0: lr \(=-1\)"),
        ([{"params": [ONE], "nesterov": True}], ValueError, "group 0: nesterov"),
    ],
)
def test_parameters(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SGD(given, lr=0.1)


@pytest.mark.parametrize(
    ("made", "options", "error", "message"),
    [
        (SGD, {"lr": -1}, ValueError, r"lr \(=-1\) must be a finite number of at least 0"),
        (SGD, {"lr": float("nan")}, ValueError, r"lr \(=nan\)"),
        (SGD, {"lr": float("inf")}, ValueError, r"lr \(=inf\)"),
        (SGD, {"lr": "0.1"}, TypeError, r"lr \(='0.1'\) must be a number, not str"),
        (SGD, {"lr": None}, TypeError, r"lr \(=None\)"),
        (SGD, {"lr": True}, TypeError, r"lr \(=True\)"),
        (SGD, {"lr": torch.tensor(0.1)}, TypeError, "lr"),
        (SGD, {"momentum": -0.1}, ValueError, r"momentum \(=-0.1\)"),
        (SGD, {"dampening": float("-inf")}, ValueError, r"dampening \(=-inf\)"),
        (SGD, {"momentum": 0.9, "nesterov": 1}, TypeError, r"nesterov \(=1\) must be True or False"),
        (Adam, {"betas": (0.9, 1.0)}, ValueError, r"betas \(=\(0.9, 1.0\)\) must lie in \[0, 1\)"),
        (Adam, {"betas": (float("nan"), 0.9)}, ValueError, "betas"),
        (Adam, {"betas": 0.9}, TypeError, r"betas \(=0.9\) must be two numbers in \[0, 1\)"),
        (Adam, {"betas": (0.9,)}, TypeError, r"betas \(=\(0.9,\)\) must be two numbers"),
        (Adam, {"betas": "09"}, TypeError, r"betas \(='09'\)"),
        (Adam, {"betas": ("0.9", 0.9)}, TypeError, r"betas \(=\('0.9', 0.9\)\) must be two numbers"),
        (Adam, {"eps": -1e-8}, ValueError, r"eps \(=-1e-08\)"),
        (Adam, {"amsgrad": "yes"}, TypeError, r"amsgrad \(='yes'\)"),
        (AdamW, {"weight_decay": -1}, ValueError, r"weight_decay \(=-1\)"),
        (RMSprop, {"alpha": 1}, ValueError, r"alpha \(=1\) must lie in \[0, 1\)"),
        (Adagrad, {"lr_decay": -1}, ValueError, r"lr_decay \(=-1\)"),
        (Muon, {"momentum": 1}, ValueError, r"momentum \(=1\) must lie in \[0, 1\)"),
        (Muon, {"momentum": -0.1}, ValueError, r"momentum \(=-0.1\)"),
        (Muon, {"dtype": torch.int8}, TypeError, r"dtype \(=torch.int8\)"),
    ],
)
def test_options(made: Made, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        made([ONE], **options)


def test_a_groups_rate_is_a_share_of_something() -> None:
    with pytest.raises(ValueError, match=r"group 0: lr \(=0.1\) can't be a share of the optimizer's lr \(=0.0\)"):
        SGD([{"params": [ONE], "lr": 0.1}], lr=0)


def test_numbers_of_numpy_are_numbers() -> None:
    options: dict[str, Any] = {"lr": np.float32(0.5), "betas": [np.float64(0.5), 0]}
    optimizer = Adam([ONE], **options)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.0)
    assert type(optimizer.lr) is float


def test_a_schedule_that_goes_wrong() -> None:
    optimizer = SGD([ONE], lr=0.1)
    with pytest.raises(ValueError, match=r"lr \(=nan\)"):
        optimizer.lr = float("nan")
    assert optimizer.lr == 0.1


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (torch.ones(3), ValueError, r"the gradient of weight has shape \(3,\), the parameter \(2,\)"),
        (torch.ones(()), ValueError, r"shape \(\)"),
        (torch.ones(2, dtype=torch.float64), TypeError, "is torch.float64 on cpu, the parameter torch.float32 on cpu"),
        (torch.ones(2, device="meta"), TypeError, "on meta"),
        (torch.ones(2).to_sparse(), TypeError, r"the gradient of weight is sparse \(torch.sparse_coo\)"),
        (Tensor(torch.ones(2)), TypeError, "the gradient of weight must be an array, not a Tensor"),
        ([1.0, 1.0], TypeError, "not a list"),
    ],
)
def test_gradients(gradient: Any, error: type[Exception], message: str) -> None:
    """And then nothing moves, not even the parameters before."""
    good, bad = Parameter(torch.ones(2)), Parameter(torch.ones(2))
    optimizer = AdamW([("good", good), ("weight", bad)], lr=0.1)
    good.grad, bad.grad = torch.ones(2), gradient
    with pytest.raises(error, match=message):
        optimizer.step()
    assert optimizer.steps == [0, 0]
    assert good.data.tolist() == bad.data.tolist() == [1, 1]


def test_unnamed_parameters_are_called_by_their_number() -> None:
    first, second = Parameter(torch.ones(2)), Parameter(torch.ones(2))
    second.grad = torch.ones(1)
    with pytest.raises(ValueError, match=r"the gradient of parameters\[1\]"):
        SGD([{"params": [first]}, {"params": [second]}]).step()


def test_a_network_that_moved() -> None:
    layer = Linear(2, 1)
    optimizer = SGD(layer.named_parameters(), lr=0.1, momentum=0.9)
    for parameter in layer.to(dtype=torch.float64).parameters():
        parameter.grad = torch.ones_like(parameter.data)
    with pytest.raises(TypeError, match=r"weight was torch\.float32 on cpu, and is torch\.float64 on cpu; make"):
        optimizer.step()


def test_an_option_switched_on_later() -> None:
    parameter = Parameter(torch.ones(2))
    optimizer = SGD([parameter], lr=0.1)
    optimizer.param_groups[0]["momentum"] = 0.9
    with pytest.raises(ValueError, match="an option needs 'velocity', which this optimizer did not keep"):
        optimizer.step()


def test_foreign_states() -> None:
    adam = Adam(parameters())
    with pytest.raises(ValueError, match=r"'mean\.0' is unknown"):
        SGD(parameters(), lr=0.1).load_state_dict(adam.state_dict())
    with pytest.raises(ValueError, match="is missing"):
        adam.load_state_dict(SGD(parameters(), lr=0.1).state_dict())
    other = Adam([Parameter(torch.zeros(2, 2)) for _ in SHAPES])
    with pytest.raises(ValueError, match=r"'mean.0' has shape \(2, 2\)"):
        adam.load_state_dict(other.state_dict())


def test_a_foreign_state_changes_nothing() -> None:
    first, second, third = parameters()
    optimizer = Adam([{"params": [first]}, {"params": [second, third]}], lr=0.5)
    one = Adam(parameters(), lr=0.25)
    train(one, range(6))
    with pytest.raises(ValueError, match=r"its groups have \[3\] parameters, and not \[1, 2\]"):
        optimizer.load_state_dict(one.state_dict())
    wrong = one.state_dict()
    wrong["param_groups"][0]["betas"] = [0.9, 2]
    with pytest.raises(ValueError, match="betas"):
        Adam(parameters(), lr=0.5).load_state_dict(wrong)
    assert optimizer.lr == 0.5
    assert optimizer.steps == [0, 0, 0]
