"""Every planted device mistake is noticed, and nothing is noticed without it."""

from __future__ import annotations

import pytest
import torch
from photomend.core import Tensor
from photomend.layers import Dropout
from photomend.tests.verification.breaks import broken
from photomend.tests.verification.mistake import Break
from photomend.tests.verification.oracles import results
from photomend.tests.verification.registry import CASES

from .device import CUDA, MixedDevicesError, pretended_cuda
from .expected import read_backs, unexpected
from .mistakes import MISTAKES
from .training import MOST, step, trainer

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real CUDA device is there")


def noticed(subject: str) -> str:
    """The first thing that is wrong on the device; empty where nothing is."""
    name = subject.removesuffix(", training")
    with pretended_cuda() as events:
        try:
            if subject.endswith(", training"):
                step(trainer(name, CUDA), name == "attention", events)
                if len(asked := read_backs(events)) > MOST:
                    return str(asked)
            if subject == "Dropout":  # in training it is random, and no case
                Dropout(0.5)(Tensor(torch.ones(4, 4, device=CUDA)))
            for case in CASES.values():
                if case.subject == subject:
                    module, inputs = case.ours(device=CUDA), case.inputs(device=CUDA)
                    events.clear()
                    results(module, inputs)
                    if wrong := unexpected(events):
                        return str(wrong[0])
        except (MixedDevicesError, TypeError) as error:
            return str(error)
    wrong = unexpected(events)
    return str(wrong[0]) if wrong else ""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_noticed(mistake: Break) -> None:
    with broken(mistake):
        assert noticed(mistake.subjects[0])


@pytest.mark.parametrize("subject", ["relu", "getitem", "Dropout", "linear, training", "attention, training"])
def test_without_it_nothing_is(subject: str) -> None:
    assert noticed(subject) == ""  # of the others the cases and the steps say so


def test_there_are_enough_of_them() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 12
