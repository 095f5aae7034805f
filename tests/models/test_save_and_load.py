"""`photomend.save` and `photomend.load`: what was saved comes back, and what doesn't fit changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import photomend
import pytest
import torch
from photomend.core import Module, PhotomendError
from photomend.layers import BatchNorm1d, Linear, Sequential
from safetensors.torch import load_file, save_file


def model(features: int = 3) -> Sequential:
    return Sequential(Linear(2, features), BatchNorm1d(features))


def same(a: Module, b: Module) -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_there_and_back(tmp_path: Path) -> None:
    saved, other = model(), model()
    saved(torch.randn(5, 2))  # running statistics
    photomend.save(saved, tmp_path / "model.safetensors")
    assert photomend.load(str(tmp_path / "model.safetensors"), into=other) is other
    assert same(saved, other)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    photomend.save(model(), tmp_path / "model.safetensors")  # replaces it
    assert not same(saved, photomend.load(tmp_path / "model.safetensors", into=other))


def test_torchs_twin_writes_and_reads_the_same_file(tmp_path: Path) -> None:
    twin = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    save_file(twin.state_dict(), tmp_path / "twin.safetensors")
    ours = photomend.load(tmp_path / "twin.safetensors", into=model())
    assert torch.equal(ours.state_dict()["0.weight"], twin.state_dict()["0.weight"])
    photomend.save(model(), tmp_path / "ours.safetensors")
    twin.load_state_dict(load_file(tmp_path / "ours.safetensors"))


def torn(path: Path) -> None:
    photomend.save(model(), path)
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no such checkpoint"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_text("not weights"), "damaged"),
        (torn, "damaged"),
        (lambda path: path.mkdir(), "no checkpoint in this folder"),
        (lambda path: photomend.save(model(4), path), r"0.weight is (4, 2) but should be (3, 2)"),
        (lambda path: photomend.save(Linear(2, 3), path), "missing 0.weight, 0.bias, 1.weight and 4 more"),
        (lambda path: photomend.save(Sequential(*model()._layers, Linear(3, 1)), path), "unexpected 2.bias, 2.weight"),
        (lambda path: photomend.save(model().to(dtype=torch.float64), path), "0.weight is torch.float64 but should be"),
    ],
)
def test_what_does_not_fit_changes_nothing(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path, module = tmp_path / "model.safetensors", model()
    write(path)
    before = {name: array.clone() for name, array in module.state_dict().items()}
    with pytest.raises(PhotomendError) as error:
        photomend.load(path, into=module)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert all(torch.equal(before[name], array) for name, array in module.state_dict().items())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(PhotomendError, match="cannot be written"):
        photomend.save(model(), tmp_path / "nowhere" / "model.safetensors")
