"""The registry is complete: no primitive, no public layer and no network without a case."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import photomend
import pytest
import torch
from photomend import layers, models
from photomend.core import Module, all_primitives
from photomend.models import RepairNetwork
from photomend.tests.verification import oracles
from photomend.tests.verification.case import Case
from photomend.tests.verification.oracles import TOLERANCE
from photomend.tests.verification.registry import CASES, registry
from photomend.tests.verification.rows import subjects

#: By kind as well as by name, since `linear` is a primitive and a model.
SUBJECTS = subjects()
MODELS = {subject.name for subject in SUBJECTS if subject.kind == "model"}
OTHERS = {subject.name for subject in SUBJECTS if subject.kind != "model"}


def our_primitives() -> list[str]:
    """The names of all primitives that the package defines, wherever they stand; not those of tests."""
    for package in ("core", "layers", "models", "train"):
        root = importlib.import_module(f"photomend.{package}")
        for module in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            importlib.import_module(module.name)
    outside = ("photomend.tests.", "photomend.benchmarks.")
    return sorted(
        name
        for name, primitive in all_primitives().items()
        if primitive.rule.__module__.startswith(f"{photomend.__name__}.")
        and not primitive.rule.__module__.startswith(outside)
    )


def our_layers() -> list[str]:
    named = {name: getattr(layers, name) for name in layers.__all__}
    return sorted(name for name, kind in named.items() if isinstance(kind, type) and issubclass(kind, Module))


def our_networks() -> list[str]:
    """The names of all networks that are defined in `models`, wherever they are used: those of `models.TRAINED`, and
    the others by their class."""
    found = []
    for module in pkgutil.iter_modules(models.__path__, models.__name__ + "."):
        kinds = vars(importlib.import_module(module.name)).values()
        made_here = [k for k in kinds if isinstance(k, type) and k.__module__ == module.name and issubclass(k, Module)]
        found += [getattr(kind, "name", kind.__name__) for kind in made_here if kind is not RepairNetwork]
    return sorted(found)


def layer_options() -> list[tuple[str, str]]:
    """Every layer with every option that its constructor has a default for."""
    return [
        (layer, option)
        for layer in our_layers()
        for option, parameter in inspect.signature(getattr(layers, layer)).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    ]


def test_every_primitive_has_a_case() -> None:
    assert [name for name in our_primitives() if name not in OTHERS] == []


def test_every_layer_has_a_case() -> None:
    assert [name for name in our_layers() if name not in OTHERS] == []


def test_every_network_has_a_case() -> None:
    assert {*models.TRAINED, "PatchDiscriminator"} <= {*our_networks()}
    assert [name for name in our_networks() if name not in MODELS] == []


#: What no case of the registry can have. In evaluation dropout does nothing, and in training it is random:
#: test_dropout.py has Dropout's p, test_sequences.py that of an attention. The gradient that padding_idx sets to 0
#: isn't the derivative: cases_kinks.py has it. What slopes start from is drawn over: test_layer_behaviour.py has it.
ELSEWHERE = [("Dropout", "p"), ("MultiheadAttention", "dropout"), ("Embedding", "padding_idx"), ("PReLU", "init")]


@pytest.mark.parametrize(("layer", "option"), [o for o in layer_options() if o not in ELSEWHERE])
def test_a_layer_that_ignores_an_option_is_noticed(layer: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some case sets it to something else than its default, where that makes a difference."""
    kind = getattr(layers, layer)
    make, signature = kind.__init__, inspect.signature(kind.__init__)

    def ignoring(*arguments: Any, **options: Any) -> None:
        bound = signature.bind(*arguments, **options)
        bound.arguments.pop(option, None)
        make(*bound.args, **bound.kwargs)

    monkeypatch.setattr(kind, "__init__", ignoring)
    assert any(objects(case) for case in CASES.values() if case.subject == layer)


def objects(case: Case) -> bool:
    """Whether the comparison with torch fails, by its numbers or because shapes don't fit any more."""
    try:
        return oracles.torch_error(case) > TOLERANCE["torch"]
    except (RuntimeError, ValueError):
        return True


def test_every_case_has_a_subject() -> None:
    """A renamed or removed layer takes its cases along."""
    assert sorted(OTHERS - {*our_primitives(), *our_layers()}) == []
    assert sorted(MODELS - {*our_networks()}) == []


def test_names_are_unique() -> None:
    first = next(iter(CASES.values()))
    with pytest.raises(ValueError, match=first.name):
        registry([*CASES.values(), first])


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_weights_travel_both_ways(case: Case) -> None:
    """The state dict has the twin's keys and shapes; ours loads into the twin and the twin's into ours."""
    module = case.ours()
    twin = case.twin(module)
    theirs = twin.state_dict()
    assert {k: v.shape for k, v in module.state_dict().items()} == {k: v.shape for k, v in theirs.items()}
    for array in theirs.values():
        array.copy_(~array if array.dtype == torch.bool else array * 2)
    module.load_state_dict(theirs)
    assert all((module.state_dict()[key] == array).all() for key, array in theirs.items())
