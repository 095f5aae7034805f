"""Which of how many processes this one is, when a launcher has started the same command several times: torchrun,
Slurm's srun, or Kubernetes.

Sources: PyTorch's *torchrun (Elastic Launch)*, "Environment Variables"; Slurm's *srun*, "OUTPUT ENVIRONMENT VARIABLES".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import PhotomendError


@dataclass(frozen=True)
class Ranks:
    """A process's place among those that share the work.

    Attributes:
        rank: its number, from 0; rank 0 is the one that reports, and writes what there is one of.
        size: how many there are; a process that no launcher has started is alone.
        local_rank: its number among those on its machine, which is also that of its GPU.
        restarts: how often the launcher has started all of them anew, because one died.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    restarts: int = 0

    @property
    def first(self) -> bool:
        """Whether it is rank 0."""
        return self.rank == 0

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.size}"

    def share(self, count: int) -> range:
        """Which of `count` things are this rank's, consecutive ones: over all ranks each is there once, in order.

        >>> [list(Ranks(rank, 3).share(7)) for rank in range(3)]
        [[0, 1], [2, 3], [4, 5, 6]]
        """
        return range(self.rank * count // self.size, (self.rank + 1) * count // self.size)


#: A process that shares its work with no other.
ALONE = Ranks()


def ranks(environment: Mapping[str, str] | None = None) -> Ranks:
    """This process's place, as its launcher has written it into the environment: RANK, WORLD_SIZE, LOCAL_RANK and
    TORCHELASTIC_RESTART_COUNT, as torchrun does, or else those of a step of Slurm's.

    A batch script of Slurm's is no step: what it runs without `srun` is alone, whatever the job's size. A pod of an
    indexed Job knows its number as JOB_COMPLETION_INDEX, but how many there are only if the Job sets WORLD_SIZE; it has
    its machine, or what it sees of it, to itself.

    Raises:
        PhotomendError: RANK without WORLD_SIZE or the other way round, or one of them is no such number.
    """
    given = os.environ if environment is None else environment
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not ("RANK" in given or "WORLD_SIZE" in given) and "SLURM_STEP_NUM_TASKS" in given:
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    elif "RANK" not in given and {"JOB_COMPLETION_INDEX", "WORLD_SIZE"} <= given.keys():
        names = ("JOB_COMPLETION_INDEX", "WORLD_SIZE", "LOCAL_RANK")
    first, second, third = names
    if first not in given and second not in given:
        return ALONE
    for name, other in ((first, second), (second, first)):
        if name not in given:
            raise PhotomendError(f"environment: {other} (={given[other]}) is set, but {name} isn't")
    size = _number(given, second, least=1)
    rank = _number(given, first)
    if rank >= size:
        raise PhotomendError(f"environment: {first} (={rank}) must be below {second} (={size})")
    restarts = _number(given, "TORCHELASTIC_RESTART_COUNT", missing=0)
    local = 0 if "JOB_COMPLETION_INDEX" in given else rank
    return Ranks(rank, size, _number(given, third, missing=local), restarts)


def _number(given: Mapping[str, str], name: str, least: int = 0, missing: int | None = None) -> int:
    """The whole number called `name`, at least `least`; `missing` where there is none."""
    text = given.get(name, "" if missing is None else str(missing))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= least):
        raise PhotomendError(f"environment: {name} (={text!r}) must be a whole number of at least {least}")
    return int(text)
