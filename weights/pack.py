"""Make a run's best weights part of the package: in half precision, with their SHA-256.

    python weights/pack.py runs/deeper photomend-m views=8
    python weights/pack.py runs/gan gan for_comparison=1

What follows the name are settings of the network that differ from the run's and that the weights don't depend on, and
whether the weights are unfit for repair. float16 keeps 11 binary digits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path

from photomend.app.reconstructors import SUMS, WEIGHTS_FOLDER
from photomend.models.weights import load_checkpoint, save_checkpoint


def pack(run: Path, name: str, settings: dict[str, int]) -> Path:
    """Write the weights of `run` as the package's `name`, and the digests of all its weights."""
    checkpoint = load_checkpoint(run)
    unfit = bool(settings.pop("for_comparison", checkpoint.for_comparison))
    config = {**checkpoint.config, **settings}
    half = {k: v.half() if v.is_floating_point() else v for k, v in checkpoint.weights.items()}
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    save_checkpoint(path, dataclasses.replace(checkpoint, weights=half, config=config, for_comparison=unfit))
    path.chmod(0o644)
    files = sorted(WEIGHTS_FOLDER.glob("*.safetensors"))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (WEIGHTS_FOLDER / SUMS).write_text("".join(lines), encoding="ascii")
    return path


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python weights/pack.py RUN NAME [SETTING=NUMBER...]")
    given = (setting.partition("=") for setting in sys.argv[3:])
    made = pack(Path(sys.argv[1]), sys.argv[2], {key: int(value) for key, _, value in given})
    print(f"{made}  {made.stat().st_size:,} bytes")
