"""Install the wheel where there is nothing else, repair a photo with it, and list what is installed there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from PIL import Image
from skimage import data

from .error import ROOT, ReleaseError


def run(command: list[str], folder: Path, **variables: str) -> str:
    """What a command prints, started in `folder` so that nothing of this repository is found."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)}:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def installed(wheel: Path, folder: Path) -> Path:
    """The Python of a new environment with `wheel` and what it needs, by the versions and hashes of the constraints."""
    place = folder / "environment"
    venv.create(place)
    python = place / "bin" / "python"
    constraints = str(ROOT / "constraints.txt")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    hashed = [*pip, "install", "--require-hashes", "--constraint", constraints, "--build-constraint", constraints]
    found = re.search(r"^torch==\S+", Path(constraints).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    # As in the Makefile: pip chooses a build of torch before it knows hashes, and then checks that of what it chose.
    run([*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", "torch", found[0]], folder)
    run([*hashed, "--no-deps", "--no-index", "--find-links", "torch", "torch"], folder)
    run([*pip, "install", "--no-deps", str(wheel)], folder)
    run([*hashed, "photomend"], folder)  # it is there; what it asks for is not
    run([*pip, "check"], folder)
    return python


def repair_a_photo(photomend: list[str], folder: Path, *options: str) -> float:
    """Cut a hole into a sample photo and repair it with the command `photomend`: the mean error in the hole, of 255.

    Raises:
        ReleaseError: the command fails, changes a known pixel, or leaves the hole.
    """
    photo = data.astronaut()
    damaged = photo.copy()
    hole = (slice(100, 140), slice(200, 240))
    damaged[hole] = (255, 0, 255)
    Image.fromarray(damaged).save(folder / "damaged.png")
    run([*photomend, "repair", "damaged.png", "--box", "200,100,40,40", "-o", "repaired.png", *options], folder)
    repaired = np.asarray(Image.open(folder / "repaired.png"))
    known = np.ones(photo.shape[:2], dtype=bool)
    known[hole] = False
    if repaired.shape != photo.shape or (repaired[known] != photo[known]).any():
        raise ReleaseError("the repair changed known pixels")
    error = float(np.abs(repaired[hole].astype(int) - photo[hole]).mean())
    if error > 40:
        raise ReleaseError(f"the repaired pixels are {error:.0f} grey levels off")
    return error


def write_sbom(python: Path, pyproject: Path, output: Path, epoch: int) -> int:
    """The packages of the environment as a CycloneDX file, checked against the schema; how many there are."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(python), "--pyproject", str(pyproject)]
    command += ["--output-reproducible", "--spec-version", "1.6", "--output-file", str(output)]
    run(command, output.parent, SOURCE_DATE_EPOCH=str(epoch))
    text = output.read_text(encoding="utf-8")
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseError(f"{output.name}: {problem}")
    listed = {(one["name"], one["version"]) for one in json.loads(text)["components"]}
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    there = {
        (one["name"], one["version"]) for one in json.loads(run([*pip, "list", "--format", "json"], output.parent))
    }
    if missing := sorted(there - listed - {one for one in there if one[0] == "photomend"}):
        raise ReleaseError(f"{output.name} lacks {missing[0][0]} {missing[0][1]}")
    return len(listed)
