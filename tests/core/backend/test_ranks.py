"""A process knows which of how many it is."""

from __future__ import annotations

import pytest
import torch
from photomend.core import PhotomendError, runtime
from photomend.core.backend.ranks import Ranks, ranks

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "TORCHELASTIC_RESTART_COUNT": "2"}
SLURM = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_NTASKS": "16"}


def test_what_launchers_say_is_read() -> None:
    assert ranks({}) == Ranks(0, 1, 0, 0)
    assert ranks(TORCHRUN) == Ranks(5, 8, 1, 2)
    assert ranks(SLURM) == Ranks(5, 8, 1, 0)
    assert ranks(TORCHRUN | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2"}).rank == 5  # torchrun inside of srun
    assert ranks({"RANK": "1", "WORLD_SIZE": "2"}) == Ranks(1, 2, 1, 0)  # LOCAL_RANK isn't said
    assert ranks({"JOB_COMPLETION_INDEX": "1", "WORLD_SIZE": "2"}) == Ranks(1, 2, 0, 0)  # a pod of Kubernetes
    assert ranks({"JOB_COMPLETION_INDEX": "1", "WORLD_SIZE": "2", "RANK": "0"}) == Ranks(0, 2, 0, 0)
    assert ranks({"JOB_COMPLETION_INDEX": "1"}).size == 1  # a Job that doesn't say how many there are
    assert ranks({"SLURM_PROCID": "0", "SLURM_NTASKS": "16"}).size == 1  # a batch script, which srun didn't start


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK": "1"}, r"RANK \(=1\) is set, but WORLD_SIZE isn't"),
        ({"WORLD_SIZE": "4"}, r"WORLD_SIZE \(=4\) is set, but RANK isn't"),
        ({"RANK": "4", "WORLD_SIZE": "4"}, r"RANK \(=4\) must be below WORLD_SIZE \(=4\)"),
        ({"RANK": "-1", "WORLD_SIZE": "4"}, r"RANK \(='-1'\) must be a whole number of at least 0"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, r"WORLD_SIZE \(='0'\) must be a whole number of at least 1"),
        ({"RANK": "0", "WORLD_SIZE": "²"}, r"WORLD_SIZE \(='²'\)"),
        ({"RANK": "0", "WORLD_SIZE": "9" * 5000}, "WORLD_SIZE"),
        ({"JOB_COMPLETION_INDEX": "4", "WORLD_SIZE": "4"}, r"JOB_COMPLETION_INDEX \(=4\) must be below WORLD_SIZE"),
        (SLURM | {"SLURM_PROCID": ""}, r"SLURM_PROCID \(=''\)"),
    ],
)
def test_what_makes_no_sense_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(PhotomendError, match=message):
        ranks(environment)


@pytest.mark.parametrize(("count", "size"), [(7, 3), (2, 3), (0, 2), (512, 8)])
def test_each_thing_is_one_ranks(count: int, size: int) -> None:
    shares = [Ranks(rank, size).share(count) for rank in range(size)]
    assert [i for share in shares for i in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_rank_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert runtime.choose_device("auto") == runtime.choose_device("cuda") == torch.device("cuda:1")
    assert runtime.choose_device("cuda:0") == torch.device("cuda:0")
    assert runtime.choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(PhotomendError, match="this machine has 2 CUDA devices"):
        runtime.choose_device("auto")
