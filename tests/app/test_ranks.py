"""The same command as several ranks: what they make together is what one process makes, to the byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from .helpers import Outcome, Shell, picture, tree

pytestmark = pytest.mark.slow  # whole commands

REPAIR = ("--box", "10,20,30,25", "--model", "border")
EVALUATE = ("--split", "all", "--models", "border,harmonic", "--batch-size", "2", "--threads", "1")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(7):
        picture(tmp_path / f"photos/{number}.png", seed=number)
    return tmp_path / "photos"


@pytest.fixture
def as_rank(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process as one of two ranks, in the way of one of the launchers."""

    def run(rank: int, *arguments: str | Path, launcher: str = "RANK WORLD_SIZE") -> Outcome:
        first, second = launcher.split()
        with monkeypatch.context() as patch:
            patch.setenv(first, str(rank))
            patch.setenv(second, "2")
            return shell(*arguments)

    return run


LAUNCHERS = ["RANK WORLD_SIZE", "SLURM_PROCID SLURM_STEP_NUM_TASKS", "JOB_COMPLETION_INDEX WORLD_SIZE"]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_repair(shell: Shell, as_rank: Callable[..., Outcome], photos: Path, tmp_path: Path, launcher: str) -> None:
    (photos / "2.png").write_bytes(b"no photo")
    one = shell("repair", photos, *REPAIR, "-o", tmp_path / "one")
    assert one.out.splitlines()[-1] == "6 of 7 photos repaired, 1 not"
    arguments = ("repair", photos, *REPAIR, "-o", tmp_path / "two")
    found = [as_rank(rank, *arguments, launcher=launcher) for rank in (1, 0)]
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    assert [outcome.status for outcome in found] == [0, 1]  # the one that has the bad photo
    assert found[0].out.splitlines()[-1] == "rank 1 of 2: 4 of 4 photos repaired"
    assert found[1].out.splitlines()[-1] == "rank 0 of 2: 2 of 3 photos repaired, 1 not"
    assert found[0].err == ""
    assert found[1].err == one.err
    (tmp_path / "two/1.png").unlink()
    again = [as_rank(rank, *arguments, "--skip-existing", "--json") for rank in (0, 1)]
    records = [json.loads(line) for outcome in again for line in outcome.out.splitlines()]
    assert [Path(record["photo"]).name for record in records if record["status"] == "repaired"] == ["1.png"]
    assert sorted(Path(record["photo"]).name for record in records) == sorted(os.listdir(photos))
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_repair_says_once_what_concerns_all(as_rank: Callable[..., Outcome], photos: Path, tmp_path: Path) -> None:
    for name in ("0", "nobody"):
        picture(tmp_path / f"masks/{name}.png")
    arguments = ("repair", photos / "0.png", "--mask", tmp_path / "masks", "--model", "border", "-o", tmp_path / "out")
    (tmp_path / "out").mkdir()
    err = [as_rank(rank, *arguments).err for rank in (0, 1)]
    assert sum("nobody" in text for text in err) == 1
    outcome = as_rank(0, "repair", photos, *REPAIR, "-o", photos, "--format", "tif")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "is the folder of the photos: several ranks need another, or one inside it" in outcome.err


