"""Which lines of the readers are reached, as coverage.py counts them."""

from __future__ import annotations

from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parents[2]
#: The modules that read what comes from elsewhere. What they write, and what trains, isn't fuzzed.
READERS = (
    "core/reading.py",
    "models/safetensors_file.py",
    "models/weights.py",
    "data/claims.py",
    "data/photos.py",
    "data/prepared.py",
    "data/preparation/hub.py",
    "data/preparation/hub_stream.py",
    "data/preparation/unfinished.py",
    "train/checkpoint.py",
    "train/log.py",
    "train/settings.py",
    "train/config.py",
    "app/masks/reading.py",
    "app/photo/boxes.py",
    "app/photo/files.py",
    "app/photo/heif.py",
    "app/photo/images.py",
    "app/photo/metadata.py",
    "app/photo/netpbm.py",
    "app/photo/png.py",
    "app/photo/tiff.py",
    "app/web/edits.py",
)


class Lines:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, include=[str(ROOT / file) for file in READERS])
        self.coverage.start()

    def table(self) -> str:
        """A line for each module, in Markdown: statements, those that were reached, and the numbers of the others."""
        self.coverage.stop()
        rows, statements, reached = ["| module | lines | reached | not reached |", "|---|--:|--:|---|"], 0, 0
        for file in READERS:
            _, every, _, missing, shown = self.coverage.analysis2(str(ROOT / file))
            share = 1 - len(missing) / max(1, len(every))
            rows.append(f"| `{file}` | {len(every)} | {share:.0%} | {shown} |")
            statements, reached = statements + len(every), reached + len(every) - len(missing)
        return "\n".join([*rows, f"| all | {statements} | {reached / statements:.0%} | |"])
