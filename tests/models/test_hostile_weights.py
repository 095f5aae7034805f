"""Weights files from strangers: whatever they claim, they are read right or refused with one line."""

from __future__ import annotations

import json
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photomend import models
from photomend.app.reconstructors import load_run
from photomend.core import Array, PhotomendError
from photomend.models import safetensors_file, weights
from photomend.models.safetensors_file import write_file
from photomend.models.weights import Checkpoint, build_network, load_checkpoint, save_checkpoint

TINY: dict[str, Any] = {"width": 8, "dilations": [1], "window": 64}


@pytest.fixture(scope="module")
def network() -> models.RepairNetwork:
    made: models.RepairNetwork = models.build("attention", **TINY)
    return made


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(**changes: Any) -> dict[str, Any]:
    """A header of one array of four floats, changed."""
    return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changes}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"weights": [1, 2, 3]}), "a pickle, which could run code"),
        (b"PK\3\4" + bytes(100), "a zip file, as torch.save writes it"),
        (struct.pack("<Q", 2**62) + b"{}", "it ends within its header"),
        (struct.pack("<Q", 100) + b"{}", "it ends within its header"),
        (raw(b" " * (2**23 + 8)), "a header of 8,388,616 bytes"),
        (raw({f"a{i}": one(shape=[0], data_offsets=[0, 0])["a"] for i in range(10_001)}), "holds 10,001 arrays"),
        (raw(b"[" * 100_000), "or a damaged one"),
        (raw(b'{"a":' * 100_000), "or a damaged one"),
        (raw(b"1" * 5000), "or a damaged one"),
        (raw([]), "its header is no table"),
        (raw({"__metadata__": []}), "or a damaged one"),
        (raw({"__metadata__": {"photomend": "{"}}), "or a damaged one"),
        (raw({"__metadata__": {"photomend": "[" * 100_000}}), "or a damaged one"),
        (raw({"__metadata__": {"photomend": json.dumps({"sha256": "0" * 64})}}), "its SHA-256 isn't the one"),
        (raw({"__metadata__": {"photomend": json.dumps({"sha256": 7})}}), "its SHA-256 isn't the one"),
        (raw(one(shape=[2**40, 2**40]), bytes(16)), "or a damaged one"),
        (raw(one(shape=[-4]), bytes(16)), "or a damaged one"),
        (raw(one(data_offsets=[0, 2**63]), bytes(16)), "or a damaged one"),
        (raw(one(dtype="PICKLE"), bytes(16)), "or a damaged one"),
        (raw({**one(), "b": one()["a"]}, bytes(16)), "or a damaged one"),  # they overlap
        (raw(one(), bytes(12)), "or a damaged one"),
        (raw(one(), bytes(20)), "or a damaged one"),
        (raw(one(), bytes(16)), "not one that photomend wrote"),
    ],
)
def test_files_that_are_no_checkpoints(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights\n<script>.safetensors"
    path.write_bytes(content)
    with pytest.raises(PhotomendError) as error:
        load_checkpoint(path)
    assert message in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 300


@pytest.mark.parametrize("kind", ["pipe", "device", "huge", "directory", "dangling link"])
def test_what_is_no_regular_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "directory":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(safetensors_file.MOST_BYTES + 1)  # takes no room
    with pytest.raises(PhotomendError, match=r"not a checkpoint|have at most|no such checkpoint|no checkpoint in"):
        load_checkpoint(path)


def test_reading_takes_no_more_memory_than_the_file(network: models.RepairNetwork, tmp_path: Path) -> None:
    """Under a limit of memory, what is asked for counts, used or not."""
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))
    tracemalloc.start()
    load_checkpoint(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * path.stat().st_size + 2**20


def test_a_flipped_bit_anywhere_is_noticed(network: models.RepairNetwork, tmp_path: Path) -> None:
    """In the size, the header, its padding, the description, the digest or the numbers: whatever it makes of them."""
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, Checkpoint("attention", network.state_dict(), network.config))
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(0)
    for place in [*range(8), *rng.integers(8, header, 60).tolist(), *rng.integers(header, len(whole), 20).tolist()]:
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        with pytest.raises(PhotomendError) as error:
            load_checkpoint(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)
    for length in rng.integers(0, len(whole), 20).tolist():
        path.write_bytes(whole[:length])
        with pytest.raises(PhotomendError, match=r"weights\.safetensors"):
            load_checkpoint(path)


def test_what_an_earlier_version_wrote_is_read_and_said_to_be_unchecked(
    network: models.RepairNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "old.safetensors"
    about = {"version": 1, "kind": "weights", "model": "attention", "config": network.config, "step": 3, "metrics": {}}
    save_file(network.state_dict(), path, metadata={"photomend": json.dumps(about)})
    with pytest.warns(UserWarning, match=r"old.safetensors: of an earlier photomend, without a digest"):
        assert load_checkpoint(path).step == 3
    save_file(network.state_dict(), path, metadata={"photomend": json.dumps({**about, "version": 2})})
    with pytest.raises(PhotomendError, match="it has lost its digest"):
        load_checkpoint(path)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "VERSION", 99)
        save_checkpoint(path, Checkpoint("attention", network.state_dict()))
    with pytest.raises(PhotomendError, match="checkpoint format 99; this photomend reads 1 and 2"):
        load_checkpoint(path)


def first_of(state: dict[str, Array]) -> str:
    return next(iter(state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: torch.full_like(v, torch.nan) for k, v in s.items()}, "its weights are damaged"),
        (lambda s: {**s, first_of(s): s[first_of(s)] / 0}, "its weights are damaged"),
        (lambda s: {k: v.to(torch.complex64) for k, v in s.items()}, "its weights are damaged"),
        (lambda s: {k: v.to(torch.int32) for k, v in s.items()}, "should be a floating-point array"),
        (lambda s: {k: v > 0 for k, v in s.items()}, "should be a floating-point array"),
        (lambda s: {("renamed" if k == first_of(s) else k): v for k, v in s.items()}, "lacks"),
        (lambda s: {**s, "more": torch.ones(1)}, "holds 'more', which the model 'attention' doesn't have"),
        (lambda s: {k: v[..., None] for k, v in s.items()}, "but by its settings it should be"),
    ],
)
def test_other_arrays_than_the_networks(
    change: Callable[[dict[str, Array]], dict[str, Array]],
    message: str,
    network: models.RepairNetwork,
    tmp_path: Path,
) -> None:
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, Checkpoint("attention", change(network.state_dict()), network.config))
    with pytest.raises(PhotomendError) as error:
        load_run(path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        {"width": 1_000_000},
        {"width": 10**9 * 8},
        {"width": 10**40 * 8},
        {"width": "wide"},
        {"width": -8},
        {"width": 1e9},
        {"dilations": [1] * 1_000_000},
        {"dilations": "1" * 1_000_000},
        {"dilations": [10**9]},
        {"dilations": {"a": 1}},
        {"window": 10**9 * 8},
        {"without": ["fill"] * 100_000},
        {"views": 10**9},
        {"__class__": 1},
    ],
)
def test_settings_that_would_take_the_machine(
    config: dict[str, Any], network: models.RepairNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    about = {"version": weights.VERSION, "kind": "weights", "model": "attention", "step": 0, "metrics": {}}
    write_file(path, network.state_dict(), {**about, "config": {**TINY, **config}})
    with pytest.raises(PhotomendError) as error:
        build_network(path, load_checkpoint(path))
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < len(str(path)) + 400
