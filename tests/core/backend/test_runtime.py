"""Devices, seeds, determinism and threads."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from photomend.core import PhotomendError, runtime


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runtime.choose_device() == torch.device("cpu")


def test_named_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert runtime.choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(PhotomendError, match="'cuda:2': this machine has 2 CUDA devices"):
        runtime.choose_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(PhotomendError, match="'cuda': this machine has 0 CUDA devices"):
        runtime.choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "CPU", "meta"])
def test_unknown_device(name: str) -> None:
    with pytest.raises(PhotomendError, match="choose auto, cpu, cuda or cuda:N"):
        runtime.choose_device(name)


def draws() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_seed_reaches_all_generators(seed: int) -> None:
    runtime.seed_everything(seed)
    first = draws()
    assert all(a != b for a, b in zip(first, draws(), strict=True))
    runtime.seed_everything(seed)
    assert draws() == first
    runtime.seed_everything(seed + 1)
    assert all(a != b for a, b in zip(first, draws(), strict=True))


def test_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    runtime.deterministic()
    assert environment == {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    assert torch.are_deterministic_algorithms_enabled()
    runtime.deterministic(False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_threads() -> None:
    runtime.set_threads(1)
    assert torch.get_num_threads() == 1
    runtime.set_threads(None)
    assert torch.get_num_threads() == 1
    with pytest.raises(PhotomendError, match=r"threads \(=0\) must be at least 1"):
        runtime.set_threads(0)


def test_without_a_number_there_are_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "cores", lambda: 1)
    torch.set_num_threads(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the user's own choice
    runtime.set_threads(None)
    assert torch.get_num_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    runtime.set_threads(None)
    assert torch.get_num_threads() == 1


def test_keep_freed_memory_says_whether_it_took_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_mallopt(name: None) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", without_mallopt)
    assert runtime.keep_freed_memory() is False


@pytest.mark.slow  # a process of its own
def test_training_loads_neither_torchs_compiler_nor_what_only_metrics_need() -> None:
    """They take seconds and a hundred MiB."""
    program = (
        "import sys; from photomend.core import runtime; import photomend.train.loop; runtime.deterministic();"
        "print([name for name in ('torch._inductor', 'skimage.restoration', 'skimage.metrics') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
