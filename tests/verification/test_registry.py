"""The registry is complete: no primitive, no public layer and no network without a case."""

from __future__ import annotations

import importlib
import pkgutil

import photomend
import pytest
import torch
from photomend import layers, models
from photomend.core import Module, all_primitives
from photomend.tests.verification.case import Case
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


def test_every_primitive_has_a_case() -> None:
    assert [name for name in our_primitives() if name not in OTHERS] == []


def test_every_layer_has_a_case() -> None:
    assert [name for name in our_layers() if name not in OTHERS] == []


def test_every_network_has_a_case() -> None:
    assert [name for name in models.TRAINED if name not in MODELS] == []


def test_every_case_has_a_subject() -> None:
    """A renamed or removed layer takes its cases along."""
    assert sorted(OTHERS - {*our_primitives(), *our_layers()}) == []
    assert sorted(MODELS - {*models.TRAINED}) == []


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
