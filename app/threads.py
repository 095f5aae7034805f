"""What the command `photomend` asks of OpenMP, the library that torch's threads come from.

A thread that has done its share of an operation waits for the others. By default it spins: it asks again and again
whether they are done, for some milliseconds. On a machine where other programs compute, the thread that it waits for
may not even be running, and the one that spins keeps it from its core; a repair is hundreds of short operations, and
took 25 times as long as on a quiet machine. A thread that sleeps costs some microseconds when it is woken.

OpenMP reads its settings when it is loaded, with torch. So the command sets them before it imports torch; `import
photomend` sets nothing: the environment of a program belongs to its author, and it may have loaded torch already.
Such a program can set the same variables itself, at its start.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

#: GNU's OpenMP reads the first, the one of LLVM and Intel the second: milliseconds until a waiting thread sleeps.
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
#: Whoever has set one of these has decided.
DECIDED = (*SLEEPING, "GOMP_SPINCOUNT", "KMP_LIBRARY")


def let_waiting_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Unless the environment says already how threads wait. Of effect only before torch is imported."""
    if not any(name in environment for name in DECIDED):
        environment.update(SLEEPING)