def test_evaluate(
    shell: Shell, as_rank: Callable[..., Outcome], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (photos / "5.png").write_bytes(b"no photo")
    files = [[tmp_path / f"{name}.{kind}" for kind in ("json", "csv", "md")] for name in ("one", "two")]
    options = [("--json", j, "--csv", c, "--markdown", m) for j, c, m in files]
    one = shell("evaluate", "--photos", photos, *EVALUATE, *options[0])
    before = set(os.listdir(tmp_path))
    found = [as_rank(rank, "evaluate", "--photos", photos, *EVALUATE, *options[1]) for rank in (0, 1)]
    assert [outcome.status for outcome in found] == [0, 0]
    assert [outcome.out for outcome in found] == ["", one.out]
    assert "photomend: rank 0 of 2: its share is in .evaluation-" in found[0].err
    assert "".join(outcome.err for outcome in found).count("5.png") == 1
    for ours, theirs in zip(*files, strict=True):
        assert ours.read_bytes() == theirs.read_bytes()
    assert set(os.listdir(tmp_path)) - before == {"two.json", "two.csv", "two.md"}


def test_evaluate_goes_on_in_parts(as_rank: Callable[..., Outcome], shell: Shell, photos: Path, tmp_path: Path) -> None:
    options = ("evaluate", "--photos", photos, *EVALUATE, "--parts", tmp_path / "parts")
    one = shell("evaluate", "--photos", photos, *EVALUATE)
    assert as_rank(1, *options).out == ""
    assert shell(*options).out == one.out  # alone
    assert not (tmp_path / "parts").exists()
    as_rank(1, *options)
    outcome = as_rank(0, *options, "--seed", "1")
    assert (outcome.status, outcome.out) == (1, "")
    assert "parts: holds parts of another evaluation, which differs in settings" in outcome.err


def test_prepare(
    shell: Shell, as_rank: Callable[..., Outcome], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photomend.data.preparation.prepare.PHOTOS_PER_SHARD", 2)
    arguments = ("prepare", "--source", f"folder:{photos}", "--side", "64", "--out")
    one = shell(*arguments, tmp_path / "one")
    found = [as_rank(rank, *arguments, tmp_path / "two") for rank in (0, 1)]
    assert [outcome.status for outcome in found] == [0, 0]
    assert found[0].out == ""
    assert found[0].err.startswith("photomend: rank 0 of 2: its share is in ")
    assert found[1].out == one.out.replace("/one ", "/two ")
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    assert as_rank(0, *arguments, tmp_path / "two").out == found[1].out
    as_rank(0, *arguments, tmp_path / "three")
    outcome = as_rank(1, *arguments, tmp_path / "three", "--restart")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "--restart is for one process; with several, remove" in outcome.err
    assert shell(*arguments, tmp_path / "three").status == 0  # alone, with what the first has left
    assert tree(tmp_path / "three") == tree(tmp_path / "one")


@pytest.mark.parametrize(
    ("rank", "size", "words"),
    [("5", "2", "RANK (=5) must be below WORLD_SIZE (=2)"), ("abc", "2", "RANK (='abc') must be a whole number")],
)
@pytest.mark.parametrize("command", ["repair", "evaluate", "prepare"])
def test_an_environment_that_makes_no_sense(
    shell: Shell,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    rank: str,
    size: str,
    words: str,
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    before = tree(tmp_path)
    arguments = {
        "repair": ("repair", photos, *REPAIR, "-o", tmp_path / "out"),
        "evaluate": ("evaluate", "--photos", photos, *EVALUATE),
        "prepare": ("prepare", "--source", f"folder:{photos}", "--out", tmp_path / "out"),
    }[command]
    assert words in shell.fails(1, *arguments)
    assert tree(tmp_path) == before


#: torchrun as it is started by its name; the folder of the package comes first.
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "photomend"]


def start(arguments: tuple[str | Path, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*TORCHRUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without torch.distributed")
def test_torchrun(shell: Shell, photos: Path, tmp_path: Path) -> None:
    """All three, with real processes."""
    shell("repair", photos, *REPAIR, "-o", tmp_path / "one")
    outcome = start(("repair", photos, *REPAIR, "-o", tmp_path / "two", "--json"), tmp_path)
    assert outcome.returncode == 0, outcome
    said = {json.loads(line)["photo"] for line in outcome.stdout.splitlines()}
    assert said == set(map(str, photos.iterdir()))
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    one = shell("evaluate", "--photos", photos, *EVALUATE, "--json", tmp_path / "one.json")
    outcome = start(("evaluate", "--photos", photos, *EVALUATE, "--json", tmp_path / "two.json"), tmp_path)
    assert (outcome.returncode, outcome.stdout) == (0, one.out)
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()
    prepare = ("prepare", "--source", f"folder:{photos}", "--side", "64", "--out")
    shell(*prepare, tmp_path / "set")
    assert start((*prepare, tmp_path / "sets"), tmp_path).returncode == 0
    assert tree(tmp_path / "sets") == tree(tmp_path / "set")


def test_a_rank_that_is_killed_and_begun_again(tmp_path: Path) -> None:
    picture(tmp_path / "photos/00.png", 300, 300)
    for number in range(1, 60):
        os.link(tmp_path / "photos/00.png", tmp_path / f"photos/{number:02}.png")
    paths = str(tmp_path / "photos"), "-o", str(tmp_path / "out")
    command = [sys.executable, "-m", "photomend", "repair", *paths, *REPAIR]
    places = [os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"} for rank in range(2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=places[1]) as killed:
        assert killed.stdout is not None
        assert "30.png  750 pixels rebuilt" in killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    left = 30 - sum(name.endswith(".png") for name in os.listdir(tmp_path / "out"))
    assert 0 < left < 30
    said = []
    for place in places:
        result = subprocess.run([*command, "--skip-existing"], capture_output=True, text=True, check=True, env=place)
        said.append(result.stdout.splitlines()[-1])
    assert said == [
        "rank 0 of 2: 30 of 30 photos repaired",
        f"rank 1 of 2: {left} of 30 photos repaired, {30 - left} there already",
    ]
    assert len({path.read_bytes() for path in (tmp_path / "out").iterdir()}) == 1
    assert len(os.listdir(tmp_path / "out")) == 60  # and no draft
