"""The registry: every primitive, every public layer and every network, in every setting that it is checked in.

A new primitive, layer or network is one more entry here; `tests/verification/test_registry.py` fails until it has one.
"""

from __future__ import annotations

from collections.abc import Iterable

from photomend.tests.verification.case import Case
from photomend.tests.verification.cases_compositions import COMPOSITION_CASES
from photomend.tests.verification.cases_convolution import CONVOLUTION_CASES
from photomend.tests.verification.cases_core import CORE_CASES
from photomend.tests.verification.cases_gan import GAN_CASES
from photomend.tests.verification.cases_layers import LAYER_CASES
from photomend.tests.verification.cases_loss import LOSS_CASES
from photomend.tests.verification.cases_models import MODEL_CASES
from photomend.tests.verification.cases_sequences import SEQUENCE_CASES
from photomend.tests.verification.cases_train import TRAIN_CASES

_FAMILIES = (
    CORE_CASES,
    CONVOLUTION_CASES,
    LAYER_CASES,
    COMPOSITION_CASES,
    LOSS_CASES,
    SEQUENCE_CASES,
    MODEL_CASES,
    TRAIN_CASES,
    GAN_CASES,
)


def registry(cases: Iterable[Case]) -> dict[str, Case]:
    """The cases by name.

    Raises:
        ValueError: two have the same name.
    """
    found: dict[str, Case] = {}
    for case in cases:
        if case.name in found:
            raise ValueError(f"two cases are named {case.name!r}")
        found[case.name] = case
    return found


CASES: dict[str, Case] = registry(case for family in _FAMILIES for case in family)
