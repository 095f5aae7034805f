"""What a machine is good at: which description is in use, and what Linux says of the processor."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from photomend.core.backend import machine as description
from photomend.core.backend.machine import ONEDNN, ONEDNN_LARGE, TORCH, Machine, machine, use, using


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "_measured", None)


@pytest.mark.parametrize(
    ("processor", "capability", "known"),
    [
        (("AuthenticAMD", 26), "AVX512", ONEDNN),  # Zen 5
        (("AuthenticAMD", 27), "AVX512", ONEDNN),
        (("AuthenticAMD", 25), "AVX512", ONEDNN_LARGE),  # Zen 4
        (("AuthenticAMD", 25), "AVX2", TORCH),  # Zen 3
        (("AuthenticAMD", 26), "AVX2", TORCH),
        (("GenuineIntel", 6), "AVX512", TORCH),
        (("GenuineIntel", 6), "AVX2", TORCH),
        (("CentaurHauls", 7), "AVX512", ONEDNN),
        (("", 0), "DEFAULT", TORCH),  # ARM
        (("", 0), "AVX512", TORCH),  # not Linux
    ],
)
def test_the_processor_decides(
    processor: tuple[str, int], capability: str, known: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(description, "_processor", lambda: processor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert description._known.__wrapped__() is known


def test_the_fixed_one_is_in_use_until_another_is_given() -> None:
    measured = dataclasses.replace(TORCH, large=1)
    assert machine() is description._known()
    use(measured)
    assert machine() is measured
    use(None)
    assert machine() is description._known()


def test_using_ends_with_its_context() -> None:
    measured = dataclasses.replace(TORCH, large=1)
    use(measured)
    with using(ONEDNN):
        assert machine() is ONEDNN
        with using(ONEDNN_LARGE):
            assert machine() is ONEDNN_LARGE
        assert machine() is ONEDNN
    assert machine() is measured
    with pytest.raises(ZeroDivisionError), using(ONEDNN):
        _ = 1 / 0
    assert machine() is measured


def test_which_library_multiplies() -> None:
    decided = [(m.onednn, m.onednn_batches) for m in (TORCH, ONEDNN, ONEDNN_LARGE)]
    assert decided == [(False, False), (True, True), (True, False)]
    assert all(min(m.large, m.batch, m.memory, m.call) > 0 for m in (TORCH, ONEDNN, ONEDNN_LARGE))
    assert Machine(large=1, batch=1, memory=1, call=1) == Machine(1, 1, 1, 1, onednn=False, onednn_batches=False)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\n\ncpu family\t: 6\n", ("AuthenticAMD", 25)),
        ("processor\t: 0\nBogoMIPS\t: 48.00\nCPU implementer\t: 0x41\n", ("", 0)),  # ARM
        ("vendor_id\t: GenuineIntel\ncpu family\t: unknown\n", ("GenuineIntel", 0)),
        ("", ("", 0)),
        (None, ("", 0)),
    ],
)
def test_what_linux_says_of_the_processor(
    told: str | None, read: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_text(*_: object, **__: object) -> str:
        if told is None:
            raise FileNotFoundError
        return told

    monkeypatch.setattr("pathlib.Path.read_text", read_text)
    assert description._processor.__wrapped__() == read


def test_the_first_cores_facts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "processor : 0\nmodel name\t: A: b\ncpu MHz : 1\n\nprocessor : 1\nmodel name\t: C\ncpu MHz : 2\nflags : x y\n"
    )
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: told)
    facts = description.processor_facts()
    assert {name: facts[name] for name in ("processor", "model name", "cpu MHz", "flags")} == {
        "processor": "0",
        "model name": "A: b",
        "cpu MHz": "1",
        "flags": "x y",
    }
