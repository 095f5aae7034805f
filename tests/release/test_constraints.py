"""Whatever is installed is pinned: every package with its version and the hashes of its files, and pip checks them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from photomend.release import constraints
from photomend.release.error import ReleaseError

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(\S+)==(\S+)(?: ; .+?)? \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def pins(file: str) -> dict[str, list[tuple[Version, set[str]]]]:
    """Versions and hashes of each package; more than one version where Pythons need different ones."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found: dict[str, list[tuple[Version, set[str]]]] = {}
    for name, version, hashes in PIN.findall(text):
        found.setdefault(name, []).append((Version(version), set(re.findall(r"sha256:(\w+)", hashes))))
    assert sum(map(len, found.values())) == len(re.findall(r"^[^#\s]", text, re.MULTILINE)), "a line that is no pin"
    return found


def asked_for() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists: list[list[Any]] = [project["project"]["dependencies"]]
    lists += [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    return [Requirement(one) for entries in lists for one in entries if isinstance(one, str)]


@pytest.mark.parametrize("asked", asked_for(), ids=str)
def test_what_the_project_asks_for_is_pinned(asked: Requirement) -> None:
    """If this fails, `make constraints` mends it."""
    for version, hashes in pins("constraints.txt")[canonicalize_name(asked.name)]:
        assert version in asked.specifier
        assert hashes


def test_what_comes_first_is_what_the_rest_is_installed_with() -> None:
    every = pins("constraints.txt")
    assert pins("bootstrap.txt") == {name: every[name] for name in ("pip", "pkgconfig", "setuptools")}


def test_torch_may_be_a_build_for_the_cpu() -> None:
    ((version, hashes),) = pins("constraints.txt")["torch"]
    recorded = dict(line.split()[::-1] for line in constraints.TORCH_CPU.read_text(encoding="utf-8").splitlines())
    assert set(recorded.values()) < hashes  # and those on PyPI
    for python in ("cp311", "cp312", "cp313", "cp314"):
        for machine in ("x86_64", "aarch64"):
            assert f"torch-{version}+cpu-{python}-{python}-manylinux_2_28_{machine}.whl" in recorded


def test_hashes_of_another_torch_are_refused() -> None:
    text = "torch==2.14.0 \\\n    --hash=sha256:aa\n"
    added = constraints.with_cpu_builds(text, "bb  torch-2.14.0+cpu-cp311-cp311-linux_x86_64.whl\n")
    assert added == "torch==2.14.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:aa\n"
    with pytest.raises(ReleaseError, match=r"torch-2\.13\.0\+cpu-x\.whl is no CPU build of torch 2\.14\.0"):
        constraints.with_cpu_builds(text, "bb  torch-2.13.0+cpu-x.whl\n")


def test_every_installation_checks_hashes() -> None:
    """But that of this folder, which has none: it brings nothing along."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"^.*\$\(PIP\) install.*$", makefile, re.MULTILINE)
    unchecked = [line for line in installs if "--require-hashes" not in line]
    assert [line.split("install ")[1] for line in unchecked] == ["--quiet --no-deps --no-build-isolation --editable ."]
    assert not re.search(r"\bpip install", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))


def wheel(folder: Path) -> Path:
    """A package without anything in it."""
    file = folder / "nothing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("nothing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
        archive.writestr(
            "nothing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("nothing-1.0.dist-info/RECORD", "")
    return file


@pytest.mark.slow
def test_pip_refuses_a_file_whose_hash_is_not_in_the_constraints(tmp_path: Path) -> None:
    """The pip of bootstrap.txt; older ones can't read hashes from constraints."""
    digest = hashlib.sha256(wheel(tmp_path).read_bytes()).hexdigest()
    file = tmp_path / "constraints.txt"
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--require-hashes", "--constraint", str(file)]
    command += ["--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "installed"), "nothing"]
    for listed, status in (("0" * 64, 1), (digest, 0)):
        file.write_text(f"nothing==1.0 \\\n    --hash=sha256:{listed}\n", encoding="utf-8")
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert ("DO NOT MATCH THE HASHES" in done.stderr) == bool(status)
        assert (tmp_path / "installed").exists() == (status == 0)
