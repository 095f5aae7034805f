"""The cores that a process may use: those it is bound to, at most what the tightest of its control groups pays for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from photomend.core.backend import cores as module
from photomend.core.backend.cores import cores, quota


def system(root: Path, groups: str, mounts: list[str], limits: dict[str, str]) -> Path:
    """The folders proc and sys of a machine."""
    mountinfo = [
        f"{30 + i} 20 0:{i} {mount} - {kind}" for i, (mount, kind) in enumerate(m.split(" - ") for m in mounts)
    ]
    for name, text in {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join(mountinfo), **limits}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


SECOND = "/ /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
FIRST = "{} /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct"
CASES = {
    "no limit": ("0::/user", [SECOND], {"sys/fs/cgroup/user/cpu.max": "max 100000"}, None),
    "half a core": ("0::/user", [SECOND], {"sys/fs/cgroup/user/cpu.max": "50000 100000"}, 0.5),
    "the outer group is tighter": (
        *("0::/a/b/c", [SECOND]),
        {"sys/fs/cgroup/a/b/c/cpu.max": "max 100000", "sys/fs/cgroup/a/b/cpu.max": "300000 100000"}
        | {"sys/fs/cgroup/a/cpu.max": "75000 50000"},
        1.5,
    ),
    "a container with its own root": ("0::/", [SECOND], {"sys/fs/cgroup/cpu.max": "20000 10000"}, 2),
    "version 1": (
        *("7:memory:/box\n4:cpu,cpuacct:/box/inner", [FIRST.format("/")]),
        {"sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "150000", "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000"}
        | {"sys/fs/cgroup/cpu/box/inner/cpu.cfs_quota_us": "-1"}
        | {"sys/fs/cgroup/cpu/box/inner/cpu.cfs_period_us": "100000"},
        1.5,
    ),
    "version 1, of which a container sees its own part": (
        *("4:cpu,cpuacct:/docker/4f", [FIRST.format("/docker/4f")]),
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
        0.5,
    ),
    "both versions": (
        *("4:cpu:/\n0::/x", [FIRST.format("/"), SECOND.replace("cgroup rw", "cgroup/unified rw")]),
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}
        | {"sys/fs/cgroup/unified/x/cpu.max": "250000 100000"},
        2.5,
    ),
    "nonsense": ("0::/user", [SECOND], {"sys/fs/cgroup/user/cpu.max": "much"}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_tightest_quota_counts(case: str, tmp_path: Path) -> None:
    groups, mounts, limits, expected = CASES[case]
    assert quota(system(tmp_path, groups, mounts, limits)) == expected


def test_a_machine_without_control_groups_has_none(tmp_path: Path) -> None:
    assert quota(tmp_path) is None


@pytest.mark.parametrize(
    ("bound", "paid", "expected"), [(2, 0.5, 1), (2, None, 2), (8, 1.4, 1), (8, 1.5, 2), (1, 4.0, 1), (8, 3.0, 3)]
)
def test_threads_never_share_less_than_they_need(
    bound: int, paid: float | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(bound)), raising=False)
    monkeypatch.setattr(module, "quota", lambda root: paid)
    assert cores() == expected
