"""How many cores this process may use: those that it is bound to, and no more than its container pays for.

A container that is limited to half a core usually sees all cores of its machine. Two threads that share half a core
take longer than one: while the first waits for the second, the quota runs out. Linux keeps a quota for each control
group, cgroup for short, and they are nested: the tightest one from the process's own group up to the root counts.

Sources: the kernel's *Control group v2* (`cpu.max`) and *CFS bandwidth control* (`cpu.cfs_quota_us`, version 1).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Cores that threads can share without being slower than one thread; `root` holds the folders proc and sys.

    Of a quota's last part of a core, half and more counts as one: there a second thread gains more than it costs.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    paid = quota(root)
    return bound if paid is None else max(1, min(bound, int(paid + 0.5)))


def quota(root: Path = ROOT) -> float | None:
    """The cores' worth of time that this process's control groups allow it; None without a limit, and elsewhere."""
    limits = [limit for group in _groups(root) if (limit := _limit(group)) is not None]
    return min(limits, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the control groups that this process is in, those of both versions, from the inside out."""
    try:
        own = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (root / "proc/self/mountinfo").read_text().splitlines()]
    except (OSError, ValueError):
        return
    for number, controllers, path in own:
        for fields in mounts:
            # Fields: …, the part of the hierarchy that is mounted, where; …, "-", the type, the source, its options.
            part, where, kind, options = fields[3], fields[4], fields[fields.index("-") + 1], fields[-1].split(",")
            second = number == "0" and kind == "cgroup2"
            first = "cpu" in controllers.split(",") and kind == "cgroup" and "cpu" in options
            if first or second:
                top = root / where.lstrip("/")
                # In a container the mounted part often is the process's own group, whose path means nothing there.
                inner = Path(path).relative_to(part) if Path(path).is_relative_to(part) else Path()
                yield from (top / folder for folder in (inner, *inner.parents))


def _limit(group: Path) -> float | None:
    """The quota of one group, in cores."""
    try:
        if (file := group / "cpu.max").exists():
            most, period = file.read_text().split()
        else:
            most, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(most) / float(period) if float(most) > 0 else None
    except (OSError, ValueError):  # no such file, as at a hierarchy's root; or "max", which is no limit
        return None
